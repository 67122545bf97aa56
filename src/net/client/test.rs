//! Against stand-ins on loopback, one for each way an upstream can behave.

use super::*;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Collects an answer.
#[derive(Default)]
pub(super) struct Got {
    pub heads: Vec<FetchHead>,
    pub body: Vec<u8>,
    /// Stop once the body is longer.
    pub stop_after: Option<usize>,
    pub refuse_head: bool,
    pub largest: usize,
}

impl Sink for Got {
    fn head(&mut self, head: &FetchHead) -> bool {
        self.heads.push(head.clone());
        !self.refuse_head
    }

    fn chunk(&mut self, bytes: &[u8]) -> bool {
        assert!(!bytes.is_empty());
        self.largest = self.largest.max(bytes.len());
        self.body.extend_from_slice(bytes);
        self.stop_after.is_none_or(|n| self.body.len() <= n)
    }
}

pub(super) fn job(url: String) -> FetchJob {
    FetchJob {
        id: 1,
        url,
        headers: vec![("User-Agent".into(), "snom370".into())],
        redirect_origins: vec![],
        limit: 1_000_000,
        timeout: Duration::from_secs(10),
        body_in_timeout: true,
    }
}

/// An upstream that gives each connection to `script`, with its number.
pub(super) fn upstream(script: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let script = Arc::new(script);
    thread::spawn(move || {
        for (i, stream) in listener.incoming().enumerate() {
            let script = script.clone();
            thread::spawn(move || script(i, stream.unwrap()));
        }
    });
    address
}

/// Reads one request's head.
pub(super) fn request(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    Some(head.iter().map(|b| char::from(*b)).collect())
}

/// An upstream that gives each request this answer, then closes.
fn answers(answer: &'static [u8]) -> SocketAddr {
    upstream(move |_, mut stream| {
        request(&mut stream);
        let _ = stream.write_all(answer);
    })
}

fn client() -> Client {
    Client::new(None).unwrap()
}

fn get(address: SocketAddr) -> (Result<FetchHead, FetchError>, Got) {
    run(&client(), &job(format!("http://{address}/x")))
}

fn run(client: &Client, job: &FetchJob) -> (Result<FetchHead, FetchError>, Got) {
    let mut got = Got::default();
    (client.fetch(job, &mut got), got)
}

/// Ends with a RST instead of a FIN.
fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

#[test]
fn the_request_is_the_jobs() {
    let (tx, rx) = std::sync::mpsc::channel();
    let address = upstream(move |_, mut stream| {
        tx.send(request(&mut stream).unwrap()).unwrap();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    let mut job = job(format!("http://{address}?a=%2e&b={{mac}}|^"));
    job.headers = [
        ("USER-Agent", "T\u{e9}l"),
        ("X-Aastra-ExpModType", "1"),
        ("x-twice", "a"),
        ("x-twice", "b"),
        ("Host", "evil"),
        ("connection", "close"),
        ("Transfer-Encoding", "chunked"),
        ("X-Bad", "a\r\nInjected: b"),
        ("X Bad", "a"),
    ]
    .map(|(n, v)| (n.to_string(), v.to_string()))
    .to_vec();
    let (result, got) = run(&client(), &job);
    assert_eq!(result.unwrap().length, Some(2));
    assert_eq!(got.body, b"ok");
    let head = rx.recv().unwrap();
    let mut lines: Vec<&str> = head.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "GET /?a=%2e&b={mac}|^ HTTP/1.1");
    lines.sort_unstable();
    let host = format!("Host: {address}");
    let expected =
        ["Connection: keep-alive", &host, "USER-Agent: T\u{e9}l", "X-Aastra-ExpModType: 1", "x-twice: a", "x-twice: b"];
    assert_eq!(lines, expected);
}

#[test]
fn answers_of_all_kinds() {
    for (answer, status, length, body) in [
        (&b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"[..], 200, Some(5), &b"hello"[..]),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, Some(0), b""),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", 404, Some(2), b"no"),
        (b"HTTP/1.1 503 \r\nContent-Length: 2\r\n\r\nno", 503, Some(2), b"no"),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, Some(5), b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, None, b""),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the \xff end", 200, None, b"until the \xff end"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, None, b"until the end"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nA: b\r\n\r\n",
            200,
            None,
            b"abcde",
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, Some(1), b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", 200, Some(5), b"hello"),
        (b"HTTP/1.1 300 Choose\r\nLocation: /y\r\nContent-Length: 1\r\n\r\nx", 300, Some(1), b"x"),
    ] {
        let (result, got) = get(answers(answer));
        let head = result.unwrap_or_else(|e| panic!("{}: {e}", String::from_utf8_lossy(answer)));
        assert_eq!((head.status, head.length), (status, length));
        assert_eq!(got.body, body);
        assert_eq!(got.heads, [head]);
    }
    let head = get(answers(b"HTTP/1.1 200 OK\r\nETag: \"a\xe4\"\r\nLast-Modified:  x \r\nContent-type: text/html\r\nContent-Length: 0\r\n\r\n"));
    let head = head.0.unwrap();
    assert_eq!(head.etag.as_deref(), Some("\"a\u{e4}\""));
    assert_eq!(head.last_modified.as_deref(), Some("x"));
    assert_eq!(head.content_type.as_deref(), Some("text/html"));
}

