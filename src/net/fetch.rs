//! Fetch threads: each asks the upstream one thing, judges it, and reports to the loop. The core starts at most
//! [`crate::bounds::FETCHES`] at a time.

use crate::bounds;
use crate::core::outcome::{judge, Outcome, Reason};
use crate::core::types::{FetchHead, FetchJob};
use crate::net::client::{Client, Sink};
use crate::net::mailbox::{Letter, Post};
use crate::net::stream::Stream;
use crate::vendor::Vendor;
use std::sync::Arc;
use std::thread;

/// Room for a TLS handshake and a config's check, with plenty to spare; only what is touched costs memory.
const STACK: usize = 512 * 1024;

struct Collect(Vec<u8>);

impl Sink for Collect {
    fn head(&mut self, head: &FetchHead) -> bool {
        let expected = head.length.unwrap_or(0).min(bounds::CONFIG_BODY as u64);
        self.0.reserve(usize::try_from(expected).unwrap_or(0));
        true
    }

    fn chunk(&mut self, bytes: &[u8]) -> bool {
        // an error page of the upstream is of no use to anybody, so its size does not matter
        self.0.extend_from_slice(bytes);
        true
    }
}

/// Fetches a config on a thread of its own.
pub(crate) fn config(client: Arc<Client>, job: FetchJob, vendor: &'static Vendor, file: String, post: Post) {
    let (id, failed) = (job.id, post.clone());
    let run = move || {
        let mut sink = Collect(Vec::new());
        let answer = client.fetch(&job, &mut sink).map(|head| (head, sink.0));
        post.send(Letter::Config { id, outcome: judge(vendor, &file, answer) });
    };
    if let Err(e) = thread::Builder::new().name("fetch".into()).stack_size(STACK).spawn(run) {
        let why = format!("the router cannot start a thread: {e}");
        failed.send(Letter::Config { id, outcome: Outcome::Bad(Reason::Down, why) });
    }
}

struct IntoStream {
    stream: Arc<Stream>,
    keep: u64,
    post: Post,
    id: u64,
    use_body: bool,
}

impl Sink for IntoStream {
    fn head(&mut self, head: &FetchHead) -> bool {
        self.use_body = head.status == 200;
        if self.use_body {
            self.stream.begin(head.length, head.length.is_none_or(|n| n <= self.keep));
        }
        self.post.send(Letter::StreamHead { id: self.id, head: head.clone() });
        true
    }

    fn chunk(&mut self, bytes: &[u8]) -> bool {
        !self.use_body || self.stream.push(bytes)
    }
}

/// Fetches a shared file on a thread of its own.
pub(crate) fn shared(client: Arc<Client>, job: FetchJob, stream: Arc<Stream>, keep: u64, post: Post) {
    let (id, failed) = (job.id, post.clone());
    let run = move || {
        let mut sink = IntoStream { stream: stream.clone(), keep, post: post.clone(), id, use_body: false };
        let mut result = client.fetch(&job, &mut sink).map(|head| (head, 0));
        let kept = stream.end(result.is_ok() && sink.use_body);
        if let Ok((_, size)) = &mut result {
            *size = kept;
        }
        post.send(Letter::StreamDone { id, result });
    };
    if let Err(e) = thread::Builder::new().name("fetch".into()).stack_size(STACK).spawn(run) {
        let why = crate::core::types::FetchError::Connect(format!("the router cannot start a thread: {e}"));
        failed.send(Letter::StreamDone { id, result: Err(why) });
    }
}
