//! From the core's answer to bytes: reads the stored config, rewrites its URLs, cuts ranges, writes the head.

use super::connection::Outgoing;
use super::server::Unserved;
use crate::core::answer::{Answer, Body, Label, StreamId};
use crate::core::types::{ResourceKey, Sha256};
use crate::net::stream::Stream;
use crate::proto::http::{parse_range, Method, Request, ResponseHead};
use crate::proto::mac::Mac;
use crate::store::{Store, StoreError};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Bytes of served configs that are kept in RAM beside the kernel's own cache: they are read, checked and rewritten
/// once, not for each phone that asks twice.
const KEPT: usize = 512 * 1024;

/// By vendor section and phone, router address, and the config as received.
type Rewrite<'a> = dyn Fn((usize, Mac), Ipv4Addr, &[u8]) -> Option<Vec<u8>> + 'a;

/// Where the bytes of bodies come from.
pub(crate) struct Source<'a> {
    pub(crate) store: &'a Store,
    pub(crate) streams: &'a HashMap<StreamId, Arc<Stream>>,
    /// Rewrites a config's URLs for this vendor section, phone and router address; `None`: nothing to rewrite.
    pub(crate) rewrite: &'a Rewrite<'a>,
}

/// Configs as they were last served.
#[derive(Default)]
pub(crate) struct Bodies {
    kept: HashMap<(ResourceKey, u32, Ipv4Addr), Ready>,
    bytes: usize,
    clock: u32,
}

#[derive(Clone)]
struct Ready {
    bytes: Arc<[u8]>,
    etag: String,
    content_type: &'static str,
    used: u32,
}

impl Bodies {
    /// A phone's generations were removed: their numbers may be given again, to other bytes.
    pub(crate) fn forget(&mut self, mac: Option<Mac>) {
        self.kept.retain(|(key, _, _), _| mac.is_some_and(|m| key.mac != m));
        self.bytes = self.kept.values().map(|r| r.bytes.len()).sum();
    }

    /// The config or the rules changed.
    pub(crate) fn clear(&mut self) {
        *self = Bodies::default();
    }

    fn stored(
        &mut self,
        key: &ResourceKey,
        number: u32,
        phone: Option<(usize, Mac)>,
        local: Ipv4Addr,
        source: &Source<'_>,
    ) -> Result<Ready, StoreError> {
        self.clock = self.clock.wrapping_add(1);
        let id = (key.clone(), number, local);
        if let Some(ready) = self.kept.get_mut(&id) {
            ready.used = self.clock;
            return Ok(ready.clone());
        }
        let mut ready = prepare(source.store.read(key, number)?.into(), phone, local, source);
        ready.used = self.clock;
        if ready.bytes.len() <= KEPT / 4 {
            self.bytes += ready.bytes.len();
            self.kept.insert(id, ready.clone());
            while self.bytes > KEPT {
                let oldest = self.kept.iter().min_by_key(|(_, r)| r.used).map(|(k, _)| k.clone());
                let Some(gone) = oldest.and_then(|k| self.kept.remove(&k)) else { break };
                self.bytes = self.bytes.saturating_sub(gone.bytes.len());
            }
        }
        Ok(ready)
    }

    /// Head and body of the answer.
    pub(super) fn response(
        &mut self,
        answer: &Answer,
        request: &Request,
        local: Ipv4Addr,
        source: &Source<'_>,
    ) -> Result<(Vec<u8>, Outgoing), Unserved> {
        let mut head = labelled(answer.status, answer);
        if let Some(seconds) = answer.retry_after {
            head.header("Retry-After", &seconds.to_string());
        }
        if answer.status == 405 {
            head.header("Allow", "GET, HEAD");
        }
        let is_head = request.method == Method::Head;
        let ready = match &answer.body {
            Body::Text(text) => {
                let bytes: Arc<[u8]> = format!("phoneprov: {text}\n").into_bytes().into();
                head.header("Content-Type", "text/plain; charset=utf-8");
                let length = bytes.len() as u64;
                let body = if is_head { Outgoing::None } else { Outgoing::Bytes(bytes) };
                return Ok((head.to_bytes(Some(length), request.keep_alive), body));
            }
            Body::Stream(id) => return self.stream(head, *id, answer, request, source),
            Body::Bytes(bytes) => prepare(bytes.clone(), answer.rewrite, local, source),
            Body::Stored(key, number) => {
                self.stored(key, *number, answer.rewrite, local, source).map_err(Unserved::Unreadable)?
            }
        };
        head.header("ETag", &ready.etag);
        if request.header("if-none-match").is_some_and(|v| v.split(',').any(|t| t.trim() == ready.etag)) {
            let mut same = labelled(304, answer);
            same.header("ETag", &ready.etag);
            return Ok((same.to_bytes(None, request.keep_alive), Outgoing::None));
        }
        head.header("Content-Type", ready.content_type);
        let bytes = head.to_bytes(Some(ready.bytes.len() as u64), request.keep_alive);
        Ok((bytes, if is_head { Outgoing::None } else { Outgoing::Bytes(ready.bytes) }))
    }

