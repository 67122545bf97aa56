//! How the threads report to the loop: a channel, and an eventfd that ends its poll.

use crate::core::agent::ControlId;
use crate::core::outcome::Outcome;
use crate::core::types::{FetchError, FetchHead, ResourceKey, Sha256};
use rustix::event::{eventfd, EventfdFlags};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::Arc;

/// The number it is stored under, and what was removed to make room.
pub(crate) type StoreResult = Result<(u32, Vec<(ResourceKey, u32)>), String>;

/// What a thread has to say.
pub(crate) enum Letter {
    /// A config was fetched and judged.
    Config { id: u64, outcome: Outcome },
    /// The head of a shared file came.
    StreamHead { id: u64, head: FetchHead },
    /// A shared file is over: its head and the bytes that are kept.
    StreamDone { id: u64, result: Result<(FetchHead, u64), FetchError> },
    /// More bytes of some shared file are there.
    StreamGrew,
    /// A generation was written under a number (and some were removed), or not; then bytes on flash, and bytes
    /// written since the start.
    Stored { key: ResourceKey, number: u32, result: StoreResult, bytes: u64, written: u64 },
    /// What keeps DHCP from working on this router, a sentence each.
    DhcpChecked(Vec<String>),
    /// A held config was written, or not.
    Candidate { key: ResourceKey, sha256: Sha256, result: Result<(), String> },
    /// Bytes on flash, and bytes written since the start, after anything else was written or removed.
    Usage { bytes: u64, written: u64 },
    /// All that was to be written before this answer is on flash.
    Control(ControlId, serde_json::Value),
    /// Something else the disk thread could not do.
    DiskTrouble(String),
}

/// The threads' side.
#[derive(Clone)]
pub(crate) struct Post {
    sender: Sender<Letter>,
    wake: Waker,
}

/// Ends the loop's poll from any thread.
#[derive(Clone)]
pub(crate) struct Waker(Arc<OwnedFd>);

impl Waker {
    pub(crate) fn new() -> io::Result<Waker> {
        Ok(Waker(Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?)))
    }

    /// To poll for reading.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Before what it woke for is taken, so none is lost.
    pub(crate) fn clear(&self) {
        let _ = rustix::io::read(self.fd(), &mut [0u8; 8]);
    }

    pub(crate) fn wake(&self) {
        // a full counter (EAGAIN) means that the loop will wake anyway
        let _ = rustix::io::write(&*self.0, &1u64.to_ne_bytes());
    }
}

impl Post {
    pub(crate) fn send(&self, letter: Letter) {
        // the loop may be gone already, at the end of the program
        let _ = self.sender.send(letter);
        self.wake.wake();
    }
}

/// The loop's side.
pub(crate) struct Mailbox {
    receiver: Receiver<Letter>,
    post: Post,
}

impl Mailbox {
    pub(crate) fn new() -> io::Result<Mailbox> {
        let wake = Waker::new()?;
        let (sender, receiver) = channel();
        Ok(Mailbox { receiver, post: Post { sender, wake } })
    }

    pub(crate) fn post(&self) -> Post {
        self.post.clone()
    }

    pub(crate) fn waker(&self) -> Waker {
        self.post.wake.clone()
    }

    /// To poll for reading.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.post.wake.fd()
    }

    /// Everything that has come.
    pub(crate) fn take(&self) -> Vec<Letter> {
        self.post.wake.clear();
        self.receiver.try_iter().collect()
    }
}
