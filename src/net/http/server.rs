//! The listeners and all connections: takes new ones within the bounds, turns each, ends those whose patience is over.

use super::connection::{Connection, Outgoing, State, TakesBody};
use super::respond::{Bodies, Source};
use crate::bounds;
use crate::core::agent::{Asked, Device};
use crate::core::answer::{Answer, RequestId, StreamId};
use crate::net::panics::caught;
use crate::proto::http::{BodyKind, Method, Request};
use crate::store::StoreError;
use socket2::{Domain, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Connections that the kernel may hold for us: phones that came while all of ours are busy.
const BACKLOG: i32 = 512;
/// When all places are taken, a connection that has done nothing for so long gives its place to the next.
const SLOW: Duration = Duration::from_secs(2);
/// When all places are taken, and none by a slow one: a request that has waited so long for its answer gives its place
/// to the next. Longer than `fresh_wait` usually is.
const LONG_WAIT: Duration = Duration::from_secs(6);
/// After running out of descriptors: the pause before the next accept.
const NO_DESCRIPTOR: Duration = Duration::from_millis(200);

/// How many connections there may be.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// All together.
    pub(crate) connections: usize,
    /// Of one address.
    pub(crate) per_address: usize,
}

/// For the phones of a LAN.
pub(crate) const LAN: Limits = Limits { connections: bounds::HTTP_CONNECTIONS, per_address: bounds::HTTP_PER_ADDRESS };

pub(crate) struct Server {
    limits: Limits,
    listeners: Vec<Listener>,
    connections: Vec<Connection>,
    next: RequestId,
    scratch: Vec<u8>,
    /// No accept before then.
    pause_until: Option<Instant>,
    /// Requests whose client has left, or was sent away.
    left: Vec<RequestId>,
    panics: u32,
    takes: Option<TakesBody>,
}

struct Listener {
    device: usize,
    address: Ipv4Addr,
    socket: TcpListener,
}

/// Why a request must be decided again.
pub(crate) enum Unserved {
    /// What it was to get could not be read.
    Unreadable(StoreError),
    /// It came too late for the bytes of this shared file.
    Missed(StreamId),
}

impl Server {
    pub(crate) fn new(limits: Limits) -> Server {
        Server {
            limits,
            listeners: Vec::new(),
            connections: Vec::new(),
            next: 0,
            scratch: vec![0; 32 * 1024],
            pause_until: None,
            left: Vec::new(),
            panics: 0,
            takes: None,
        }
    }

    /// Bodies are taken of these requests; [`Server::body`] has them.
    #[cfg(feature = "provisioner")]
    pub(crate) fn take_bodies(&mut self, takes: TakesBody) {
        self.takes = Some(takes);
    }

    /// The body of a request that waits for its answer, where it was taken.
    #[cfg(feature = "provisioner")]
    pub(crate) fn body(&mut self, id: RequestId) -> Vec<u8> {
        let waits = |c: &&mut Connection| matches!(&c.state, State::Waiting(i, _) if *i == id);
        self.connections.iter_mut().find(waits).map(|c| std::mem::take(&mut c.body)).unwrap_or_default()
    }

    /// Listens on the addresses of the devices as they are now; what is listening already stays. Port 0 is any free
    /// one. Returns the port in use and a sentence for each address that cannot be had.
    pub(crate) fn listen(&mut self, devices: &[Device], port: u16) -> (u16, Vec<String>) {
        let wanted: Vec<(usize, Ipv4Addr)> = devices
            .iter()
            .enumerate()
            .flat_map(|(i, d)| d.addresses.iter().map(move |(address, _)| (i, *address)))
            .collect();
        self.listeners.retain(|l| wanted.contains(&(l.device, l.address)));
        let mut troubles = Vec::new();
        let mut port = port;
        for (device, address) in wanted {
            let at = self.listeners.iter().position(|l| (l.device, l.address) == (device, address));
            let known = at.and_then(|i| self.listeners.get(i)).and_then(|l| l.socket.local_addr().ok());
            match known {
                Some(local) if port == 0 || local.port() == port => {
                    port = local.port();
                    continue;
                }
                Some(_) => self.listeners.retain(|l| (l.device, l.address) != (device, address)),
                None => {}
            }
            match listen(address, port) {
                Ok(socket) => {
                    port = socket.local_addr().map_or(port, |a| a.port());
                    self.listeners.push(Listener { device, address, socket });
                }
                Err(e) => troubles.push(format!("cannot listen on {address} port {port}: {e}")),
            }
        }
        (port, troubles)
    }

