//! One node with CouchDB's HTTP API (see `server.js`), and requests to it.

use phoneprov::net::store::writer;
use phoneprov::provisioner::storage::Storage;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

pub struct Couch {
    child: Child,
    pub port: u16,
}

/// The folder with the server, its packages installed. `None`: they cannot be had here, which in CI is a failure.
fn server() -> Option<&'static PathBuf> {
    static SERVER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/couch");
        if !folder.join("node_modules/.package-lock.json").exists() {
            let out = Command::new("npm").arg("ci").current_dir(&folder).output().map_err(|e| format!("npm: {e}"))?;
            if !out.status.success() {
                return Err(format!("npm ci: {}", String::from_utf8_lossy(&out.stderr).trim()));
            }
        }
        Ok(folder)
    });
    match server {
        Ok(folder) => Some(folder),
        Err(why) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "no server with CouchDB's API: {why}");
            println!("skipped: no server with CouchDB's API: {why}");
            None
        }
    }
}

#[allow(dead_code)] // not every test that has this file needs all of it
impl Couch {
    /// An empty one at a free port; `user` is `name:password`.
    pub fn start(user: Option<&str>) -> Option<Couch> {
        Couch::at(0, user)
    }

    pub fn at(port: u16, user: Option<&str>) -> Option<Couch> {
        let folder = server()?;
        let mut command = Command::new("node");
        command.arg("server.js").arg(port.to_string()).current_dir(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).env_remove("COUCH_USER");
        if let Some(user) = user {
            command.env("COUCH_USER", user);
        }
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| panic!("server.js has not said its port: {line}"));
        Some(Couch { child, port })
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn storage(&self) -> Box<dyn Storage> {
        writer(&self.url()).unwrap()
    }

    /// Status and body of a request.
    pub fn request(&self, method: &str, target: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        write!(
            stream,
            "{method} {target} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_string())
    }

    /// Gone at once, as by a power cut.
    pub fn kill(mut self) -> u16 {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.port
    }
}

impl Drop for Couch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
