//! The provider's side: a real nginx in the namespace `wan` while all is well, and faults in its place at any time.

use crate::faulty::{Fault, Reply, Request, Script, Server};
use crate::netns::Ns;
use crate::tls;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Where the upstream is, in every lab.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

/// What the upstream of a test shall be.
#[derive(Clone, Default)]
pub struct Upstream {
    files: Vec<(String, Vec<u8>)>,
    script: Option<Script>,
    https: bool,
}

impl Upstream {
    /// nginx with static files, on http.
    pub fn nginx() -> Upstream {
        Upstream::default()
    }

    /// A function of the test answers instead of nginx.
    pub fn script(f: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Upstream {
        Upstream { script: Some(Arc::new(f)), ..Upstream::default() }
    }

    /// One file, for all askers.
    pub fn file(mut self, path: &str, body: impl Into<Vec<u8>>) -> Upstream {
        self.files.push((path.into(), body.into()));
        self
    }

    /// One file for askers whose query says `mac={mac}` (in the spelling given).
    pub fn file_of(self, path: &str, mac: &str, body: impl Into<Vec<u8>>) -> Upstream {
        self.file(&format!("{path}@{mac}"), body)
    }

    /// https://, with a certificate of the lab's CA.
    pub fn https(mut self) -> Upstream {
        self.https = true;
        self
    }

    pub(crate) fn is_https(&self) -> bool {
        self.https
    }

    pub(crate) fn needs_nginx(&self) -> bool {
        self.script.is_none()
    }
}

/// One request that reached the upstream.
#[derive(Clone, Debug)]
pub struct Hit {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// 0 when not nginx answered.
    pub status: u16,
    pub user_agent: String,
    pub host: String,
}

/// The upstream of a lab that runs.
pub struct Running {
    ns: Ns,
    dir: PathBuf,
    spec: Upstream,
    nginx: Mutex<Option<Child>>,
    server: Mutex<Option<Server>>,
    faulty_hits: Arc<Mutex<Vec<Request>>>,
    log_read: AtomicU64,
    put: AtomicU64,
}

impl Running {
    pub(crate) fn start(ns: Ns, dir: &Path, spec: Upstream) -> Running {
        let dir = dir.join("upstream");
        fs::create_dir_all(dir.join("www")).expect("a folder");
        let running = Running {
            ns,
            dir,
            nginx: Mutex::default(),
            server: Mutex::default(),
            faulty_hits: Arc::default(),
            log_read: AtomicU64::new(0),
            put: AtomicU64::new(0),
            spec,
        };
        for (path, body) in &running.spec.files {
            running.put(path, body.clone());
        }
        running.heal();
        running
    }

    /// The namespace `wan`.
    pub fn ns(&self) -> &Ns {
        &self.ns
    }

    fn addr(&self) -> SocketAddr {
        SocketAddr::from((ADDRESS, if self.spec.https { 443 } else { 80 }))
    }

    /// Puts a file in place at once. Each has a Last-Modified of its own, so that none is taken for the one before.
    pub fn put(&self, path: &str, body: impl Into<Vec<u8>>) {
        let file = self.dir.join("www").join(path.trim_start_matches('/'));
        fs::create_dir_all(file.parent().expect("below www")).expect("a folder");
        let temporary = file.with_extension("new");
        fs::write(&temporary, body.into()).expect("written");
        let age = self.put.fetch_add(1, Ordering::Relaxed);
        let stamp = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + age);
        fs::File::options().append(true).open(&temporary).and_then(|f| f.set_modified(stamp)).expect("a time");
        fs::rename(&temporary, &file).expect("in place");
    }

    /// The same for one MAC: see [`Upstream::file_of`].
    pub fn put_of(&self, path: &str, mac: &str, body: impl Into<Vec<u8>>) {
        self.put(&format!("{path}@{mac}"), body);
    }

    /// Takes a file away: 404 from now on.
    pub fn remove(&self, path: &str) {
        fs::remove_file(self.dir.join("www").join(path.trim_start_matches('/'))).expect("was there");
    }

