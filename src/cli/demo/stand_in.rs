//! The demo's upstream in a build without the provisioner, as on routers: a stand-in that has one snom and one Mitel config at
//! the provisioner's URLs.

use super::PASSWORD;
use crate::proto::http::{parse_request, split_target, Parsed, Request, ResponseHead};
use crate::proto::mac::Mac;
use crate::vendor::sample_config;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Upstream {
    /// What it is, for the steps.
    pub(super) const WHAT: &'static str = "stand-in";

    pub(super) fn start(_: &std::path::Path) -> std::io::Result<Upstream> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name("upstream".into()).spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                if let Ok(stream) = stream {
                    // one at a time is enough for two phones
                    let _ = serve(stream, address);
                }
            }
        })?;
        Ok(Upstream { address, stop, thread: Some(thread) })
    }

    /// Dies: its port refuses connections from now on.
    pub(super) fn kill(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.kill();
    }
}

fn serve(mut stream: TcpStream, own: SocketAddr) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut input = Vec::new();
    let mut buffer = [0u8; 2048];
    let request = loop {
        match parse_request(&input) {
            Ok(Parsed::Whole { request, .. }) => break request,
            Ok(Parsed::Partial) => {}
            Err(e) => return Err(std::io::Error::new(ErrorKind::InvalidData, e.to_string())),
        }
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            n => input.extend_from_slice(buffer.get(..n).unwrap_or_default()),
        }
    };
    let body = config(&request, own);
    // the original's Content-Type is wrong for all it sends; so is this one
    let mut head = ResponseHead::new(if body.is_some() { 200 } else { 404 });
    head.header("Content-Type", "text/html");
    let body = body.unwrap_or_default();
    stream.write_all(&head.to_bytes(Some(body.len() as u64), false))?;
    stream.write_all(&body)
}

/// The config for this request. As at the original, who gives a wrong password gets an empty 200.
fn config(request: &Request, own: SocketAddr) -> Option<Vec<u8>> {
    let (path, query) = split_target(&request.target)?;
    let mac = Mac::find(&request.target).or_else(|| Mac::find(request.header("user-agent")?));
    let base = format!("http://{own}/prov");
    match path {
        "/prov/snom/settings.php" => match query.unwrap_or_default().contains(&format!("pass={PASSWORD}")) {
            true => sample_config("snom", mac?, 1, &base),
            false => Some(Vec::new()),
        },
        "/prov/mitel/aastra.cfg" => Some(
            format!(
                "# common to all phones\ndownload protocol: HTTP\nhttp server: {}\nhttp path: prov/mitel\n",
                own.ip()
            )
            .into_bytes(),
        ),
        _ if path.starts_with("/prov/mitel/") && Mac::find(path).is_some() => sample_config("mitel", mac?, 1, &base),
        _ => None,
    }
}
