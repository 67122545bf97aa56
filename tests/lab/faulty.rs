//! An upstream that fails on purpose, in every way an upstream can fail after its port took the connection; and one
//! that does what a test's own function says.

use crate::bodies;
use crate::netns::Ns;
use socket2::SockRef;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// What a scripted upstream is asked.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// Path and query as they came.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub at: Instant,
}

impl Request {
    /// First header of that name, any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }
}

/// What a scripted upstream answers.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Bytes per second for the body, 0 for no limit.
    pub rate: usize,
}

impl Reply {
    /// This status with this body.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Reply {
        Reply { status, headers: Vec::new(), body: body.into(), rate: 0 }
    }

    /// One header more.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Reply {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Body at no more than so many bytes per second.
    pub fn rate(mut self, bytes_per_second: usize) -> Reply {
        self.rate = bytes_per_second;
        self
    }
}

/// The function of a scripted upstream.
pub type Script = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

/// Ways to fail. Those above the line are made by the network or by nginx ([`crate::upstream`]), the others here.
#[derive(Clone)]
pub enum Fault {
    /// Nobody listens.
    Refused,
    /// Packets are dropped, those of open connections too.
    Blackholed,
    /// The cable is out.
    LinkDown,
    /// HTTPS with a certificate of last year.
    ExpiredCert,
    /// HTTPS with a certificate for another name.
    WrongName,
    /// HTTPS with a certificate of a CA nobody knows.
    UnknownCa,
    // ----
    /// Takes connection and request, and says nothing.
    Silent,
    /// Connection reset after the first 1,000 bytes of a body.
    Rst,
    /// Content-Length for all, bytes for half.
    Truncated,
    /// Chunked, without its end.
    TruncatedChunked,
    /// This status with an HTML page.
    Status(u16),
    /// 200 with no body.
    EmptyOk,
    /// 200 with an HTML error page.
    HtmlOk,
    /// 200 with these bytes, such as another vendor's config.
    Bytes(Vec<u8>),
    /// A body that does not end.
    EndlessBody,
    /// A head that does not end.
    EndlessHeaders,
    /// Redirects to itself.
    RedirectLoop,
    /// Redirects to `http://other.example.test/…`, where a config waits that no phone should get.
    RedirectElsewhere,
    /// One byte each 100 ms.
    Drip,
    /// What the function says.
    Script(Script),
}

/// What is in configs that no phone may ever get: those of broken answers.
pub const POISON: &str = "POISONED-CONFIG";

/// The name of another origin in the lab, at the same address.
pub const OTHER: &str = "other.example.test";

/// A listening server in a namespace. It ends, with all its connections, when dropped.
pub struct Server {
    listener: TcpListener,
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
}

struct Shared {
    fault: Fault,
    stopped: AtomicBool,
    /// Weak: a reset needs the last descriptor of a connection to be the server's own.
    open: Mutex<Vec<Weak<TcpStream>>>,
    hits: Arc<Mutex<Vec<Request>>>,
    sent: AtomicU64,
}

