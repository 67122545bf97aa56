//! One shared file in RAM: a fetch thread pushes its bytes in, any number of connections read them out, each at its
//! own pace, while they arrive.

use crate::net::mailbox::Post;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const CHUNK: usize = 64 * 1024;
/// How far a transfer that is not kept may run ahead of its slowest reader.
const WINDOW: u64 = 1024 * 1024;
/// How long the slowest reader of a transfer that is not kept may hold up those who have read everything. Then it goes
/// on without him: a slow client never keeps another waiting.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a transfer that is not kept waits for a reader.
const NO_READER: Duration = Duration::from_secs(15);

/// A shared file.
pub(crate) struct Stream {
    inner: Mutex<Inner>,
    room: Condvar,
    post: Post,
}

struct Inner {
    /// All full but the last.
    chunks: VecDeque<Vec<u8>>,
    /// Offset of the first chunk: 0 while everything is kept.
    base: u64,
    /// Offset behind the last byte.
    end: u64,
    total: Option<u64>,
    keep: bool,
    state: State,
    readers: HashMap<u32, u64>,
    next_reader: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Whole,
    Failed,
}

/// What a reader gets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// So many bytes were copied.
    Bytes(usize),
    /// Not there yet: the loop is woken when more comes.
    Later,
    /// It will never come.
    Failed,
}

impl Stream {
    pub(crate) fn new(post: Post) -> Arc<Stream> {
        let inner = Inner {
            chunks: VecDeque::new(),
            base: 0,
            end: 0,
            total: None,
            keep: true,
            state: State::Open,
            readers: HashMap::new(),
            next_reader: 0,
        };
        Arc::new(Stream { inner: Mutex::new(inner), room: Condvar::new(), post })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The length is known; `keep`: it stays whole in RAM.
    pub(crate) fn begin(&self, total: Option<u64>, keep: bool) {
        let mut inner = self.lock();
        inner.total = total;
        inner.keep = keep;
    }

    /// Appends. Waits where nothing is kept and the slowest reader is far behind; false where nobody reads at all.
    pub(crate) fn push(&self, mut bytes: &[u8]) -> bool {
        let mut inner = self.lock();
        let begin = Instant::now();
        while !inner.keep && inner.state == State::Open && inner.ahead() >= WINDOW {
            let waited = begin.elapsed();
            if inner.readers.is_empty() && waited >= NO_READER {
                return false;
            }
            if waited >= PATIENCE {
                inner.leave_behind();
            }
            inner = self.room.wait_timeout(inner, Duration::from_secs(1)).unwrap_or_else(PoisonError::into_inner).0;
        }
        if inner.state != State::Open {
            return false;
        }
        inner.end += bytes.len() as u64;
        while !bytes.is_empty() {
            match inner.chunks.back_mut().filter(|c| c.len() < CHUNK) {
                Some(last) => {
                    let (now, rest) = bytes.split_at(bytes.len().min(CHUNK - last.len()));
                    last.extend_from_slice(now);
                    bytes = rest;
                }
                None => inner.chunks.push_back(Vec::with_capacity(CHUNK)),
            }
        }
        let anybody = !inner.readers.is_empty();
        drop(inner);
        if anybody {
            self.post.send(crate::net::mailbox::Letter::StreamGrew);
        }
        true
    }

    /// Nobody will ask for it any more: it is kept only as far as those who read it need it.
    pub(crate) fn release(&self) {
        let mut inner = self.lock();
        inner.keep = false;
        inner.trim();
    }

    /// Ends it at once, for its readers too: their connections are closed.
    pub(crate) fn fail(&self) {
        let mut inner = self.lock();
        inner.state = State::Failed;
        inner.base = inner.end;
        inner.chunks.clear();
        drop(inner);
        self.room.notify_one();
        self.post.send(crate::net::mailbox::Letter::StreamGrew);
    }

    /// Bytes in RAM.
    pub(crate) fn held(&self) -> u64 {
        let inner = self.lock();
        inner.end - inner.base
    }

    /// No more bytes: the file is whole, or it never will be. Returns the bytes that are kept.
    pub(crate) fn end(&self, whole: bool) -> u64 {
        let mut inner = self.lock();
        let whole = whole && inner.state == State::Open;
        inner.state = if whole { State::Whole } else { State::Failed };
        if whole {
            inner.total = Some(inner.end);
        }
        if let Some(last) = inner.chunks.back_mut() {
            last.shrink_to_fit();
        }
        let kept = if whole && inner.keep { inner.end } else { 0 };
        drop(inner);
        self.post.send(crate::net::mailbox::Letter::StreamGrew);
        kept
    }

    /// The length, once it is known.
    pub(crate) fn total(&self) -> Option<u64> {
        self.lock().total
    }

    /// A reader that wants the bytes from `offset` on; `None` where they are gone already, or will never come.
    pub(crate) fn join(self: &Arc<Stream>, offset: u64) -> Option<Reader> {
        let mut inner = self.lock();
        if offset < inner.base || inner.state == State::Failed {
            return None;
        }
        inner.next_reader = inner.next_reader.wrapping_add(1);
        let id = inner.next_reader;
        inner.readers.insert(id, offset);
        Some(Reader { stream: self.clone(), id })
    }
}

impl Inner {
    fn ahead(&self) -> u64 {
        let slowest = self.readers.values().min().copied().unwrap_or(self.base);
        self.end.saturating_sub(slowest.max(self.base))
    }

