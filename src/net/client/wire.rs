//! Name lookup, connection and bytes of one request, each within the request's time.
//!
//! `ureq` takes connections from a [`Connector`] and sees bytes through a [`Transport`]. Ours keep the time themselves,
//! because a time-out of `ureq` cannot say "this long between two bytes, however long in all", nor one moment for
//! several phases together, and note what happened, because `ureq` reads a reset in some places as a proper end.

use crate::core::types::FetchError;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport};
use ureq::Error;

#[cfg(feature = "https")]
use super::tls::{self, Tls};

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// Until then, whatever comes.
    Until(Instant),
    /// This long for each further byte.
    Stall(Duration),
}

/// What a request and its connection know of each other.
#[derive(Debug)]
pub struct Wire(Mutex<State>);

#[derive(Debug)]
struct State {
    limit: Limit,
    phase: &'static str,
    /// Was a new connection made for this request?
    connected: bool,
    /// Has any byte of an answer come?
    received: bool,
    /// The first thing that went wrong.
    fault: Option<FetchError>,
    /// TLS ended without its own end mark: somebody may have cut it.
    torn: bool,
}

const LOOKUP: &str = "looking up the name";
const CONNECT: &str = "connecting";
#[cfg(feature = "https")]
const HANDSHAKE: &str = "TLS handshake";
const ANSWER: &str = "waiting for the answer";
const BODY: &str = "receiving the body";

impl Wire {
    pub fn new() -> Wire {
        Wire(Mutex::new(State {
            limit: Limit::Stall(Duration::ZERO),
            phase: ANSWER,
            connected: false,
            received: false,
            fault: None,
            torn: false,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request begins.
    pub fn begin(&self, limit: Limit) {
        *self.state() = State { limit, phase: ANSWER, connected: false, received: false, fault: None, torn: false };
    }

    /// The body begins. With a `stall`, that is its limit from now on.
    pub fn body(&self, stall: Option<Duration>) {
        let mut state = self.state();
        state.phase = BODY;
        if let Some(stall) = stall {
            state.limit = Limit::Stall(stall);
        }
    }

    /// Did the request go out over a connection that had waited, and nothing came back?
    pub fn was_stale(&self) -> bool {
        let state = self.state();
        !state.connected && !state.received
    }

    /// What went wrong in a body that seems to have ended well after `got` bytes.
    pub fn broke(&self, got: u64) -> Option<FetchError> {
        let mut state = self.state();
        if state.torn {
            Some(FetchError::Truncated { got })
        } else {
            state.fault.take()
        }
    }

    /// An error of `ureq`'s in our words. `got`: bytes of the body so far, `None` while there is no head. Nothing that
    /// the upstream sent is quoted.
    pub fn explain(&self, error: Error, got: Option<u64>) -> FetchError {
        let mut state = self.state();
        if let Some(fault) = state.fault.take() {
            return fault;
        }
        let ended = |received| match (got, received) {
            (Some(got), _) => FetchError::Truncated { got },
            (None, true) => FetchError::Broken("it was closed within the head of the answer".into()),
            (None, false) => FetchError::Broken("it was closed without an answer".into()),
        };
        match error {
            _ if state.torn => ended(state.received),
            Error::Io(e) if e.kind() == io::ErrorKind::UnexpectedEof => ended(state.received),
            Error::Io(e) => broken(&e),
            Error::Timeout(_) => FetchError::Timeout(state.phase),
            Error::LargeResponseHeader(..) => head_too_large(),
            Error::Protocol(_) if got.is_some() => FetchError::Protocol("its chunks are malformed".into()),
            Error::Protocol(_) => FetchError::Protocol("its head is not one of HTTP/1".into()),
            Error::BadUri(_) | Error::Http(_) => FetchError::Protocol("the URL cannot be asked for".into()),
            _ => FetchError::Protocol("it cannot be read".into()),
        }
    }

    fn phase(&self, phase: &'static str) {
        self.state().phase = phase;
    }

    /// Notes the fault, and makes an error of `ureq`'s that ends the call.
    fn fail(&self, fault: FetchError) -> Error {
        let mut state = self.state();
        state.fault.get_or_insert(fault);
        Error::ConnectionFailed
    }

    /// Time for the next step, or the error that there is none.
    fn left(&self) -> io::Result<Duration> {
        let left = match self.state().limit {
            Limit::Until(at) => at.saturating_duration_since(Instant::now()),
            Limit::Stall(time) => time,
        };
        // a socket takes no zero, and kernels round down to their ticks
        if left.is_zero() {
            Err(io::ErrorKind::TimedOut.into())
        } else {
            Ok(left.max(Duration::from_millis(1)))
        }
    }

    /// A failed read or write.
    fn io_fault(&self, error: io::Error) -> Error {
        let phase = self.state().phase;
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => self.fail(FetchError::Timeout(phase)),
            io::ErrorKind::UnexpectedEof => {
                self.state().torn = true;
                Error::Io(error)
            }
            #[cfg(feature = "https")]
            io::ErrorKind::InvalidData => self.fail(FetchError::Tls("the connection is damaged".into())),
            _ => self.fail(broken(&error)),
        }
    }
}

fn broken(error: &io::Error) -> FetchError {
    FetchError::Broken(match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
            "the other side reset it".into()
        }
        _ => error.to_string(),
    })
}

fn head_too_large() -> FetchError {
    FetchError::Protocol(format!("its head is larger than {} bytes", crate::bounds::UPSTREAM_HEAD))
}

/// Host without the brackets of IPv6, and port.
fn host_port(uri: &Uri) -> (String, u16) {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_string();
    (host, uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 }))
}

