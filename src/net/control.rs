//! The control socket: one JSON line in, one JSON line out, then closed. Only root (and the agent's own user) can
//! open it: it is made under umask 077 in a folder of ours.

use super::ready;
use crate::bounds;
use crate::core::agent::ControlId;
use serde_json::Value;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a caller may take to send its request, or to read the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a request may be under way: a refresh is bounded by `upstream_timeout` and its second try.
const LONGEST: Duration = Duration::from_secs(300);

pub(crate) struct Control {
    path: PathBuf,
    listener: UnixListener,
    connections: Vec<Connection>,
    next: ControlId,
}

struct Connection {
    id: ControlId,
    stream: UnixStream,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    state: State,
    since: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    Waiting,
    Writing,
    Done,
}

impl Control {
    /// Listens. A socket left by an agent that was killed is replaced; one that still answers is not.
    pub(crate) fn open(path: &Path) -> io::Result<Control> {
        if UnixStream::connect(path).is_ok() {
            return Err(io::Error::new(ErrorKind::AddrInUse, "another agent is running on it"));
        }
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Control { path: path.to_path_buf(), listener, connections: Vec::new(), next: 0 })
    }

    /// What to poll: the listener, then each connection with whether it wants to read or to write.
    pub(crate) fn fds(&self) -> impl Iterator<Item = (BorrowedFd<'_>, bool, bool)> {
        let listen = (self.listener.as_fd(), self.connections.len() < bounds::CONTROL_CONNECTIONS, false);
        std::iter::once(listen).chain(
            self.connections.iter().map(|c| (c.stream.as_fd(), c.state == State::Reading, c.state == State::Writing)),
        )
    }

    /// Does what can be done without waiting. Returns the requests that came in, and those whose caller has left.
    pub(crate) fn turn(&mut self, now: Instant) -> (Vec<(ControlId, Value)>, Vec<ControlId>) {
        while self.connections.len() < bounds::CONTROL_CONNECTIONS {
            let Ok((stream, _)) = self.listener.accept() else { break };
            if stream.set_nonblocking(true).is_err() {
                continue;
            }
            self.next = self.next.wrapping_add(1);
            self.connections.push(Connection {
                id: self.next,
                stream,
                input: Vec::new(),
                output: Vec::new(),
                sent: 0,
                state: State::Reading,
                since: now,
            });
        }
        let mut requests = Vec::new();
        let mut left = Vec::new();
        for c in &mut self.connections {
            match c.state {
                State::Reading => {
                    if let Some(request) = c.read() {
                        c.since = now;
                        requests.push((c.id, request));
                    }
                }
                State::Writing => c.write(now),
                // polled for nothing, a caller who has left would wake the loop again and again
                State::Waiting if c.has_left() => {
                    left.push(c.id);
                    c.state = State::Done;
                }
                State::Waiting | State::Done => {}
            }
            let patience = if c.state == State::Waiting { LONGEST } else { PATIENCE };
            if now.saturating_duration_since(c.since) > patience {
                if c.state == State::Waiting {
                    left.push(c.id);
                }
                c.state = State::Done;
            }
        }
        self.connections.retain(|c| c.state != State::Done);
        (requests, left)
    }

    /// The answer to a request.
    pub(crate) fn answer(&mut self, id: ControlId, value: &Value, now: Instant) {
        if let Some(c) = self.connections.iter_mut().find(|c| c.id == id) {
            c.output = value.to_string().into_bytes();
            c.output.push(b'\n');
            c.state = State::Writing;
            c.since = now;
            c.write(now);
        }
        self.connections.retain(|c| c.state != State::Done);
    }
}

impl Connection {
    /// Reads what is there; the request, once it is whole.
    fn read(&mut self) -> Option<Value> {
        let mut buffer = [0u8; 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    self.state = State::Done;
                    return None;
                }
                Ok(n) => self.input.extend_from_slice(buffer.get(..n).unwrap_or_default()),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return None,
                Err(_) => {
                    self.state = State::Done;
                    return None;
                }
            }
            if let Some(line) = self.input.split(|b| *b == b'\n').next().filter(|l| l.len() < self.input.len()) {
                self.state = State::Waiting;
                // what is not JSON is answered like any unknown request
                return Some(serde_json::from_slice(line).unwrap_or(Value::Null));
            }
            if self.input.len() > bounds::CONTROL_REQUEST {
                self.state = State::Done;
                return None;
            }
        }
    }

    /// Has the caller closed its end? One that only said that it will send no more has not.
    fn has_left(&self) -> bool {
        ready::wait(&[(self.stream.as_fd(), false, false)], Duration::ZERO) == [true]
    }

    fn write(&mut self, now: Instant) {
        while let Some(rest) = self.output.get(self.sent..).filter(|r| !r.is_empty()) {
            match self.stream.write(rest) {
                Ok(n) => {
                    self.sent += n;
                    self.since = now;
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(_) => break,
            }
        }
        self.state = State::Done;
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn callers_and_their_requests_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let mut control = Control::open(&path).unwrap();
        let now = Instant::now();
        let callers: Vec<UnixStream> =
            (0..bounds::CONTROL_CONNECTIONS + 3).map(|_| UnixStream::connect(&path).unwrap()).collect();
        control.turn(now);
        assert_eq!(control.connections.len(), bounds::CONTROL_CONNECTIONS, "the others wait");
        drop(callers);
        (0..3).for_each(|_| _ = control.turn(now));
        assert_eq!(control.connections.len(), 0);
        let mut ask = |bytes: usize| {
            let mut caller = UnixStream::connect(&path).unwrap();
            let end = "{\"op\":\"x\"}\n";
            caller.write_all(format!("{}{end}", " ".repeat(bytes - end.len())).as_bytes()).unwrap();
            control.turn(now).0.len()
        };
        assert_eq!(ask(bounds::CONTROL_REQUEST), 1);
        assert_eq!(ask(bounds::CONTROL_REQUEST + 2048), 0, "closed without an answer");
    }

    #[test]
    fn a_caller_who_leaves_is_noticed_and_one_who_only_stops_sending_is_answered() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let mut control = Control::open(&path).unwrap();
        let ask = || {
            let mut caller = UnixStream::connect(&path).unwrap();
            caller.write_all(b"{\"op\":\"refresh\"}\n").unwrap();
            caller
        };
        let (gone, patient) = (ask(), ask());
        let now = Instant::now();
        let (requests, left) = control.turn(now);
        assert_eq!((requests.len(), left.len()), (2, 0));
        drop(gone);
        patient.shutdown(std::net::Shutdown::Write).unwrap();
        let (_, left) = control.turn(now);
        assert_eq!(left, [requests[0].0]);
        control.answer(requests[1].0, &Value::Bool(true), now);
        let mut text = String::new();
        let mut patient = patient;
        patient.read_to_string(&mut text).unwrap();
        assert_eq!(text, "true\n");
    }
}