#[test]
fn cut_off() {
    let truncated = |answer, n| {
        let (result, _) = get(answers(answer));
        assert_eq!(result, Err(FetchError::Truncated { got: n }), "{}", String::from_utf8_lossy(answer));
    };
    truncated(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", 5);
    truncated(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n", 0);
    truncated(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", 3);
    truncated(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", 3);
    let broken = |answer| matches!(get(answers(answer)).0, Err(FetchError::Broken(_)));
    assert!(broken(b""));
    assert!(broken(b"HTTP/1.1 200 OK\r\nContent-Le"));
    // a reset is no end, not even of a body that ends with the connection
    for head in ["", "Content-Length: 50\r\n", "Transfer-Encoding: chunked\r\n"] {
        let address = upstream(move |_, mut stream| {
            request(&mut stream);
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n5\r\nhello\r\n").as_bytes());
            thread::sleep(Duration::from_millis(200));
            reset(stream);
        });
        let (result, got) = get(address);
        assert!(matches!(result, Err(FetchError::Broken(_))), "{head}: {result:?}");
        assert!(!got.body.is_empty());
    }
    let address = upstream(|_, mut stream| {
        request(&mut stream);
        reset(stream);
    });
    assert!(matches!(get(address).0, Err(FetchError::Broken(_))));
}

#[test]
fn not_http() {
    let protocol = |answer: &'static [u8]| {
        let (result, _) = get(answers(answer));
        let Err(FetchError::Protocol(why)) = result else {
            panic!("{}: {result:?}", String::from_utf8_lossy(answer));
        };
        why
    };
    for answer in [
        &b"SSH-2.0-OpenSSH_9.2\r\n\r\n"[..],
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 099 Low\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nA b\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsecret\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b",
    ] {
        let why = protocol(answer);
        assert!(!why.contains("secret"));
    }
    // an endless head
    let address = upstream(|_, mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\
            bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\
            bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n").is_ok() {}
    });
    let (result, _) = get(address);
    assert_eq!(result, Err(FetchError::Protocol("its head is larger than 16384 bytes".into())));
    let url = "ftp://h/x".to_string();
    assert!(matches!(run(&client(), &job(url)).0, Err(FetchError::Protocol(_))));
}

#[test]
fn too_large() {
    let address = upstream(|_, mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let (result, got) = get(address);
    assert_eq!(result, Err(FetchError::TooLarge { limit: 1_000_000 }));
    assert!(got.body.len() <= 1_000_000 && got.body.len() > 900_000);
    assert!(got.largest <= 16 * 1024);
    let (result, got) = get(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 1000001\r\n\r\nx"));
    assert_eq!(result, Err(FetchError::TooLarge { limit: 1_000_000 }));
    assert!(got.heads.is_empty());
    let (result, _) = get(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nx"));
    assert_eq!(result, Err(FetchError::TooLarge { limit: 1_000_000 }));
}

#[test]
fn a_head_has_its_bound() {
    let of = |bytes: usize| {
        let head = move |n: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Long: {}\r\n\r\n", "x".repeat(n));
        let pad = bytes - head(0).len();
        get(upstream(move |_, mut stream| {
            request(&mut stream);
            let _ = stream.write_all(head(pad).as_bytes());
        }))
    };
    assert_eq!(of(bounds::UPSTREAM_HEAD - 1).0.map(|h| h.status), Ok(200));
    let (result, _) = of(bounds::UPSTREAM_HEAD + 1);
    assert!(matches!(&result, Err(FetchError::Protocol(why)) if why.contains("head is larger")), "{result:?}");
}

#[test]
fn the_receiver_stops() {
    let address = answers(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    let mut got = Got { refuse_head: true, ..Got::default() };
    assert_eq!(client().fetch(&job(format!("http://{address}/")), &mut got), Err(FetchError::Stopped));
    assert!(got.body.is_empty());
    let mut got = Got { stop_after: Some(2), ..Got::default() };
    assert_eq!(client().fetch(&job(format!("http://{address}/")), &mut got), Err(FetchError::Stopped));
}

#[test]
fn silence_and_drips_end_in_time() {
    let mut short = job(String::new());
    short.timeout = Duration::from_millis(600);
    let timed = |job: &FetchJob, client: &Client| {
        let start = Instant::now();
        let (result, _) = run(client, job);
        (result, start.elapsed())
    };
    // takes the connection, says nothing
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    short.url = format!("http://{}/", silent.local_addr().unwrap());
    let (result, took) = timed(&short, &client());
    assert_eq!(result, Err(FetchError::Timeout("waiting for the answer")));
    assert!(took >= Duration::from_millis(500) && took < Duration::from_secs(5), "{took:?}");
    // a byte at a time, for ever
    let drip = upstream(|_, mut stream| {
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
        for _ in 0..15 {
            thread::sleep(Duration::from_millis(100));
            let _ = stream.write_all(b"x");
        }
        thread::sleep(Duration::from_secs(3));
    });
    short.url = format!("http://{drip}/");
    let (result, took) = timed(&short, &client());
    assert_eq!(result, Err(FetchError::Timeout("receiving the body")));
    assert!(took < Duration::from_secs(3), "{took:?}");
    // a shared file: the drip is taken beyond the time-out, the silence after it ends
    short.body_in_timeout = false;
    let mut patient = client();
    assert_eq!(patient.stall, Duration::from_secs(bounds::UPSTREAM_STALL_SECONDS));
    patient.stall = Duration::from_millis(1500);
    let mut got = Got::default();
    let start = Instant::now();
    assert_eq!(patient.fetch(&short, &mut got), Err(FetchError::Timeout("receiving the body")));
    assert_eq!(got.body.len(), 15);
    assert!(start.elapsed() >= Duration::from_millis(2900), "{:?}", start.elapsed());
    // a head that drips
    let drip = upstream(|_, mut stream| {
        request(&mut stream);
        for b in b"HTTP/1.1 200 OK\r\nA-very-long-head: x\r\n".iter().cycle() {
            thread::sleep(Duration::from_millis(50));
            if stream.write_all(&[*b]).is_err() {
                return;
            }
        }
    });
    short.url = format!("http://{drip}/");
    let (result, took) = timed(&short, &client());
    assert_eq!(result, Err(FetchError::Timeout("waiting for the answer")));
    assert!(took < Duration::from_secs(3), "{took:?}");
    // interim answers for ever
    let busy = upstream(|_, mut stream| {
        request(&mut stream);
        while stream.write_all(b"HTTP/1.1 102 Wait\r\n\r\n").is_ok() {}
    });
    short.url = format!("http://{busy}/");
    let (result, took) = timed(&short, &client());
    assert!(matches!(result, Err(FetchError::Timeout(_) | FetchError::Protocol(_))), "{result:?}");
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn no_connection() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (result, _) = get(closed);
    assert_eq!(result, Err(FetchError::Connect(format!("127.0.0.1 refused the connection at port {}", closed.port()))));
    let (result, _) = run(&client(), &job("http://no-such-host.invalid/".into()));
    match result {
        Err(FetchError::Connect(why)) => assert_eq!(why, "the name no-such-host.invalid has no address (DNS)"),
        Err(FetchError::Timeout("looking up the name")) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn redirects() {
    let answer = |location: &str| format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 3\r\n\r\nxyz");
    let other = answers(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother");
    let address = upstream(move |_, mut stream| {
        let Some(head) = request(&mut stream) else { return };
        let target = head.split(' ').nth(1).unwrap();
        let text = match target {
            "/a/b?x" => answer("../c"),
            "/c" => answer("//{own}/d?pass=secret").replace("{own}", &stream.local_addr().unwrap().to_string()),
            "/d?pass=secret" => "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere".into(),
            "/circle" => answer("/circle2"),
            "/circle2" => answer("circle"),
            "/none" => "HTTP/1.1 301 Moved\r\nContent-Length: 0\r\n\r\n".into(),
            "/odd" => answer("mailto:x"),
            "/other" => answer(&format!("http://{other}/secret?pass=secret")),
            t => match t.strip_prefix("/n") {
                Some("0") => "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere".into(),
                Some(n) => answer(&format!("/n{}", n.parse::<u32>().unwrap() - 1)),
                None => panic!("{t}"),
            },
        };
        let _ = stream.write_all(text.as_bytes());
    });
    let fetch = |target: &str| {
        let mut job = job(format!("http://{address}{target}"));
        job.redirect_origins = vec!["https://elsewhere:443".into()];
        run(&client(), &job)
    };
    let (result, got) = fetch("/a/b?x");
    assert_eq!(result.unwrap().status, 200);
    assert_eq!(got.body, b"here");
    assert_eq!(got.heads.len(), 1);
    assert_eq!(bounds::REDIRECTS, 5);
    assert!(fetch("/n5").0.is_ok());
    for (target, says) in [
        ("/n6", "more than 5".to_string()),
        ("/circle", "circle".into()),
        ("/none", "no Location".into()),
        ("/odd", "no http or https".into()),
        ("/other", format!("leads to http://{other}, which")),
    ] {
        let Err(FetchError::Redirect(why)) = fetch(target).0 else { panic!("{target}") };
        assert!(why.contains(&says) && !why.contains("secret"), "{why}");
    }
    let mut allowed = job(format!("http://{address}/other"));
    allowed.redirect_origins = vec![format!("HTTP://{other}")];
    assert_eq!(run(&client(), &allowed).1.body, b"other");
}

#[test]
fn credentials_stay_with_their_origin() {
    let (tx, rx) = std::sync::mpsc::channel();
    let other = upstream(move |_, mut stream| {
        tx.send(request(&mut stream).unwrap()).unwrap();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    let address = upstream(move |_, mut stream| {
        assert!(request(&mut stream).unwrap().contains("Authorization: Basic x"));
        let _ = stream
            .write_all(format!("HTTP/1.1 307 T\r\nLocation: http://{other}/\r\nContent-Length: 0\r\n\r\n").as_bytes());
    });
    let mut job = job(format!("http://{address}/"));
    job.headers.push(("Authorization".into(), "Basic x".into()));
    job.redirect_origins = vec![format!("http://{other}")];
    assert!(run(&client(), &job).0.is_ok());
    let head = rx.recv().unwrap();
    assert!(!head.contains("Basic") && head.contains("snom370"), "{head}");
}

#[test]
fn connections_are_used_again_and_stale_ones_replaced() {
    static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);
    let address = upstream(|i, mut stream| {
        CONNECTIONS.store(i + 1, Ordering::SeqCst);
        for _ in 0..2 {
            if request(&mut stream).is_none() {
                return;
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
        }
        // the third request is read, and the connection closed on it
        request(&mut stream);
    });
    let client = client();
    let job = job(format!("http://{address}/"));
    for expected in [1, 1, 2] {
        let (result, got) = run(&client, &job);
        assert_eq!(result.map(|h| h.status), Ok(200));
        assert_eq!(got.body, b"x");
        assert_eq!(CONNECTIONS.load(Ordering::SeqCst), expected);
    }
    // closed while it waited
    let address = answers(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
    for _ in 0..3 {
        let (result, got) = run(&client, &super::test::job(format!("http://{address}/")));
        assert!(result.is_ok(), "{result:?}");
        assert_eq!(got.heads.len(), 1);
    }
    for port in 1..=IDLE + 3 {
        let address = answers(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        assert!(run(&client, &super::test::job(format!("http://{address}/"))).0.is_ok(), "{port}");
    }
    assert_eq!(client.idle.lock().unwrap().len(), IDLE);
    client.close_idle();
    assert!(client.idle.lock().unwrap().is_empty());
}

#[test]
fn a_broken_answer_is_not_asked_for_twice() {
    static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);
    let address = upstream(|i, mut stream| {
        CONNECTIONS.store(i + 1, Ordering::SeqCst);
        request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Le");
    });
    assert!(matches!(get(address).0, Err(FetchError::Broken(_))));
    assert_eq!(CONNECTIONS.load(Ordering::SeqCst), 1);
}

#[test]
fn many_at_once() {
    let address = upstream(|_, mut stream| {
        while let Some(head) = request(&mut stream) {
            let target = head.split(' ').nth(1).unwrap();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{target}", target.len());
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    let client = Arc::new(client());
    let threads: Vec<_> = (0..8)
        .map(|t| {
            let client = client.clone();
            thread::spawn(move || {
                for i in 0..20 {
                    let (result, got) = run(&client, &job(format!("http://{address}/{t}/{i}")));
                    assert!(result.is_ok(), "{result:?}");
                    assert_eq!(got.body, format!("/{t}/{i}").as_bytes());
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Whatever comes, it ends with an answer or an error in words, and nothing is thrown.
#[test]
fn any_bytes() {
    use proptest::strategy::{Strategy, ValueTree};
    let (tx, rx) = std::sync::mpsc::channel::<Vec<u8>>();
    let rx = Mutex::new(rx);
    let address = upstream(move |_, mut stream| {
        request(&mut stream);
        if let Ok(bytes) = rx.lock().unwrap().recv() {
            let _ = stream.write_all(&bytes);
        }
    });
    let pattern = "(HTTP/1\\.[01] (200|204|301|304|100|101|999|000) ?X?\r?\n)?((Content-Length|Transfer-Encoding|Connection|Location|A): ?(5|0|chunked|gzip, chunked|close|keep-alive|/x|99999999999999999999|,)?\r?\n){0,4}(\r?\n)?(5\r\nhello\r\n|0\r\n|\r\n|fffffffffffffff\r\n|hello){0,4}";
    let strategy = proptest::string::bytes_regex(pattern).unwrap();
    let mut runner = proptest::test_runner::TestRunner::default();
    for _ in 0..400 {
        let bytes = strategy.new_tree(&mut runner).unwrap().current();
        tx.send(bytes.clone()).unwrap();
        let client = client();
        let mut job = job(format!("http://{address}/x"));
        job.redirect_origins.clear();
        job.timeout = Duration::from_secs(5);
        // a second connection (a redirect) would take the next bytes
        if bytes.windows(9).any(|w| w == b"Location:") && bytes.windows(4).any(|w| w == b" 301") {
            let _ = tx.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec());
        }
        let (result, _) = run(&client, &job);
        if let Err(FetchError::Protocol(why)) = &result {
            assert!(!why.contains("library"), "{why}: {:?}", String::from_utf8_lossy(&bytes));
        }
        assert!(!matches!(result, Err(FetchError::Timeout(_))), "{result:?}: {:?}", String::from_utf8_lossy(&bytes));
    }
}