/// Lookups under way, also those that were left behind.
static LOOKUPS: AtomicUsize = AtomicUsize::new(0);
/// How many there may be: a fetch each, and as many left behind by a dead DNS server.
const MOST_LOOKUPS: usize = 2 * crate::bounds::FETCHES;
const LOOKUP_STACK: usize = 256 * 1024;

/// Looks names up.
#[derive(Debug)]
pub struct Lookup(pub Arc<Wire>);

impl Resolver for Lookup {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let (host, port) = host_port(uri);
        let mut out = self.empty();
        if let Ok(ip) = host.parse::<IpAddr>() {
            out.push(SocketAddr::new(ip, port));
            return Ok(out);
        }
        self.0.phase(LOOKUP);
        let left = self.0.left().map_err(|e| self.0.io_fault(e))?;
        // the C library's lookup takes its own time (30 s with a dead server): a thread that may be left behind
        if LOOKUPS.fetch_add(1, Ordering::Relaxed) >= MOST_LOOKUPS {
            LOOKUPS.fetch_sub(1, Ordering::Relaxed);
            return Err(self
                .0
                .fail(FetchError::Connect(format!("earlier lookups of {host} are still unanswered (DNS)"))));
        }
        let (tx, rx) = mpsc::sync_channel(1);
        let name = host.clone();
        let spawned = std::thread::Builder::new().name("lookup".into()).stack_size(LOOKUP_STACK).spawn(move || {
            let found = (name.as_str(), port).to_socket_addrs();
            LOOKUPS.fetch_sub(1, Ordering::Relaxed);
            let _ = tx.send(found);
        });
        if spawned.is_err() {
            LOOKUPS.fetch_sub(1, Ordering::Relaxed);
            return Err(self.0.fail(FetchError::Connect("no thread for looking up the name".into())));
        }
        let found = rx.recv_timeout(left).map_err(|_| self.0.fail(FetchError::Timeout(LOOKUP)))?;
        // `empty` has room for 16
        for address in found.into_iter().flatten().take(16) {
            out.push(address);
        }
        if out.is_empty() {
            return Err(self.0.fail(FetchError::Connect(format!("the name {host} has no address (DNS)"))));
        }
        self.0.phase(ANSWER);
        Ok(out)
    }
}

/// Makes connections.
pub struct Dial {
    pub wire: Arc<Wire>,
    #[cfg(feature = "https")]
    pub tls: Arc<Tls>,
}

impl fmt::Debug for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dial")
    }
}

impl Connector for Dial {
    type Out = Line;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Line>, Error> {
        let (host, port) = host_port(details.uri);
        self.wire.state().connected = true;
        self.wire.phase(CONNECT);
        let socket = self.dial(&details.addrs, &host, port)?;
        let timed = Timed { socket, wire: self.wire.clone() };
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        let stream = if details.needs_tls() { self.secure(timed, host)? } else { Stream::Plain(timed) };
        self.wire.phase(ANSWER);
        Ok(Some(Line { stream, buffers, wire: self.wire.clone() }))
    }
}

