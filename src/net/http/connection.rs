//! One connection of a phone.

use crate::bounds;
use crate::core::answer::RequestId;
use crate::net::stream::{Read as StreamRead, Reader};
use crate::proto::http::{parse_request_with, BodyKind, HeadError, Parsed, Request};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes handed to one connection before it is the next one's turn.
const TURN: usize = 256 * 1024;
/// After an answer that ends the connection: how long what the client still sends is read and thrown away, so that
/// the kernel does not answer it with a reset that would take our answer away from the client.
const LINGER: Duration = Duration::from_secs(1);
/// And how many bytes of it.
const LINGER_BYTES: usize = 64 * 1024;

pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) peer: SocketAddrV4,
    /// Index of the device it came in on.
    pub(super) device: usize,
    pub(super) state: State,
    /// Received and not yet used.
    input: Vec<u8>,
    /// When the state's patience began: the request's begin, or the last byte that went out.
    pub(super) since: Instant,
    served: u32,
    /// An answer ended without any event of its socket, and what came behind its request is still to be looked at.
    pub(super) look: bool,
    /// Bytes thrown away while lingering.
    discarded: usize,
    /// Of the request that waits for its answer, where it was taken.
    pub(super) body: Vec<u8>,
}

/// How many bytes of a request's body are taken, by its head and who sends it; of any other the body is thrown away, and the
/// connection ends with the answer. Asked again with each piece that arrives.
pub(crate) type TakesBody = Box<dyn Fn(&Request, Ipv4Addr) -> u64 + Send>;

pub(super) enum State {
    /// A request is expected or arriving.
    Reading,
    /// The core has it.
    Waiting(RequestId, Box<Request>),
    Writing(Writing),
    /// Answered for the last time.
    Lingering,
    Closed,
}

/// An answer on its way out.
pub(super) struct Writing {
    pub(super) head: Vec<u8>,
    pub(super) body: Outgoing,
    /// Bytes of head and body that are out.
    sent: u64,
    keep_alive: bool,
    /// Waits for more bytes of a shared file, not for the client.
    starved: bool,
}

/// The body of an answer.
pub(crate) enum Outgoing {
    None,
    Bytes(Arc<[u8]>),
    /// From this offset, so many bytes.
    Stream(Reader, u64, u64),
    /// The same, of a file on disk.
    #[cfg(feature = "provisioner")]
    File(std::fs::File, u64, u64),
}

impl Connection {
    pub(super) fn new(stream: TcpStream, peer: SocketAddrV4, device: usize, now: Instant) -> Connection {
        Connection {
            stream,
            peer,
            device,
            state: State::Reading,
            input: Vec::new(),
            since: now,
            served: 0,
            look: false,
            discarded: 0,
            body: Vec::new(),
        }
    }