    /// Drops all listeners: the port changed.
    pub(crate) fn close_listeners(&mut self) {
        self.listeners.clear();
    }

    /// What to poll: first the listeners, then the connections, with whether each wants to read or to write.
    pub(crate) fn fds(&self, now: Instant) -> Vec<(BorrowedFd<'_>, bool, bool)> {
        let accepting = self.pause_until.is_none_or(|until| until <= now)
            && (self.connections.len() < self.limits.connections || self.victim(now).is_some());
        let listeners = self.listeners.iter().map(|l| (l.socket.as_fd(), accepting, false));
        let connections = self.connections.iter().map(|c| (c.stream.as_fd(), c.wants_read(), c.wants_write()));
        listeners.chain(connections).collect()
    }

    /// When something has to be looked at even if no socket moves.
    pub(crate) fn poll_at(&self, now: Instant) -> Option<Instant> {
        let full = (self.connections.len() >= self.limits.connections).then(|| now + SLOW / 4);
        self.connections.iter().filter_map(Connection::deadline).chain(full).chain(self.pause_until).min()
    }

    /// Accepts, and ends what is overdue. `ready` says of each of [`Server::fds`] in its order whether it moved.
    /// Requests that have arrived are appended to `asked`. Returns those whose client has left.
    pub(crate) fn turn(&mut self, ready: &[bool], now: Instant, asked: &mut Vec<Asked>) -> Vec<RequestId> {
        let (of_listeners, of_connections) = ready.split_at(self.listeners.len().min(ready.len()));
        for (i, ready) in of_connections.iter().enumerate() {
            if !*ready {
                continue;
            }
            match self.connections.get_mut(i) {
                // nothing was polled for: the peer has hung up
                Some(c) if matches!(c.state, State::Waiting(..)) || c.is_starved() => {
                    if let State::Waiting(id, _) = &c.state {
                        self.left.push(*id);
                    }
                    c.state = State::Closed;
                }
                _ => self.turn_guarded(i, now, asked),
            }
        }
        for i in 0..self.connections.len() {
            if self.connections.get_mut(i).is_some_and(|c| std::mem::take(&mut c.look)) {
                self.next_request(i, now, asked);
            }
        }
        for c in &mut self.connections {
            if c.deadline().is_some_and(|at| at <= now) {
                c.state = State::Closed;
            }
        }
        self.connections.retain(|c| !matches!(c.state, State::Closed));
        if self.pause_until.is_some_and(|until| until <= now) {
            self.pause_until = None;
        }
        if of_listeners.contains(&true) {
            self.accept(now, asked);
        }
        std::mem::take(&mut self.left)
    }

    /// A mistake of ours in one connection ends that one.
    fn turn_guarded(&mut self, index: usize, now: Instant, asked: &mut Vec<Asked>) {
        if caught(|| self.turn_one(index, now, asked)).is_none() {
            self.panics += 1;
            if let Some(c) = self.connections.get_mut(index) {
                c.state = State::Closed;
            }
        }
    }

    /// Panics since this was last asked.
    pub(crate) fn take_panics(&mut self) -> u32 {
        std::mem::take(&mut self.panics)
    }