    fn stream(
        &mut self,
        mut head: ResponseHead,
        id: StreamId,
        answer: &Answer,
        request: &Request,
        source: &Source<'_>,
    ) -> Result<(Vec<u8>, Outgoing), Unserved> {
        let text = |status: u16, text: &str| {
            let mut head = ResponseHead::new(status);
            head.header("Content-Type", "text/plain; charset=utf-8");
            if status == 503 {
                head.header("Retry-After", "5");
            }
            let body: Arc<[u8]> = format!("phoneprov: {text}\n").into_bytes().into();
            (head.to_bytes(Some(body.len() as u64), request.keep_alive), Outgoing::Bytes(body))
        };
        let Some(stream) = source.streams.get(&id) else { return Err(Unserved::Missed(id)) };
        let Some(total) = stream.total() else { return Ok(text(503, "the file's length is not known yet")) };
        // A range is for GET alone, and If-Range names a version by a word that none of our answers ever had.
        let ranged = request.method == Method::Get && request.header("if-range").is_none();
        let range = request.header("range").filter(|_| ranged).and_then(parse_range);
        let (start, end) = match range.map(|r| r.resolve(total)) {
            None => (0, total),
            Some(Some(range)) => {
                let mut partial = labelled(206, answer);
                partial.header("Content-Range", &format!("bytes {}-{}/{total}", range.start, range.end - 1));
                head = partial;
                (range.start, range.end)
            }
            Some(None) => {
                let mut bad = ResponseHead::new(416);
                bad.header("Content-Range", &format!("bytes */{total}"));
                return Ok((bad.to_bytes(Some(0), request.keep_alive), Outgoing::None));
            }
        };
        head.header("Accept-Ranges", "bytes");
        head.header("Content-Type", "application/octet-stream");
        let bytes = head.to_bytes(Some(end - start), request.keep_alive);
        if request.method == Method::Head {
            return Ok((bytes, Outgoing::None));
        }
        match stream.join(start) {
            Some(reader) => Ok((bytes, Outgoing::Stream(reader, start, end - start))),
            None => Err(Unserved::Missed(id)),
        }
    }
}

fn prepare(bytes: Arc<[u8]>, phone: Option<(usize, Mac)>, local: Ipv4Addr, source: &Source<'_>) -> Ready {
    let rewritten = phone.and_then(|p| (source.rewrite)(p, local, &bytes));
    let bytes = rewritten.map_or(bytes, Into::into);
    let sha = Sha256::of(&bytes).to_string();
    let etag = format!("\"{}\"", sha.get(..16).unwrap_or_default());
    Ready { content_type: content_type(&bytes), etag, bytes, used: 0 }
}

/// By the look of the bytes: the original provisioner's own Content-Type is always wrong (phone-facts 3.4).
fn content_type(bytes: &[u8]) -> &'static str {
    let text = bytes.trim_ascii_start();
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    if bytes.contains(&0) {
        "application/octet-stream"
    } else if text.starts_with(b"<?xml") {
        "text/xml"
    } else if text.len() > 5 && text[..5].eq_ignore_ascii_case(b"<html") {
        "text/html"
    } else if text.starts_with(b"<") {
        "text/xml"
    } else {
        "text/plain"
    }
}

/// A head that says what the agent did.
fn labelled(status: u16, answer: &Answer) -> ResponseHead {
    let mut head = ResponseHead::new(status);
    if let Some(label) = label(answer) {
        head.header("X-Phoneprov", &label);
    }
    head
}

fn label(answer: &Answer) -> Option<String> {
    let word = match answer.label {
        Label::Fresh => "fresh".to_string(),
        Label::Unchanged => "unchanged".to_string(),
        Label::LastGood(reason) => format!("last-good; reason={reason}"),
        Label::None => return None,
    };
    Some(match answer.age {
        Some(age) => format!("{word}; age={age}"),
        None => word,
    })
}
