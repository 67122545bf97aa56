//! The arguments on stdin: to their end, but neither more nor longer than a call can be.

use crate::bounds;
use crate::net::ready;
use std::io::{stdin, IsTerminal, Read};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// rpcd writes them at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// All that stands on stdin. Nothing where somebody sits at it.
pub(super) fn read() -> Result<Vec<u8>, String> {
    let input = stdin();
    if input.is_terminal() {
        return Ok(Vec::new());
    }
    let began = Instant::now();
    let mut bytes = Vec::new();
    let mut buffer = [0u8; 8192];
    let mut input = input.lock();
    loop {
        let left = PATIENCE.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Err("the arguments did not come to their end within 10 s".to_string());
        }
        // a file or a closed one is always ready
        if ready::wait(&[(input.as_fd(), true, false)], left) != [true] {
            continue;
        }
        match input.read(&mut buffer) {
            Ok(0) => return Ok(bytes),
            Ok(n) => bytes.extend_from_slice(buffer.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(format!("the arguments cannot be read: {e}")),
        }
        // what is too long is refused by who reads it
        if bytes.len() > bounds::RPCD_ARGS {
            return Ok(bytes);
        }
    }
}
