//! The upstream client: one GET at a time, over `ureq` for the HTTP grammar. Sockets, time and trust are ours
//! (`wire`, `tls`), since what counts here are bounds and words: every way an upstream can be slow, silent, cut
//! off or strange ends within its time, and says what it was.

#[cfg(feature = "https")]
mod tls;
mod wire;

use crate::bounds;
use crate::core::types::{FetchError, FetchHead, FetchJob};
use crate::proto::http::latin1;
use crate::proto::url::Parts;
use std::io::Read;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use ureq::http::{header, HeaderMap, HeaderName};
use wire::{Limit, Wire};

/// Idle connections kept for the next request. An office has one upstream; more than one at a time are asked only
/// when many phones boot at once.
const IDLE: usize = 4;
/// Seconds an idle connection is used again. Servers close theirs after 5 to 75.
const IDLE_SECONDS: u64 = 20;
/// Bytes read from a connection at a time; also the largest response head.
const INPUT: usize = bounds::UPSTREAM_HEAD;
/// Bytes of the longest request line or header, and some.
const OUTPUT: usize = bounds::HTTP_HEAD + 2048;
/// Validators longer than this are of no use: they are stored on flash and sent each time.
const VALIDATOR: usize = 256;

/// Takes an answer while it arrives.
pub trait Sink {
    /// The head, once, before the first chunk. `false` stops the transfer.
    fn head(&mut self, head: &FetchHead) -> bool;
    /// The next bytes of the body, never empty, at most 16 KiB. `false` stops the transfer.
    fn chunk(&mut self, bytes: &[u8]) -> bool;
}

/// Fetches from the upstream. To be shared by threads: each call has its own connection.
pub struct Client {
    #[cfg(feature = "https")]
    tls: Arc<tls::Tls>,
    idle: Mutex<Vec<Slot>>,
    /// Longest silence within a body that is not bound by the job's time.
    stall: Duration,
}

/// A connection, or the place for one. An agent of `ureq`'s for each, so that what a connection meets can be told from
/// what others meet.
struct Slot {
    origin: String,
    agent: ureq::Agent,
    wire: Arc<Wire>,
}

/// Method and body of a request.
pub enum Sent {
    /// GET
    Get,
    /// DELETE
    #[cfg(feature = "provisioner")]
    Delete,
    /// PUT
    #[cfg(feature = "provisioner")]
    Put(Vec<u8>),
    /// POST
    #[cfg(feature = "provisioner")]
    Post(Vec<u8>),
}

/// What one request came to.
enum Step {
    Done(FetchHead),
    /// To this Location.
    Redirect(String),
}

impl Client {
    /// A client that trusts the system's CA bundle and the certificates of `ca_file`. They are read at the first
    /// https request.
    ///
    /// # Errors
    /// When `ca_file` cannot be read or has no certificate in it: a text for the admin.
    pub fn new(ca_file: Option<&Path>) -> Result<Client, String> {
        #[cfg(not(feature = "https"))]
        let _ = ca_file;
        Ok(Client {
            #[cfg(feature = "https")]
            tls: Arc::new(tls::Tls::new(ca_file)?),
            idle: Mutex::new(Vec::new()),
            stall: Duration::from_secs(bounds::UPSTREAM_STALL_SECONDS),
        })
    }

    /// With another longest silence within a body.
    #[cfg(feature = "provisioner")]
    pub fn with_stall(self, stall: Duration) -> Client {
        Client { stall, ..self }
    }