    fn turn_one(&mut self, index: usize, now: Instant, asked: &mut Vec<Asked>) {
        let Some(c) = self.connections.get_mut(index) else { return };
        match &c.state {
            State::Writing(_) => c.write(&mut self.scratch, now),
            State::Reading | State::Lingering => {
                if let Some(result) = c.read(self.takes.as_ref(), now) {
                    self.arrived(index, result, asked, now);
                }
                return;
            }
            State::Waiting(..) | State::Closed => {}
        }
        self.next_request(index, now, asked);
    }

    /// A request that was sent along with the one before.
    fn next_request(&mut self, index: usize, now: Instant, asked: &mut Vec<Asked>) {
        let Some(c) = self.connections.get_mut(index) else { return };
        let next = if matches!(c.state, State::Reading) { c.take_request(self.takes.as_ref()) } else { None };
        if let Some(result) = next {
            self.arrived(index, result, asked, now);
        }
    }

    fn arrived(
        &mut self,
        index: usize,
        result: Result<Request, crate::proto::http::HeadError>,
        asked: &mut Vec<Asked>,
        now: Instant,
    ) {
        self.next = self.next.wrapping_add(1);
        let Some(c) = self.connections.get_mut(index) else { return };
        match result {
            Ok(request) => {
                asked.push(Asked { id: self.next, device: c.device, from: c.peer, request: request.clone() });
                c.state = State::Waiting(self.next, Box::new(request));
            }
            Err(e) => {
                log::debug!("http: {}: {e}", c.peer.ip());
                let mut head = crate::proto::http::ResponseHead::new(e.status());
                head.header("Content-Type", "text/plain; charset=utf-8");
                let body = format!("phoneprov: {e}\n").into_bytes();
                let head = head.to_bytes(Some(body.len() as u64), false);
                c.respond(head, Outgoing::Bytes(body.into()), false, &mut self.scratch, now);
            }
        }
    }

