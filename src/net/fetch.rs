//! Fetch threads: each asks the upstream one thing, judges it, and reports to the loop. The core starts at most
//! [`crate::bounds::FETCHES`] at a time.

use crate::bounds;
use crate::core::outcome::{judge, Outcome, Reason};
use crate::core::types::{FetchError, FetchHead, FetchJob};
use crate::net::client::Sink;
use crate::net::mailbox::{Letter, Post};
use crate::net::stream::Stream;
use crate::net::upstream::Upstream;
use crate::vendor::Vendor;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

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

/// Sends its letter when it goes: also where a thread ends by a panic, since the core counts on an answer.
struct Report {
    post: Post,
    letter: Option<Letter>,
}

impl Report {
    fn new(post: Post, otherwise: Letter) -> Report {
        Report { post, letter: Some(otherwise) }
    }

    fn send(mut self, letter: Letter) {
        self.letter = Some(letter);
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if let Some(letter) = self.letter.take() {
            self.post.send(letter);
        }
    }
}

const PANIC: &str = "a mistake in the agent (please report it)";

/// Fetches a config on a thread of its own.
pub(crate) fn config(upstream: Arc<Upstream>, job: FetchJob, vendor: &'static Vendor, file: String, post: Post) {
    let (id, failed) = (job.id, post.clone());
    let run = move || {
        let otherwise = Letter::Config { id, outcome: Outcome::Bad(Reason::Broken, PANIC.to_string()) };
        let report = Report::new(post, otherwise);
        let mut sink = Collect(Vec::new());
        let answer = upstream.fetch(&job, &mut sink).map(|head| (head, sink.0));
        report.send(Letter::Config { id, outcome: judge(vendor, &file, answer) });
    };
    if let Err(e) = thread::Builder::new().name("fetch".into()).stack_size(STACK).spawn(run) {
        let why = format!("the router cannot start a thread: {e}");
        failed.send(Letter::Config { id, outcome: Outcome::Bad(Reason::Down, why) });
    }
}

/// RAM for shared files that are on their way, all together: `shared_max` bounds what is kept, and this what is not
/// kept yet.
#[derive(Clone, Default)]
pub(crate) struct Arriving(Arc<Mutex<u64>>);

impl Arriving {
    fn take(&self, bytes: u64, max: u64) -> bool {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = taken.saturating_add(bytes);
        let fits = sum <= max;
        if fits {
            *taken = sum;
        }
        fits
    }

    fn give_back(&self, bytes: u64) {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *taken = taken.saturating_sub(bytes);
    }
}

struct IntoStream {
    stream: Arc<Stream>,
    keep: u64,
    arriving: Arriving,
    taken: u64,
    post: Post,
    id: u64,
    use_body: bool,
    /// Without a length nothing can be passed on before the end, so all of it must be kept.
    measured: bool,
    overflow: bool,
    begin: Instant,
    got: u64,
}

impl IntoStream {
    /// Takes RAM for `bytes` more.
    fn room_for(&mut self, bytes: u64) -> bool {
        let fits = self.taken.saturating_add(bytes) <= self.keep && self.arriving.take(bytes, self.keep);
        if fits {
            self.taken += bytes;
        }
        fits
    }
}

impl Drop for IntoStream {
    fn drop(&mut self) {
        self.arriving.give_back(self.taken);
    }
}

impl Sink for IntoStream {
    fn head(&mut self, head: &FetchHead) -> bool {
        self.begin = Instant::now();
        self.use_body = head.status == 200;
        if self.use_body {
            self.measured = head.length.is_some();
            let keep = head.length.is_none_or(|n| self.room_for(n));
            self.stream.begin(head.length, keep);
        }
        self.post.send(Letter::StreamHead { id: self.id, head: head.clone() });
        true
    }

    fn chunk(&mut self, bytes: &[u8]) -> bool {
        if !self.use_body {
            return true;
        }
        let size = bytes.len() as u64;
        if !self.measured && !self.room_for(size) {
            self.overflow = true;
            return false;
        }
        self.got = self.got.saturating_add(size);
        let seconds = self.begin.elapsed().as_secs();
        if seconds >= RATE_AFTER && self.got / seconds < bounds::SHARED_RATE {
            return false;
        }
        self.stream.push(bytes)
    }
}

/// Seconds of a transfer before its rate is looked at.
const RATE_AFTER: u64 = 60;