impl Dial {
    /// The first address that answers; those still to be tried share the time.
    fn dial(&self, addresses: &[SocketAddr], host: &str, port: u16) -> Result<TcpStream, Error> {
        let mut error = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for (i, address) in addresses.iter().enumerate() {
            let share = u32::try_from(addresses.len() - i).unwrap_or(1).max(1);
            let left = self.wire.left().map_err(|e| self.wire.io_fault(e))? / share;
            match TcpStream::connect_timeout(address, left.max(Duration::from_millis(1))) {
                Ok(socket) => {
                    // requests are one write; without this the last part of a long one waits for an ACK
                    let _ = socket.set_nodelay(true);
                    return Ok(socket);
                }
                Err(e) => error = e,
            }
        }
        Err(match error.kind() {
            io::ErrorKind::TimedOut => self.wire.fail(FetchError::Timeout(CONNECT)),
            io::ErrorKind::ConnectionRefused => {
                self.wire.fail(FetchError::Connect(format!("{host} refused the connection at port {port}")))
            }
            _ => self.wire.fail(FetchError::Connect(format!("{host} at port {port}: {error}"))),
        })
    }

    #[cfg(feature = "https")]
    fn secure(&self, timed: Timed, host: String) -> Result<Stream, Error> {
        self.wire.phase(HANDSHAKE);
        match self.tls.handshake(timed, &host) {
            Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
            Err(tls::Failed::Io(e)) => Err(match e.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => self.wire.io_fault(e),
                _ => self.wire.fail(FetchError::Tls(format!("{host} closed the connection during the handshake"))),
            }),
            Err(tls::Failed::Tls(why)) => Err(self.wire.fail(FetchError::Tls(why))),
        }
    }

    #[cfg(not(feature = "https"))]
    fn secure(&self, _: Timed, _: String) -> Result<Stream, Error> {
        Err(self.wire.fail(FetchError::Tls("this build of phoneprov has no https: set an http:// upstream".into())))
    }
}

/// A socket whose every read and write ends within the limit.
pub struct Timed {
    socket: TcpStream,
    wire: Arc<Wire>,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.socket.set_read_timeout(Some(self.wire.left()?))?;
            match self.socket.read(buffer) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            self.socket.set_write_timeout(Some(self.wire.left()?))?;
            match self.socket.write(bytes) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Stream {
    Plain(Timed),
    #[cfg(feature = "https")]
    Tls(Box<tls::Stream>),
}

/// One connection.
pub struct Line {
    stream: Stream,
    buffers: LazyBuffers,
    wire: Arc<Wire>,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line")
    }
}

impl Transport for Line {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        let bytes = self.buffers.output().get(..amount).unwrap_or_default();
        let result = match &mut self.stream {
            Stream::Plain(timed) => timed.write_all(bytes),
            #[cfg(feature = "https")]
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        };
        result.map_err(|e| self.wire.io_fault(e))
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        let room = self.buffers.input_append_buf();
        if room.is_empty() {
            // only a head that is not complete yet keeps its bytes here
            return Err(self.wire.fail(head_too_large()));
        }
        let result = match &mut self.stream {
            Stream::Plain(timed) => timed.read(room),
            #[cfg(feature = "https")]
            Stream::Tls(stream) => stream.read(room),
        };
        let n = result.map_err(|e| self.wire.io_fault(e))?;
        self.buffers.input_appended(n);
        if n > 0 {
            self.wire.state().received = true;
        }
        Ok(n > 0)
    }

    /// Is a waiting connection still good? Anything to read means no: its end, or bytes that nobody asked for.
    fn is_open(&mut self) -> bool {
        let socket = match &self.stream {
            Stream::Plain(timed) => &timed.socket,
            #[cfg(feature = "https")]
            Stream::Tls(stream) => &stream.sock.socket,
        };
        if socket.set_nonblocking(true).is_err() {
            return false;
        }
        let quiet = matches!(socket.peek(&mut [0]), Err(e) if e.kind() == io::ErrorKind::WouldBlock);
        socket.set_nonblocking(false).is_ok() && quiet
    }

    fn is_tls(&self) -> bool {
        #[cfg(feature = "https")]
        return matches!(self.stream, Stream::Tls(_));
        #[cfg(not(feature = "https"))]
        false
    }
}