    fn accept(&mut self, now: Instant, asked: &mut Vec<Asked>) {
        for i in 0..self.listeners.len() {
            loop {
                let full = self.connections.len() >= self.limits.connections;
                let victim = if full { self.victim(now) } else { None };
                if full && victim.is_none() {
                    return;
                }
                let Some(listener) = self.listeners.get(i) else { return };
                let device = listener.device;
                match listener.socket.accept() {
                    Ok((stream, SocketAddr::V4(peer))) => {
                        // not before there is somebody to take the place
                        if let Some(slow) = victim {
                            self.send_away(slow, now);
                        }
                        self.admit(stream, peer, device, now, asked);
                    }
                    Ok(_) => {}
                    Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                    // reset between connect and accept: that client's loss alone
                    Err(e) if matches!(e.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
                    Err(e) => {
                        log::warn!("http: cannot accept: {e}; trying again");
                        self.pause_until = Some(now + NO_DESCRIPTOR);
                        return;
                    }
                }
            }
        }
    }

    fn admit(&mut self, stream: TcpStream, peer: SocketAddrV4, device: usize, now: Instant, asked: &mut Vec<Asked>) {
        // one that has had its last answer is only waiting for the client to hang up
        let open = |c: &&Connection| c.peer.ip() == peer.ip() && !matches!(c.state, State::Lingering);
        let same = self.connections.iter().filter(open).count();
        if stream.set_nonblocking(true).is_err() {
            return;
        }
        let _ = stream.set_nodelay(true);
        let mut c = Connection::new(stream, peer, device, now);
        if same >= self.limits.per_address {
            log::debug!("http: {}: more than {} connections", peer.ip(), self.limits.per_address);
            let head =
                b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    .to_vec();
            c.respond(head, Outgoing::None, false, &mut self.scratch, now);
            return;
        }
        self.connections.push(c);
        // the request is mostly there already: saves one round through poll
        self.turn_guarded(self.connections.len() - 1, now, asked);
    }

    /// Ends a connection for another's sake.
    fn send_away(&mut self, index: usize, now: Instant) {
        let mut c = self.connections.swap_remove(index);
        if let State::Waiting(id, _) = &c.state {
            self.left.push(*id);
            let head = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            c.respond(head.to_vec(), Outgoing::None, false, &mut self.scratch, now);
        }
    }

    /// The connection that has the least claim to its place: idle ones first, then whoever has kept us waiting
    /// longest; last those that wait for us longer than anybody does who has a last good. When the upstream says nothing,
    /// phones without a config must not keep those out that have one.
    fn victim(&self, now: Instant) -> Option<usize> {
        self.connections
            .iter()
            .enumerate()
            .filter(|(_, c)| match c.state {
                State::Waiting(..) => now.saturating_duration_since(c.since) > LONG_WAIT,
                State::Closed | State::Lingering => true,
                _ => !c.is_starved() && (c.is_idle() || now.saturating_duration_since(c.since) > SLOW),
            })
            .min_by_key(|(_, c)| (matches!(c.state, State::Waiting(..)), !c.is_idle(), c.since))
            .map(|(i, _)| i)
    }

    /// More bytes of shared files have come.
    pub(crate) fn feed(&mut self, now: Instant) {
        for c in &mut self.connections {
            c.feed(&mut self.scratch, now);
        }
    }

    /// Answers a request with a head and a body that its owner has made.
    #[cfg(feature = "provisioner")]
    pub(crate) fn reply(
        &mut self,
        id: RequestId,
        head: &crate::proto::http::ResponseHead,
        body: Outgoing,
        now: Instant,
        asked: &mut Vec<Asked>,
    ) {
        let waits = |c: &Connection| matches!(&c.state, State::Waiting(i, _) if *i == id);
        let Some(index) = self.connections.iter().position(waits) else { return };
        let Some(c) = self.connections.get_mut(index) else { return };
        let State::Waiting(_, request) = &c.state else { return };
        let keep_alive = request.keep_alive && request.body == BodyKind::None;
        let length = match &body {
            Outgoing::None => None,
            Outgoing::Bytes(bytes) => Some(bytes.len() as u64),
            Outgoing::Stream(_, _, length) | Outgoing::File(_, _, length) => Some(*length),
        };
        let head = head.to_bytes(length, keep_alive);
        let body = if request.method == Method::Head { Outgoing::None } else { body };
        c.respond(head, body, keep_alive, &mut self.scratch, now);
        self.next_request(index, now, asked);
    }

    /// Answers a request. The error has the request back, and why: decide again.
    pub(crate) fn answer(
        &mut self,
        id: RequestId,
        answer: &Answer,
        bodies: &mut Bodies,
        source: &Source<'_>,
        now: Instant,
        asked: &mut Vec<Asked>,
    ) -> Result<(), Box<(Asked, Unserved)>> {
        let waits = |c: &Connection| matches!(&c.state, State::Waiting(i, _) if *i == id);
        let Some(index) = self.connections.iter().position(waits) else { return Ok(()) };
        let Some(c) = self.connections.get_mut(index) else { return Ok(()) };
        let State::Waiting(_, request) = &c.state else { return Ok(()) };
        let keep_alive = request.keep_alive && request.body == BodyKind::None && answer.status != 405;
        let local = c.stream.local_addr().map_or(Ipv4Addr::LOCALHOST, |a| match a {
            SocketAddr::V4(a) => *a.ip(),
            SocketAddr::V6(_) => Ipv4Addr::LOCALHOST,
        });
        let request = Request { keep_alive, ..(**request).clone() };
        match bodies.response(answer, &request, local, source) {
            Ok((head, body)) => {
                let body = if request.method == Method::Head { Outgoing::None } else { body };
                c.respond(head, body, keep_alive, &mut self.scratch, now);
                self.next_request(index, now, asked);
                Ok(())
            }
            Err(e) => Err(Box::new((Asked { id, device: c.device, from: c.peer, request }, e))),
        }
    }
}

fn listen(address: Ipv4Addr, port: u16) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    // after a restart the port is ours at once, whatever old connections linger on it
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((address, port)).into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

#[cfg(test)]
#[path = "server_test.rs"]
mod test;