    /// Waits for the first byte of a request, perhaps between two.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.state, State::Reading) && self.input.is_empty()
    }

    pub(super) fn wants_read(&self) -> bool {
        matches!(self.state, State::Reading | State::Lingering)
    }

    pub(super) fn wants_write(&self) -> bool {
        matches!(&self.state, State::Writing(w) if !w.starved)
    }

    pub(super) fn is_starved(&self) -> bool {
        matches!(&self.state, State::Writing(w) if w.starved)
    }

    /// When its patience ends.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let patience = match &self.state {
            State::Reading if self.input.is_empty() && self.served > 0 => bounds::HTTP_IDLE_SECONDS,
            State::Reading => bounds::HTTP_REQUEST_SECONDS,
            State::Waiting(..) => return None, // the core has deadlines of its own
            // the fetch has its own stall bound
            State::Writing(w) if w.starved => bounds::UPSTREAM_STALL_SECONDS * 2,
            State::Writing(_) => bounds::HTTP_WRITE_STALL_SECONDS,
            State::Lingering => return Some(self.since + LINGER),
            State::Closed => return Some(self.since),
        };
        Some(self.since + Duration::from_secs(patience))
    }

    /// Reads what is there. A whole request, or why it cannot be one.
    pub(super) fn read(&mut self, takes: Option<&TakesBody>, now: Instant) -> Option<Result<Request, HeadError>> {
        let mut buffer = [0u8; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    self.state = State::Closed;
                    return None;
                }
                Ok(n) => {
                    if matches!(self.state, State::Lingering) {
                        self.discarded += n;
                        if self.discarded > LINGER_BYTES {
                            self.state = State::Closed;
                            return None;
                        }
                        continue;
                    }
                    if self.input.is_empty() {
                        self.since = now;
                    }
                    self.input.extend_from_slice(buffer.get(..n).unwrap_or_default());
                    let request = self.take_request(takes);
                    if request.is_some() {
                        return request;
                    }
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return None,
                Err(_) => {
                    self.state = State::Closed;
                    return None;
                }
            }
        }
    }

    /// The next request, if it has arrived whole.
    pub(super) fn take_request(&mut self, takes: Option<&TakesBody>) -> Option<Result<Request, HeadError>> {
        if self.input.is_empty() {
            return None;
        }
        let most = if takes.is_some() { u64::MAX } else { bounds::HTTP_BODY };
        match parse_request_with(&self.input, most) {
            Ok(Parsed::Partial) => None,
            Ok(Parsed::Whole { mut request, head_len }) => {
                if let (BodyKind::Length(length), Some(takes)) = (request.body, takes) {
                    match takes(&request, *self.peer.ip()) {
                        0 if length > bounds::HTTP_BODY => return Some(Err(HeadError::BodyTooLarge)),
                        0 => {}
                        most if length > most => return Some(Err(HeadError::BodyTooLarge)),
                        _ => {
                            let end = head_len.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
                            self.body = self.input.get(head_len..end)?.to_vec();
                            self.input.drain(..end);
                            request.body = BodyKind::None;
                            return Some(Ok(request));
                        }
                    }
                }
                self.input.drain(..head_len.min(self.input.len()));
                // No phone's GET has a body. Rather than find its end, the connection ends with the answer.
                if request.body != BodyKind::None {
                    request.keep_alive = false;
                }
                Some(Ok(request))
            }
            Err(e) => Some(Err(e)),
        }
    }

    /// Sends an answer, as far as the client takes it now.
    pub(super) fn respond(
        &mut self,
        head: Vec<u8>,
        body: Outgoing,
        keep_alive: bool,
        scratch: &mut [u8],
        now: Instant,
    ) {
        self.since = now;
        self.state = State::Writing(Writing { head, body, sent: 0, keep_alive, starved: false });
        self.write(scratch, now);
    }

    /// More bytes of a shared file have come.
    pub(super) fn feed(&mut self, scratch: &mut [u8], now: Instant) {
        if let State::Writing(w) = &mut self.state {
            if std::mem::take(&mut w.starved) {
                self.write(scratch, now);
                self.look = matches!(self.state, State::Reading) && !self.input.is_empty();
            }
        }
    }

    /// Writes what the client takes.
    pub(super) fn write(&mut self, scratch: &mut [u8], now: Instant) {
        let State::Writing(w) = &mut self.state else { return };
        let mut turn = 0;
        let ended = loop {
            if turn >= TURN {
                return;
            }
            let head = w.head.len() as u64;
            let (bytes, last): (&[u8], bool) = if w.sent < head {
                let rest = w.head.get(w.sent as usize..).unwrap_or_default();
                // head and body in one segment where they fit: one system call, one packet
                match &w.body {
                    Outgoing::Bytes(body) if w.sent == 0 && rest.len() + body.len() <= scratch.len() => {
                        let (a, b) = scratch.split_at_mut(rest.len());
                        a.copy_from_slice(rest);
                        b[..body.len()].copy_from_slice(body);
                        (&scratch[..rest.len() + body.len()], true)
                    }
                    Outgoing::None => (rest, true),
                    _ => (rest, false),
                }
            } else {
                let at = w.sent - head;
                match &w.body {
                    Outgoing::None => break true,
                    Outgoing::Bytes(body) => (body.get(at as usize..).unwrap_or_default(), true),
                    #[cfg(feature = "provisioner")]
                    Outgoing::File(file, start, length) => {
                        use std::os::unix::fs::FileExt;
                        let left = length.saturating_sub(at);
                        let most = (scratch.len() as u64).min(left) as usize;
                        match file.read_at(scratch.get_mut(..most).unwrap_or_default(), start + at) {
                            _ if left == 0 => break true,
                            Ok(n) if n > 0 => (scratch.get(..n).unwrap_or_default(), n as u64 == left),
                            // it was made shorter meanwhile: only closing tells the client
                            _ => break false,
                        }
                    }
                    Outgoing::Stream(reader, start, length) => {
                        let left = length.saturating_sub(at);
                        let most = (scratch.len() as u64).min(left) as usize;
                        match reader.read(start + at, scratch.get_mut(..most).unwrap_or_default()) {
                            _ if left == 0 => break true,
                            StreamRead::Bytes(n) => (scratch.get(..n).unwrap_or_default(), n as u64 == left),
                            StreamRead::Later => {
                                w.starved = true;
                                return;
                            }
                            // the length was promised: only closing tells the phone that this is not all
                            StreamRead::Failed => break false,
                        }
                    }
                }
            };
            if bytes.is_empty() {
                break true;
            }
            match self.stream.write(bytes) {
                Ok(0) => break false,
                Ok(n) => {
                    let all = n == bytes.len();
                    w.sent += n as u64;
                    turn += n;
                    self.since = now;
                    if all && last {
                        break true;
                    }
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(_) => break false,
            }
        };
        self.since = now;
        self.served = self.served.saturating_add(1);
        self.state = match (ended, w.keep_alive) {
            (false, _) => State::Closed,
            (true, true) => State::Reading,
            (true, false) => {
                let _ = self.stream.shutdown(std::net::Shutdown::Write);
                State::Lingering
            }
        };
    }
}