    /// From now on it fails in this way; open connections end, or starve where that is the fault.
    pub fn fail(&self, fault: Fault) {
        self.mend_network();
        match fault {
            Fault::Blackholed => {
                self.serve("good"); // behind a wall
                self.ns.nft(
                    "table inet lab { chain in { type filter hook input priority 0; tcp dport { 80, 443 } drop; }; }",
                );
            }
            Fault::LinkDown => {
                self.ns.ip("link set eth0 down");
            }
            Fault::ExpiredCert => self.serve("expired"),
            Fault::WrongName => self.serve("wrongname"),
            Fault::UnknownCa => self.serve("unknown"),
            Fault::Refused => self.stop(),
            other => {
                self.stop();
                let server = Server::start(&self.ns, self.addr(), other, self.faulty_hits.clone());
                *self.server.lock().unwrap() = Some(server);
            }
        }
    }

    /// All is well again.
    pub fn heal(&self) {
        self.mend_network();
        match self.spec.script.clone() {
            Some(script) => self.fail(Fault::Script(script)),
            None => self.serve("good"),
        }
    }

    /// Requests since the start or the last [`Running::forget_hits`], those to nginx first.
    pub fn hits(&self) -> Vec<Hit> {
        thread::sleep(Duration::from_millis(80)); // nginx writes its line after the last byte has gone
        let log = fs::read(self.dir.join("access.log")).unwrap_or_default();
        let from = (self.log_read.load(Ordering::SeqCst) as usize).min(log.len());
        let mut hits: Vec<Hit> = String::from_utf8_lossy(&log[from..])
            .lines()
            .filter_map(|line| {
                let f: Vec<&str> = line.split('\t').collect();
                Some(Hit {
                    method: f.first()?.to_string(),
                    target: f.get(1)?.to_string(),
                    status: f.get(2)?.parse().ok()?,
                    user_agent: f.get(3)?.to_string(),
                    host: f.get(4)?.to_string(),
                })
            })
            .collect();
        hits.extend(self.faulty_hits.lock().unwrap().iter().map(|r| Hit {
            method: r.method.clone(),
            target: r.target.clone(),
            status: 0,
            user_agent: r.header("User-Agent").unwrap_or("").to_string(),
            host: r.header("Host").unwrap_or("").to_string(),
        }));
        hits
    }

    /// Hits count from here.
    pub fn forget_hits(&self) {
        thread::sleep(Duration::from_millis(80));
        let length = fs::metadata(self.dir.join("access.log")).map(|m| m.len()).unwrap_or(0);
        self.log_read.store(length, Ordering::SeqCst);
        self.faulty_hits.lock().unwrap().clear();
    }

    fn mend_network(&self) {
        let tables = self.ns.run("nft list tables");
        if tables.contains("inet lab") {
            self.ns.nft("delete table inet lab");
        }
        self.ns.ip("link set eth0 up");
    }

    fn stop(&self) {
        *self.server.lock().unwrap() = None;
        if let Some(mut child) = self.nginx.lock().unwrap().take() {
            let _ = Command::new("kill").arg(child.id().to_string()).status(); // TERM: nginx takes its workers along
            let _ = child.wait();
        }
    }

    /// nginx, with this certificate.
    fn serve(&self, certificate: &str) {
        self.stop();
        let dir = self.dir.display();
        let listen = if self.spec.https {
            let tls = tls::folder().display().to_string();
            format!(
                "listen {ADDRESS}:443 ssl; ssl_certificate {tls}/{certificate}.pem; ssl_certificate_key {tls}/{certificate}.key;"
            )
        } else {
            format!("listen {ADDRESS}:80;")
        };
        // Content-Type is wrong for each file, as the original provisioner has it.
        let conf = format!(
            "daemon off; user root; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/error.log notice;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n log_format lab '$request_method\\t$request_uri\\t$status\\t$http_user_agent\\t$http_host';\n \
             access_log {dir}/access.log lab; types {{ }} default_type text/html;\n \
             client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;\n \
             server {{ {listen} root {dir}/www; location / {{ try_files $uri@$arg_mac $uri =404; }} }}\n}}\n"
        );
        fs::write(self.dir.join("nginx.conf"), conf).expect("written");
        let child = self
            .ns
            .command("nginx")
            .arg("-c")
            .arg(self.dir.join("nginx.conf"))
            .arg("-e")
            .arg(self.dir.join("error.log"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx starts");
        *self.nginx.lock().unwrap() = Some(child);
        let begin = Instant::now();
        while let Err(e) = self.ns.inside(|| TcpStream::connect(self.addr())) {
            let log = || fs::read_to_string(self.dir.join("error.log")).unwrap_or_default();
            assert!(begin.elapsed() < Duration::from_secs(10), "nginx does not listen: {e}\n{}", log());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}
