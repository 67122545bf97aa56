//! https against `openssl s_server` with certificates made for the test. Skipped where there is no openssl.

use super::test::{job, request, upstream, Got};
use super::*;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

struct Lab {
    dir: tempfile::TempDir,
}

/// Ends with the test.
struct Server(Child, u16);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Lab {
    /// A private CA; `None` without openssl.
    fn new() -> Option<Lab> {
        let lab = Lab { dir: tempfile::tempdir().unwrap() };
        if Command::new("openssl").arg("version").output().is_err() {
            eprintln!("skipped: there is no openssl command");
            return None;
        }
        lab.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=testca");
        Some(lab)
    }

    fn openssl(&self, arguments: &str) {
        let out = Command::new("openssl").args(arguments.split(' ')).current_dir(self.dir.path()).output().unwrap();
        assert!(out.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&out.stderr));
    }

    /// A certificate by the CA for these names, valid in these days.
    fn certificate(&self, name: &str, names: &str, dates: &str) {
        std::fs::write(self.dir.path().join("ext"), format!("subjectAltName={names}\nbasicConstraints=CA:FALSE\n"))
            .unwrap();
        self.openssl(&format!(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.csr -subj /CN=x"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out {name}.pem -extfile ext {dates}"
        ));
    }

    /// Serves files of the folder with this certificate.
    fn serve(&self, name: &str, more: &str) -> Server {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let arguments = format!("s_server -quiet -accept 127.0.0.1:{port} -cert {name}.pem -key {name}.key {more}");
        let child = Command::new("openssl")
            .args(arguments.trim_end().split(' '))
            .current_dir(self.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Server(child, port);
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("openssl s_server did not start");
    }

    fn client(&self) -> Client {
        Client::new(Some(&self.dir.path().join("ca.pem"))).unwrap()
    }
}

fn fetch(client: &Client, url: String) -> (Result<FetchHead, FetchError>, Vec<u8>) {
    let mut got = Got::default();
    (client.fetch(&job(url), &mut got), got.body)
}

fn tls_error(client: &Client, url: String) -> String {
    match fetch(client, url).0 {
        Err(FetchError::Tls(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn good_expired_wrong_name_and_unknown() {
    let Some(lab) = Lab::new() else { return };
    std::fs::write(lab.dir.path().join("conf"), "HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nconfig").unwrap();
    lab.certificate("good", "DNS:localhost,IP:127.0.0.1", "-days 3");
    let server = lab.serve("good", "-HTTP");
    let client = lab.client();
    assert_eq!(client.warning(), None);
    for host in ["localhost", "127.0.0.1"] {
        let (result, body) = fetch(&client, format!("https://{host}:{}/conf", server.1));
        assert_eq!(result.map(|h| h.length), Ok(Some(6)), "{host}");
        assert_eq!(body, b"config");
    }
    assert_eq!(
        tls_error(&Client::new(None).unwrap(), format!("https://localhost:{}/", server.1)),
        if Client::new(None).unwrap().warning().is_some() {
            "there is no CA bundle on this machine to check certificates with; install ca-bundle or set ca_file"
        } else {
            "the certificate of localhost is signed by no known CA; set ca_file to the CA's certificate"
        }
    );
    lab.certificate("other", "DNS:prov.example.net", "-days 3");
    let server = lab.serve("other", "-HTTP");
    assert_eq!(
        tls_error(&client, format!("https://localhost:{}/", server.1)),
        "the certificate is not for the name localhost"
    );
    // `-not_after` is of newer versions than a negative number of days, which all take one way or the other
    lab.certificate("old", "DNS:localhost", "-days -1");
    let server = lab.serve("old", "-HTTP");
    assert_eq!(tls_error(&client, format!("https://localhost:{}/", server.1)), "the certificate of localhost expired");
}

#[test]
fn plain_http_at_the_tls_port_and_the_reverse() {
    let Some(lab) = Lab::new() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            use std::io::Write;
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let client = lab.client();
    assert_eq!(
        tls_error(&client, format!("https://localhost:{port}/")),
        "localhost does not speak TLS at this port; is it an http:// address?"
    );
    lab.certificate("good", "DNS:localhost", "-days 3");
    let server = lab.serve("good", "-HTTP");
    let (result, _) = fetch(&client, format!("http://localhost:{}/", server.1));
    assert!(matches!(result, Err(FetchError::Protocol(_) | FetchError::Broken(_))), "{result:?}");
    // takes the connection, says nothing
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut short = job(format!("https://localhost:{}/", silent.local_addr().unwrap().port()));
    short.timeout = Duration::from_millis(400);
    assert_eq!(client.fetch(&short, &mut Got::default()), Err(FetchError::Timeout("TLS handshake")));
    // closes at once
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || while listener.accept().is_ok() {});
    assert_eq!(
        tls_error(&client, format!("https://localhost:{port}/")),
        "localhost closed the connection during the handshake"
    );
}

/// A server whose TLS the test holds in its hands.
#[test]
fn bodies_over_tls() {
    use rustls::pki_types::{pem::PemObject, CertificateDer, PrivateKeyDer};
    use rustls::{ServerConfig, ServerConnection, StreamOwned};
    use std::io::Write;
    use std::sync::atomic::{AtomicUsize, Ordering};
    static CONNECTIONS: AtomicUsize = AtomicUsize::new(0);

    let Some(lab) = Lab::new() else { return };
    lab.certificate("good", "DNS:localhost", "-days 3");
    let certificate = CertificateDer::from_pem_file(lab.dir.path().join("good.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(lab.dir.path().join("good.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let address = upstream(move |i, stream| {
        CONNECTIONS.store(i + 1, Ordering::SeqCst);
        let mut stream = StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream);
        while let Some(head) = request(&mut stream) {
            let open = head.starts_with("GET /open");
            if open {
                let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nuntil the end");
            } else {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
                let _ = stream.write_all(&[b'x'; 300_000]);
            }
            let _ = stream.flush();
            if head.starts_with("GET /open-proper") {
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
            if open {
                return;
            }
        }
    });
    let client = lab.client();
    for _ in 0..3 {
        let (result, body) = fetch(&client, format!("https://localhost:{}/big", address.port()));
        assert_eq!(result.map(|h| h.length), Ok(Some(300_000)));
        assert_eq!(body.len(), 300_000);
    }
    assert_eq!(CONNECTIONS.load(Ordering::SeqCst), 1);
    let (result, body) = fetch(&client, format!("https://localhost:{}/open-proper", address.port()));
    assert_eq!(result.map(|h| h.status), Ok(200));
    assert_eq!(body, b"until the end");
    // without the end mark of TLS, anybody on the way may have cut it
    let (result, _) = fetch(&client, format!("https://localhost:{}/open", address.port()));
    assert_eq!(result, Err(FetchError::Truncated { got: 13 }));
}

#[test]
fn ca_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    let error = |path: &Path| Client::new(Some(path)).err().unwrap();
    assert!(error(&path).contains("No such file"), "{}", error(&path));
    std::fs::write(&path, "nothing\n").unwrap();
    assert!(error(&path).contains("has no certificate in it"), "{}", error(&path));
    std::fs::write(&path, "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n").unwrap();
    assert!(error(&path).contains("has no certificate in it"), "{}", error(&path));
}