    /// Something the admin should know before the first https request fails: there is no CA bundle.
    pub fn warning(&self) -> Option<&'static str> {
        #[cfg(feature = "https")]
        return self.tls.warning();
        #[cfg(not(feature = "https"))]
        None
    }

    /// Closes the connections that wait for another request.
    #[cfg(test)]
    pub fn close_idle(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Does the job: follows redirects, hands head and body to `sink`, and returns the head again once the body is
    /// whole. Any status is an answer, not an error.
    ///
    /// The request has exactly the job's headers, Host and Connection; hop-by-hop headers of the job are left out. A
    /// character of a value is one byte (ISO-8859-1). The body is handed on as it comes, chunks put together, nothing
    /// unpacked.
    ///
    /// # Errors
    /// See [`FetchError`]. `sink` may have got a part of the body before.
    pub fn fetch(&self, job: &FetchJob, sink: &mut dyn Sink) -> Result<FetchHead, FetchError> {
        self.follow(job, &Sent::Get, sink)
    }

    /// [`Client::fetch`] with another method than GET, and a body. Redirects are not followed.
    ///
    /// # Errors
    /// See [`FetchError`].
    #[cfg(feature = "provisioner")]
    pub fn send(&self, job: &FetchJob, sent: &Sent, sink: &mut dyn Sink) -> Result<FetchHead, FetchError> {
        self.follow(job, sent, sink)
    }

    fn follow(&self, job: &FetchJob, sent: &Sent, sink: &mut dyn Sink) -> Result<FetchHead, FetchError> {
        let start = Instant::now();
        let deadline = start.checked_add(job.timeout).unwrap_or(start);
        let mut url = job.url.clone();
        let mut seen: Vec<String> = Vec::new();
        let mut own: Option<String> = None;
        loop {
            let Some(parts) = Parts::parse(&url) else {
                return Err(FetchError::Protocol("the upstream's address is no http or https URL".into()));
            };
            let origin = parts.origin();
            let own_origin = own.get_or_insert_with(|| origin.clone());
            let foreign = *own_origin != origin;
            if foreign && !job.redirect_origins.iter().any(|o| o.eq_ignore_ascii_case(&origin)) {
                return Err(FetchError::Redirect(format!("it leads to {origin}, which is not the upstream")));
            }
            match self.request(&parts, foreign, job, sent, deadline, sink)? {
                Step::Done(head) => return Ok(head),
                Step::Redirect(_) if !matches!(sent, Sent::Get) => {
                    return Err(FetchError::Redirect("the request was no GET".into()));
                }
                Step::Redirect(location) => {
                    let Some(next) = parts.join(&location) else {
                        return Err(FetchError::Redirect("its Location is no http or https URL".into()));
                    };
                    seen.push(url);
                    if seen.contains(&next) {
                        return Err(FetchError::Redirect("it leads in a circle".into()));
                    }
                    if seen.len() > bounds::REDIRECTS {
                        return Err(FetchError::Redirect(format!("more than {} in a row", bounds::REDIRECTS)));
                    }
                    url = next;
                }
            }
        }
    }

    /// One request and its answer, over a waiting connection or a new one.
    fn request(
        &self,
        parts: &Parts<'_>,
        foreign: bool,
        job: &FetchJob,
        sent: &Sent,
        deadline: Instant,
        sink: &mut dyn Sink,
    ) -> Result<Step, FetchError> {
        let slot = self.take(parts);
        slot.wire.begin(Limit::Until(deadline));
        let mut result = self.exchange(&slot, parts, foreign, job, sent, sink);
        let mut slot = slot;
        // the other side may close a waiting connection at the very moment it is used again: nothing was answered then
        if matches!(result, Err(FetchError::Broken(_))) && slot.wire.was_stale() {
            slot = self.new_slot(parts);
            slot.wire.begin(Limit::Until(deadline));
            result = self.exchange(&slot, parts, foreign, job, sent, sink);
        }
        if matches!(result, Ok(Step::Done(_))) {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() >= IDLE {
                idle.remove(0);
            }
            idle.push(slot);
        }
        result
    }

    fn take(&self, parts: &Parts<'_>) -> Slot {
        let origin = parts.origin();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        match idle.iter().rposition(|slot| slot.origin == origin) {
            Some(at) => idle.remove(at),
            None => self.new_slot(parts),
        }
    }

    fn new_slot(&self, parts: &Parts<'_>) -> Slot {
        let wire = Arc::new(Wire::new());
        let connector = wire::Dial {
            wire: wire.clone(),
            #[cfg(feature = "https")]
            tls: self.tls.clone(),
        };
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            // none of the environment's proxies
            .proxy(None)
            .user_agent(ureq::config::AutoHeaderValue::None)
            .accept(ureq::config::AutoHeaderValue::None)
            .accept_encoding(ureq::config::AutoHeaderValue::None)
            .max_response_header_size(bounds::UPSTREAM_HEAD)
            .input_buffer_size(INPUT)
            .output_buffer_size(OUTPUT)
            .max_idle_connections(1)
            .max_idle_connections_per_host(1)
            .max_idle_age(Duration::from_secs(IDLE_SECONDS))
            .build();
        let agent = ureq::Agent::with_parts(config, connector, wire::Lookup(wire.clone()));
        Slot { origin: parts.origin(), agent, wire }
    }

    fn exchange(
        &self,
        slot: &Slot,
        parts: &Parts<'_>,
        foreign: bool,
        job: &FetchJob,
        sent: &Sent,
        sink: &mut dyn Sink,
    ) -> Result<Step, FetchError> {
        let slash = if parts.target.starts_with('/') { "" } else { "/" };
        let url = [&parts.base(), slash, parts.target].concat();
        let call = || match sent {
            Sent::Get => with_headers(slot.agent.get(url), parts, foreign, job).call(),
            #[cfg(feature = "provisioner")]
            Sent::Delete => with_headers(slot.agent.delete(url), parts, foreign, job).call(),
            #[cfg(feature = "provisioner")]
            Sent::Put(body) => with_headers(slot.agent.put(url), parts, foreign, job).send(body.as_slice()),
            #[cfg(feature = "provisioner")]
            Sent::Post(body) => with_headers(slot.agent.post(url), parts, foreign, job).send(body.as_slice()),
        };
        let mut response = match guarded(call) {
            Ok(Ok(response)) => response,
            Ok(Err(e)) => return Err(slot.wire.explain(e, None)),
            Err(e) => return Err(e),
        };
        let headers = response.headers();
        let status = response.status().as_u16();
        if matches!(status, 301 | 302 | 303 | 307 | 308) {
            return match text(headers, header::LOCATION) {
                Some(location) => Ok(Step::Redirect(location)),
                None => Err(FetchError::Redirect("it has no Location".into())),
            };
        }
        let asked_packed = job.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("accept-encoding"));
        if !asked_packed && text(headers, header::CONTENT_ENCODING).is_some_and(|e| !e.eq_ignore_ascii_case("identity"))
        {
            return Err(FetchError::Protocol("it is compressed, though nobody asked for that".into()));
        }
        let head = FetchHead {
            status,
            length: match headers.contains_key(header::TRANSFER_ENCODING) {
                true => None,
                false => text(headers, header::CONTENT_LENGTH).and_then(|v| v.parse().ok()),
            },
            etag: text(headers, header::ETAG).filter(|v| v.len() <= VALIDATOR),
            last_modified: text(headers, header::LAST_MODIFIED).filter(|v| v.len() <= VALIDATOR),
            content_type: text(headers, header::CONTENT_TYPE),
        };
        if status != 304 && head.length.is_some_and(|n| n > job.limit) {
            return Err(FetchError::TooLarge { limit: job.limit });
        }
        if !sink.head(&head) {
            return Err(FetchError::Stopped);
        }
        slot.wire.body((!job.body_in_timeout).then_some(self.stall));
        let mut reader = response.body_mut().as_reader();
        let mut buffer = vec![0u8; INPUT];
        let mut got: u64 = 0;
        loop {
            let n = match guarded(|| reader.read(&mut buffer)) {
                Ok(Ok(n)) => n,
                Ok(Err(e)) => return Err(slot.wire.explain(e.into(), Some(got))),
                Err(e) => return Err(e),
            };
            if n == 0 {
                break;
            }
            got = got.saturating_add(n as u64);
            if got > job.limit {
                return Err(FetchError::TooLarge { limit: job.limit });
            }
            if !sink.chunk(buffer.get(..n).unwrap_or_default()) {
                return Err(FetchError::Stopped);
            }
        }
        // a body that ends with the connection ends like this also when the connection broke
        match slot.wire.broke(got) {
            Some(e) => Err(e),
            None => Ok(Step::Done(head)),
        }
    }
}

