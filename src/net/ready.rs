//! Waiting for descriptors.
//!
//! With poll(2), whose time limit is a plain number. rustix has only ppoll(2), and gives it a 64-bit time where musl's on
//! 32-bit MIPS takes a 32-bit one: a big-endian router would not wait at all.

use nix::poll::{poll, PollFd, PollFlags, PollTimeout};
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// A descriptor, with whether to wait until it can be read, and until it can be written. That its other end hung up shows
/// in any case.
pub type Watched<'a> = (BorrowedFd<'a>, bool, bool);

/// Waits until one of these moves, or for so long, rounded up to a millisecond (at most 24 days). For each: has it moved?
/// None has where a signal came first.
pub fn wait(watched: &[Watched<'_>], limit: Duration) -> Vec<bool> {
    let flags = |read, write| {
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::POLLIN, read);
        flags.set(PollFlags::POLLOUT, write);
        flags
    };
    let mut fds: Vec<PollFd<'_>> =
        watched.iter().map(|(fd, read, write)| PollFd::new(*fd, flags(*read, *write))).collect();
    let milliseconds = limit.as_nanos().div_ceil(1_000_000);
    let limit = i32::try_from(milliseconds).ok().and_then(|ms| PollTimeout::try_from(ms).ok());
    match poll(&mut fds, limit.unwrap_or(PollTimeout::MAX)) {
        // none that is known, but some: look at it
        Ok(_) => fds.iter().map(|fd| fd.any().unwrap_or(true)).collect(),
        Err(_) => vec![false; watched.len()],
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::io::Write as _;
    use std::net::Shutdown;
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream;
    use std::sync::{Condvar, Mutex};
    use std::time::Instant;

    #[test]
    fn says_which_moved() {
        let (a, mut far_a) = UnixStream::pair().expect("a pair");
        let (b, far_b) = UnixStream::pair().expect("a pair");
        let look = |limit| wait(&[(a.as_fd(), true, false), (b.as_fd(), false, false)], limit);
        assert_eq!(look(Duration::ZERO), [false, false]);
        far_a.write_all(b"x").expect("written");
        assert_eq!(look(Duration::from_secs(100)), [true, false]);
        far_b.shutdown(Shutdown::Both).expect("hung up");
        assert_eq!(look(Duration::MAX), [true, true], "without wanting to read");
        assert_eq!(wait(&[(a.as_fd(), false, true)], Duration::from_secs(100)), [true]);
    }

    #[test]
    fn waits_at_least_as_long_and_sleeps_meanwhile() {
        let (a, _far) = UnixStream::pair().expect("a pair");
        for limit in [Duration::from_micros(100), Duration::from_millis(1100)] {
            let begin = Instant::now();
            assert_eq!(wait(&[(a.as_fd(), true, false)], limit), [false], "once, and not in many short ones");
            assert!(begin.elapsed() >= limit, "{:?} of {limit:?}", begin.elapsed());
        }
    }

    /// What channels and condition variables wait with. Given the wrong time (cross/futex.c), the kernel wakes them at once,
    /// or at the last whole second, and they would ask again and again.
    #[test]
    fn std_sleeps_while_it_waits() {
        let (lock, condition) = (Mutex::new(()), Condvar::new());
        for limit in [Duration::from_millis(700), Duration::from_millis(1100)] {
            let mut turns = 0;
            let guard = lock.lock().expect("not poisoned");
            let still = |(): &mut ()| {
                turns += 1;
                true
            };
            let (_guard, out) = condition.wait_timeout_while(guard, limit, still).expect("not poisoned");
            assert!(out.timed_out());
            assert!(turns < 10, "woken {turns} times in {limit:?}");
        }
    }
}