impl Server {
    /// Listens on `addr` inside `ns`, notes requests in `hits`.
    pub fn start(ns: &Ns, addr: SocketAddr, fault: Fault, hits: Arc<Mutex<Vec<Request>>>) -> Server {
        let begin = Instant::now();
        let listener = loop {
            match ns.inside(|| TcpListener::bind(addr)) {
                Ok(l) => break l,
                Err(e) if begin.elapsed() > Duration::from_secs(5) => panic!("fault server on {addr}: {e}"),
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        };
        Server::on(listener, fault, hits)
    }

    /// On a socket that listens already.
    pub fn on(listener: TcpListener, fault: Fault, hits: Arc<Mutex<Vec<Request>>>) -> Server {
        let shared = Arc::new(Shared {
            fault,
            stopped: AtomicBool::new(false),
            open: Mutex::default(),
            hits,
            sent: AtomicU64::new(0),
        });
        let (accepting, mine) = (listener.try_clone().expect("a descriptor"), shared.clone());
        let thread = thread::spawn(move || {
            for stream in accepting.incoming() {
                if mine.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let stream = Arc::new(stream);
                let mut open = mine.open.lock().unwrap();
                open.retain(|s| s.strong_count() > 0);
                open.push(Arc::downgrade(&stream));
                drop(open);
                let shared = mine.clone();
                thread::spawn(move || {
                    let _ = serve(&shared, &stream);
                });
            }
        });
        Server { listener, shared, thread: Some(thread) }
    }

    /// Bytes of bodies that went out.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let _ = SockRef::from(&self.listener).shutdown(Shutdown::Both); // ends accept()
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        for stream in self.shared.open.lock().unwrap().drain(..) {
            if let Some(stream) = stream.upgrade() {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

fn serve(shared: &Shared, mut stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    stream.set_write_timeout(Some(Duration::from_secs(120)))?;
    stream.set_nodelay(true)?;
    let request = read_request(stream)?;
    shared.hits.lock().unwrap().push(request.clone());
    let poison = if request.target.contains("mitel") {
        bodies::mitel("000000000000", POISON, 12_000)
    } else {
        bodies::snom("000000000000", POISON, 12_000)
    };
    let head = |status: u16, more: &str| format!("HTTP/1.1 {status} Lab\r\nContent-Type: text/html\r\n{more}\r\n");
    let sized = |n: usize| format!("Content-Length: {n}\r\nConnection: close\r\n");
    let plain = |status: u16, body: &[u8]| [head(status, &sized(body.len())).as_bytes(), body].concat();
    const CHUNKED: &str = "Transfer-Encoding: chunked\r\nConnection: close\r\n";
    match &shared.fault {
        Fault::Refused
        | Fault::Blackholed
        | Fault::LinkDown
        | Fault::ExpiredCert
        | Fault::WrongName
        | Fault::UnknownCa => Ok(()),
        Fault::Silent => {
            let mut sink = [0u8; 512];
            while stream.read(&mut sink)? > 0 {}
            Ok(())
        }
        Fault::Rst => {
            stream.write_all(head(200, &sized(poison.len())).as_bytes())?;
            stream.write_all(&poison[..1000])?;
            thread::sleep(Duration::from_millis(50)); // let them arrive before the reset overtakes them
            SockRef::from(stream).set_linger(Some(Duration::ZERO)) // the close that follows is a reset
        }
        Fault::Truncated => {
            stream.write_all(head(200, &sized(poison.len())).as_bytes())?;
            stream.write_all(&poison[..poison.len() / 2])
        }
        Fault::TruncatedChunked => {
            stream.write_all(head(200, CHUNKED).as_bytes())?;
            stream.write_all(format!("{:x}\r\n", poison.len()).as_bytes())?;
            stream.write_all(&poison)?;
            stream.write_all(b"\r\n") // and no last chunk: whole by the look of it, and still not
        }
        Fault::Status(status) => stream.write_all(&plain(*status, &bodies::error_page())),
        Fault::EmptyOk => stream.write_all(&plain(200, b"")),
        Fault::HtmlOk => stream.write_all(&plain(200, &bodies::error_page())),
        Fault::Bytes(body) => stream.write_all(&plain(200, body)),
        Fault::EndlessBody => {
            stream.write_all(head(200, CHUNKED).as_bytes())?;
            let start = &poison[..poison.len() - 200]; // never comes to its end tag
            stream.write_all(format!("{:x}\r\n", start.len()).as_bytes())?;
            stream.write_all(start)?;
            let line = format!("\r\n{:x}\r\n{}", 4096, "a".repeat(4096));
            while !shared.stopped.load(Ordering::SeqCst) {
                stream.write_all(line.as_bytes())?;
            }
            Ok(())
        }
        Fault::EndlessHeaders => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
            let line = format!("X-Endless: {}\r\n", "a".repeat(1000));
            while !shared.stopped.load(Ordering::SeqCst) {
                stream.write_all(line.as_bytes())?;
            }
            Ok(())
        }
        Fault::RedirectLoop => {
            let more = format!("Location: {}\r\n{}", request.target, sized(0));
            stream.write_all(head(302, &more).as_bytes())
        }
        Fault::RedirectElsewhere => {
            if request.header("Host").is_some_and(|h| h.starts_with(OTHER)) {
                return stream.write_all(&plain(200, &poison));
            }
            let more = format!("Location: http://{OTHER}{}\r\n{}", request.target, sized(0));
            stream.write_all(head(302, &more).as_bytes())
        }
        Fault::Drip => {
            stream.write_all(head(200, &sized(poison.len())).as_bytes())?;
            for byte in poison.iter() {
                if shared.stopped.load(Ordering::SeqCst) {
                    break;
                }
                stream.write_all(&[*byte])?;
                thread::sleep(Duration::from_millis(100));
            }
            Ok(())
        }
        Fault::Script(script) => {
            let reply = script(&request);
            let mut more = String::new();
            for (name, value) in &reply.headers {
                more.push_str(&format!("{name}: {value}\r\n"));
            }
            let own_length = reply.headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("content-length"));
            more.push_str(if own_length { "Connection: close\r\n" } else { "" });
            if !own_length {
                more.push_str(&sized(reply.body.len()));
            }
            let head = format!("HTTP/1.1 {} Lab\r\n{more}\r\n", reply.status);
            stream.write_all(head.as_bytes())?;
            send(shared, stream, &reply)
        }
    }
}

fn send(shared: &Shared, mut stream: &TcpStream, reply: &Reply) -> io::Result<()> {
    let begin = Instant::now();
    let mut done = 0usize;
    let piece = if reply.rate == 0 { reply.body.len().max(1) } else { (reply.rate / 50).clamp(1, 64 * 1024) };
    for part in reply.body.chunks(piece) {
        stream.write_all(part)?;
        shared.sent.fetch_add(part.len() as u64, Ordering::SeqCst);
        done += part.len();
        if let Some(ms) = (done as u64 * 1000).checked_div(reply.rate as u64) {
            thread::sleep(Duration::from_millis(ms).saturating_sub(begin.elapsed()));
        }
    }
    Ok(())
}

fn read_request(mut stream: &TcpStream) -> io::Result<Request> {
    let mut got = Vec::new();
    let mut piece = [0u8; 4096];
    while !got.windows(4).any(|w| w == b"\r\n\r\n") {
        let n = stream.read(&mut piece)?;
        if n == 0 || got.len() > 256 * 1024 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        got.extend_from_slice(&piece[..n]);
    }
    let text = String::from_utf8_lossy(&got).into_owned();
    let mut lines = text.split("\r\n");
    let mut first = lines.next().unwrap_or("").split(' ');
    let (method, target) = (first.next().unwrap_or("").to_string(), first.next().unwrap_or("").to_string());
    let headers = lines.filter_map(|l| l.split_once(':')).map(|(n, v)| (n.to_string(), v.trim().to_string())).collect();
    Ok(Request { method, target, headers, at: Instant::now() })
}