/// The job's headers, and those that are the connection's.
fn with_headers<Any>(
    mut request: ureq::RequestBuilder<Any>,
    parts: &Parts<'_>,
    foreign: bool,
    job: &FetchJob,
) -> ureq::RequestBuilder<Any> {
    for (name, value) in job.headers.iter().filter(|(name, _)| passes(name, foreign)) {
        let Some(value) = latin1(value) else { continue };
        if HeaderName::from_bytes(name.as_bytes()).is_ok() {
            request = request.header_raw(name, &value);
        }
    }
    request.header_raw("Host", parts.host_header().as_bytes()).header_raw("Connection", b"keep-alive")
}

/// May this header of a job go out? Credentials stay with the origin they are for.
fn passes(name: &str, foreign: bool) -> bool {
    const OURS: [&str; 10] = [
        "host",
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "content-length",
        "upgrade",
        "expect",
    ];
    const CREDENTIALS: [&str; 2] = ["authorization", "cookie"];
    let in_list = |list: &[&str]| list.iter().any(|other| name.eq_ignore_ascii_case(other));
    !in_list(&OURS) && (!foreign || !in_list(&CREDENTIALS))
}

/// A header's value, its bytes read as ISO-8859-1.
fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let value = headers.get(name)?.as_bytes();
    Some(value.iter().map(|b| char::from(*b)).collect::<String>().trim_matches([' ', '\t']).to_string())
}

/// The library's inner assertions must not take the thread along: an upstream decides what it gets to see.
fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, FetchError> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|_| FetchError::Protocol("it made the HTTP library fail".into()))
}

#[cfg(test)]
mod test;
#[cfg(all(test, feature = "https"))]
mod test_tls;
