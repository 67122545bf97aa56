//! A small HTTP client for tests: it hides nothing, measures time, and says how an answer ended.

use crate::bodies::Body;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Body,
    /// From before the connect to the last byte.
    pub elapsed: Duration,
    /// All bytes that Content-Length promised; never true without a Content-Length.
    pub whole: bool,
}

impl Answer {
    /// First header of that name, any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// `X-Phoneprov` as (outcome, reason, age): `("last-good", Some("down"), Some(12))`.
    pub fn x_phoneprov(&self) -> (String, Option<String>, Option<u64>) {
        let value = self.header("X-Phoneprov").unwrap_or("");
        let mut parts = value.split(';').map(str::trim);
        let outcome = parts.next().unwrap_or("").to_string();
        let (mut reason, mut age) = (None, None);
        for part in parts {
            match part.split_once('=') {
                Some(("reason", r)) => reason = Some(r.to_string()),
                Some(("age", a)) => age = a.parse().ok(),
                _ => {}
            }
        }
        (outcome, reason, age)
    }

    /// The body as text, for messages.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One GET on a connection of its own.
pub fn get(server: SocketAddr, target: &str, headers: &[(&str, &str)], timeout: Duration) -> io::Result<Answer> {
    let mut head = format!("GET {target} HTTP/1.1\r\nHost: {server}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("Connection: close\r\n\r\n");
    request(server, head.as_bytes(), timeout)
}

/// Any bytes on a connection of their own, and the answer to them.
pub fn request(server: SocketAddr, bytes: &[u8], timeout: Duration) -> io::Result<Answer> {
    let begin = Instant::now();
    let mut stream = TcpStream::connect_timeout(&server, timeout)?;
    stream.set_nodelay(true)?;
    stream.write_all(bytes)?;
    read_answer(&mut stream, begin, timeout)
}

/// Reads one answer; the connection may stay open when it has a Content-Length.
pub fn read_answer(stream: &mut TcpStream, begin: Instant, timeout: Duration) -> io::Result<Answer> {
    let mut got = Vec::new();
    let mut piece = [0u8; 16 * 1024];
    loop {
        let head_end = got.windows(4).position(|w| w == b"\r\n\r\n");
        if let Some(end) = head_end {
            let mut answer = parse_head(&got[..end])?;
            let length = answer.header("Content-Length").and_then(|v| v.parse::<usize>().ok());
            if length.is_some_and(|n| got.len() >= end + 4 + n) {
                answer.body = Body(got[end + 4..end + 4 + length.unwrap_or(0)].to_vec());
                answer.whole = true;
                answer.elapsed = begin.elapsed();
                return Ok(answer);
            }
        }
        let left = timeout.checked_sub(begin.elapsed()).filter(|d| !d.is_zero());
        let Some(left) = left else {
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {timeout:?}")));
        };
        stream.set_read_timeout(Some(left))?;
        let n = match stream.read(&mut piece) {
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => continue,
            Err(e) => return Err(e),
        };
        if n == 0 {
            let Some(end) = head_end else {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("closed after {} bytes", got.len())));
            };
            let mut answer = parse_head(&got[..end])?;
            answer.body = Body(got[end + 4..].to_vec());
            answer.elapsed = begin.elapsed();
            return Ok(answer);
        }
        got.extend_from_slice(&piece[..n]);
    }
}

fn parse_head(head: &[u8]) -> io::Result<Answer> {
    let bad =
        |why: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{why}: {}", String::from_utf8_lossy(head)));
    let text = std::str::from_utf8(head).map_err(|_| bad("head is not text"))?;
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(|l| l.strip_prefix("HTTP/1."))
        .and_then(|l| l.get(2..5))
        .and_then(|s| s.parse().ok())
        .ok_or_else(|| bad("no status line"))?;
    let mut headers = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(|| bad("no colon"))?;
        headers.push((name.to_string(), value.trim().to_string()));
    }
    Ok(Answer { status, headers, body: Body(Vec::new()), elapsed: Duration::ZERO, whole: false })
}