    /// Drops what every reader has, where nothing is kept. The last [`WINDOW`] bytes stay, so that all who were sent
    /// here by the head can still begin when the first has read it.
    fn trim(&mut self) {
        let slowest = self.readers.values().min().copied().unwrap_or(self.base);
        let until = slowest.min(self.end.saturating_sub(WINDOW));
        while !self.keep && self.chunks.len() > 1 && self.base + CHUNK as u64 <= until {
            self.chunks.pop_front();
            self.base += CHUNK as u64;
        }
    }
}

impl Inner {
    /// Where some have read everything, those at the other end of the window are given up.
    fn leave_behind(&mut self) {
        let (end, behind) = (self.end, self.end.saturating_sub(WINDOW));
        if self.readers.values().any(|at| *at >= end) {
            self.readers.retain(|_, at| *at > behind);
            self.trim();
        }
    }
}

/// One connection's place in a stream.
pub(crate) struct Reader {
    stream: Arc<Stream>,
    id: u32,
}

impl Reader {
    /// Copies what is there at `offset`, up to the size of `buffer`.
    pub(crate) fn read(&self, offset: u64, buffer: &mut [u8]) -> Read {
        let mut inner = self.stream.lock();
        match inner.readers.get_mut(&self.id) {
            Some(at) => *at = offset,
            None => return Read::Failed, // left behind
        }
        if offset < inner.base {
            return Read::Failed;
        }
        inner.trim();
        let mut copied = 0;
        while copied < buffer.len() {
            let at = offset + copied as u64;
            if at >= inner.end {
                break;
            }
            let from_base = at - inner.base;
            let index = (from_base / CHUNK as u64) as usize;
            let within = (from_base % CHUNK as u64) as usize;
            let Some(part) = inner.chunks.get(index).and_then(|c| c.get(within..)) else { break };
            let n = part.len().min(buffer.len() - copied);
            let Some(to) = buffer.get_mut(copied..copied + n) else { break };
            to.copy_from_slice(&part[..n]);
            copied += n;
        }
        let failed = inner.state == State::Failed;
        drop(inner);
        self.stream.room.notify_one();
        match copied {
            0 if failed => Read::Failed,
            0 => Read::Later,
            n => Read::Bytes(n),
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stream.lock().readers.remove(&self.id);
        self.stream.room.notify_one();
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::net::mailbox::Mailbox;

    fn pattern(n: usize) -> Vec<u8> {
        (0..n).map(|i| (i % 251) as u8).collect()
    }

    fn read_all(reader: &Reader, from: u64, to: u64) -> Vec<u8> {
        let mut out = vec![];
        let mut buffer = [0u8; 10_000];
        while from + (out.len() as u64) < to {
            match reader.read(from + out.len() as u64, &mut buffer) {
                Read::Bytes(n) => out.extend_from_slice(&buffer[..n]),
                Read::Later => std::thread::yield_now(),
                Read::Failed => break,
            }
        }
        out
    }

    #[test]
    fn readers_at_their_own_pace_get_the_same_bytes() {
        let mailbox = Mailbox::new().unwrap();
        let stream = Stream::new(mailbox.post());
        let data = pattern(300_000);
        stream.begin(Some(300_000), true);
        let readers: Vec<Reader> = (0..4).map(|_| stream.join(0).unwrap()).collect();
        let ranged = stream.join(70_000).unwrap();
        let pushed = data.clone();
        let writer = {
            let stream = stream.clone();
            std::thread::spawn(move || {
                pushed.chunks(7777).for_each(|c| assert!(stream.push(c)));
                stream.end(true)
            })
        };
        for r in &readers {
            assert!(read_all(r, 0, 300_000) == data);
        }
        assert!(read_all(&ranged, 70_000, 300_000) == data[70_000..]);
        assert_eq!(writer.join().unwrap(), 300_000);
        assert!(read_all(&stream.join(0).unwrap(), 0, 300_000) == data, "and later");
    }

    #[test]
    fn a_file_that_is_not_kept_passes_through_a_window() {
        let mailbox = Mailbox::new().unwrap();
        let stream = Stream::new(mailbox.post());
        let data = pattern(5 << 20);
        stream.begin(Some(5 << 20), false);
        let reader = stream.join(0).unwrap();
        let pushed = data.clone();
        let writer = {
            let stream = stream.clone();
            std::thread::spawn(move || {
                pushed.chunks(16_000).for_each(|c| assert!(stream.push(c)));
                stream.end(true)
            })
        };
        assert!(read_all(&reader, 0, 5 << 20) == data);
        assert_eq!(writer.join().unwrap(), 0, "nothing kept");
        assert!(stream.lock().chunks.len() <= 1 + (WINDOW as usize + 16_000) / CHUNK);
        assert!(stream.join(0).is_none(), "too late to begin");
    }

    #[test]
    fn a_failed_transfer_says_so_after_its_last_byte() {
        let mailbox = Mailbox::new().unwrap();
        let stream = Stream::new(mailbox.post());
        stream.begin(Some(100), true);
        let reader = stream.join(0).unwrap();
        stream.push(b"half");
        assert_eq!(stream.end(false), 0);
        let mut buffer = [0; 10];
        assert_eq!(reader.read(0, &mut buffer), Read::Bytes(4));
        assert_eq!(reader.read(4, &mut buffer), Read::Failed);
    }

    #[test]
    fn all_who_were_sent_here_by_the_head_can_begin() {
        let mailbox = Mailbox::new().unwrap();
        let stream = Stream::new(mailbox.post());
        stream.begin(Some(5 << 20), false);
        let first = stream.join(0).unwrap();
        assert!(stream.push(&pattern(700_000)));
        read_all(&first, 0, 700_000);
        assert!(stream.join(0).is_some());
    }

    #[test]
    fn a_slow_reader_is_left_behind_by_those_who_have_read_everything() {
        let mailbox = Mailbox::new().unwrap();
        let stream = Stream::new(mailbox.post());
        let data = pattern(3 << 20);
        stream.begin(Some(3 << 20), false);
        let (quick, slow) = (stream.join(0).unwrap(), stream.join(0).unwrap());
        let pushed = data.clone();
        let writer = {
            let stream = stream.clone();
            std::thread::spawn(move || {
                pushed.chunks(16_000).for_each(|c| assert!(stream.push(c)));
                stream.end(true)
            })
        };
        let begin = Instant::now();
        assert!(read_all(&quick, 0, 3 << 20) == data);
        assert!(begin.elapsed() < Duration::from_secs(10));
        writer.join().unwrap();
        assert_eq!(slow.read(0, &mut [0; 10]), Read::Failed);
    }

    #[test]
    fn what_is_kept_no_more_takes_the_ram_that_its_slowest_reader_needs_and_can_be_ended() {
        let mailbox = Mailbox::new().unwrap();
        let stream = Stream::new(mailbox.post());
        stream.begin(Some(4 << 20), true);
        let reader = stream.join(0).unwrap();
        assert!(stream.push(&pattern(4 << 20)));
        stream.end(true);
        read_all(&reader, 0, 3 << 20);
        assert_eq!(stream.held(), 4 << 20);
        stream.release();
        assert!(stream.held() <= WINDOW + 2 * CHUNK as u64, "{}", stream.held());
        stream.fail();
        assert_eq!(stream.held(), 0);
        assert_eq!(reader.read(3 << 20, &mut [0; 10]), Read::Failed);
        assert!(stream.join(4 << 20).is_none());
    }
}