/// Fetches a shared file on a thread of its own.
pub(crate) fn shared(
    upstream: Arc<Upstream>,
    job: FetchJob,
    stream: Arc<Stream>,
    keep: u64,
    arriving: Arriving,
    post: Post,
) {
    let (id, failed) = (job.id, post.clone());
    let run = move || {
        let otherwise = Letter::StreamDone { id, result: Err(FetchError::Protocol(PANIC.to_string())) };
        let report = Report::new(post.clone(), otherwise);
        let mut sink = IntoStream {
            stream: stream.clone(),
            keep,
            arriving,
            taken: 0,
            post,
            id,
            use_body: false,
            measured: true,
            overflow: false,
            begin: Instant::now(),
            got: 0,
        };
        let mut result = upstream.fetch(&job, &mut sink).map(|head| (head, 0));
        if sink.overflow {
            result = Err(FetchError::TooLarge { limit: keep });
        }
        let kept = stream.end(result.is_ok() && sink.use_body);
        if let Ok((_, size)) = &mut result {
            *size = kept;
        }
        report.send(Letter::StreamDone { id, result });
    };
    if let Err(e) = thread::Builder::new().name("fetch".into()).stack_size(STACK).spawn(run) {
        let why = FetchError::Connect(format!("the router cannot start a thread: {e}"));
        failed.send(Letter::StreamDone { id, result: Err(why) });
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::net::mailbox::Mailbox;

    fn sink(mailbox: &Mailbox, keep: u64, arriving: &Arriving) -> IntoStream {
        IntoStream {
            stream: Stream::new(mailbox.post()),
            keep,
            arriving: arriving.clone(),
            taken: 0,
            post: mailbox.post(),
            id: 1,
            use_body: false,
            measured: true,
            overflow: false,
            begin: Instant::now(),
            got: 0,
        }
    }

    fn head(length: Option<u64>) -> FetchHead {
        FetchHead { status: 200, length, ..FetchHead::default() }
    }

    #[test]
    fn a_body_of_unknown_length_takes_no_more_ram_than_may_be_kept() {
        let (mailbox, arriving) = (Mailbox::new().unwrap(), Arriving::default());
        let mut s = sink(&mailbox, 100_000, &arriving);
        assert!(s.head(&head(None)));
        let taken = (0..100).take_while(|_| s.chunk(&[0; 16_000])).count();
        assert_eq!(taken, 6);
        assert!(s.overflow && s.stream.held() <= 100_000);
        drop(s);
        assert_eq!(*arriving.0.lock().unwrap(), 0, "given back");
    }

    #[test]
    fn a_trickle_is_given_up_after_a_minute() {
        let (mailbox, arriving) = (Mailbox::new().unwrap(), Arriving::default());
        let after = |seconds: u64, bytes: usize| {
            let mut s = sink(&mailbox, 1 << 20, &arriving);
            assert!(s.head(&head(Some(1 << 20))));
            s.begin = Instant::now() - std::time::Duration::from_secs(seconds);
            s.chunk(&vec![0; bytes])
        };
        let (minute, enough) = (RATE_AFTER, (RATE_AFTER * bounds::SHARED_RATE) as usize);
        assert!(after(minute - 1, 1), "not before");
        assert!(after(minute, enough + 16_000) && !after(minute, enough / 2));
    }

    #[test]
    fn files_that_arrive_together_share_the_ram() {
        let (mailbox, arriving) = (Mailbox::new().unwrap(), Arriving::default());
        let mut all: Vec<IntoStream> = (0..3).map(|_| sink(&mailbox, 3 << 20, &arriving)).collect();
        for s in &mut all {
            assert!(s.head(&head(Some(2 << 20))));
        }
        assert!(all[0].taken == 2 << 20 && all[1].taken == 0 && all[2].taken == 0, "the others pass through a window");
    }

    #[test]
    fn a_thread_that_panics_is_heard_of() {
        let mailbox = Mailbox::new().unwrap();
        let post = mailbox.post();
        let run = move || {
            let otherwise = Letter::Config { id: 7, outcome: Outcome::Bad(Reason::Broken, PANIC.to_string()) };
            let _report = Report::new(post, otherwise);
            panic!("as if by a mistake");
        };
        assert!(thread::spawn(run).join().is_err());
        assert!(matches!(mailbox.take()[..], [Letter::Config { id: 7, .. }]));
    }
}
