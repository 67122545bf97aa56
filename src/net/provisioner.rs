//! The loop of `phoneprov provisioner`: the HTTP server before a store.

use super::http::{Limits, Outgoing, Server};
use super::ready;
use super::receiver::{Finished, Receiver};
use super::runtime::Signals;
use super::store::Store;
use crate::bounds;
use crate::core::agent::{Asked, Device};
use crate::core::answer::RequestId;
use crate::proto::http::{parse_range, Request, ResponseHead};
use crate::provisioner::answer::{Outcome, Provisioner, Refusal};
use crate::provisioner::guesses::client;
use crate::provisioner::kazoo::access::{Access, Denied};
use crate::provisioner::kazoo::perform::{failed, Done};
use crate::provisioner::shared::{self, Opened};
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often the next files of the store are looked at. With [`bounds::PROVISIONER_WATCH`] files each time, a change is
/// found within a second in a store of 8,000 documents.
const WATCH: Duration = Duration::from_millis(250);

/// A listening provisioner.
pub struct Serving {
    server: Server,
    store: Store,
    provisioner: Provisioner,
    /// Whose `X-Forwarded-For` is believed, beside loopback's.
    proxies: Vec<IpAddr>,
    signals: Signals,
    started: Instant,
    look_at: Instant,
    address: SocketAddrV4,
    /// Where the files are that are the same for all phones.
    files: Option<PathBuf>,
    access: Access,
    receiver: Option<Receiver>,
}

impl Serving {
    /// Listens; port 0 is any free one. `proxies` are reverse proxies on other machines.
    ///
    /// # Errors
    /// The address cannot be had.
    pub fn start(
        store: Store,
        listen: SocketAddrV4,
        proxies: Vec<IpAddr>,
        signals: Signals,
    ) -> Result<Serving, String> {
        let mut server = Server::new(Limits {
            connections: bounds::PROVISIONER_CONNECTIONS,
            per_address: bounds::PROVISIONER_PER_ADDRESS,
        });
        let device = Device { name: "listen".to_string(), index: 0, addresses: vec![(*listen.ip(), 32)] };
        let (port, troubles) = server.listen(&[device], listen.port());
        if let Some(trouble) = troubles.first() {
            return Err(trouble.clone());
        }
        let now = Instant::now();
        Ok(Serving {
            server,
            store,
            provisioner: Provisioner::default(),
            proxies,
            signals,
            started: now,
            look_at: now + WATCH,
            address: SocketAddrV4::new(*listen.ip(), port),
            files: None,
            access: Access::default(),
            receiver: None,
        })
    }

    /// Serves the files in this folder, too.
    pub fn with_files(mut self, folder: PathBuf) -> Serving {
        self.files = Some(folder);
        self
    }

    /// Takes calls of Kazoo's. `urlpass` is the password of accounts that come without one.
    ///
    /// # Errors
    /// There can be no thread for it.
    pub fn with_kazoo(mut self, access: Access, urlpass: Option<String>) -> Result<Serving, String> {
        let receiver = Receiver::start(self.store.storage(), urlpass);
        self.receiver = Some(receiver.map_err(|e| format!("cannot start a thread: {e}"))?);
        let (of, proxies) = (access.clone(), self.proxies.clone());
        // nobody else's body is worth a byte
        self.server.take_bodies(Box::new(move |request, from| {
            match of.path(request, sender(request, from, &proxies)) {
                Some(Ok(_)) => bounds::KAZOO_BODY,
                _ => 0,
            }
        }));
        self.access = access;
        Ok(self)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// Serves until SIGTERM or SIGINT. SIGHUP is no reason to end: the store is watched anyway.
    pub fn run(mut self) {
        let mut asked: Vec<Asked> = Vec::new();
        loop {
            let ready = self.wait();
            if matches!(ready.first(), Some(true)) {
                return;
            }
            if matches!(ready.get(1), Some(true)) {
                let _ = self.signals.reload.read(&mut [0; 16]);
            }
            let now = Instant::now();
            if matches!(ready.get(2), Some(true)) {
                self.received(&mut asked);
            }
            // who has hung up needs no answer
            let has_fd = self.store.fd().is_some();
            let own = 3 + usize::from(has_fd);
            self.server.turn(ready.get(own..).unwrap_or_default(), now, &mut asked);
            while let Some(request) = asked.pop() {
                self.answer(request, &mut asked);
            }
            let told = has_fd && matches!(ready.get(3), Some(true));
            if told || self.look_at <= now {
                self.look();
            }
        }
    }

    /// What moved: the signals' two, the receiver's, the store's if it has one, then the server's.
    fn wait(&self) -> Vec<bool> {
        let now = Instant::now();
        let mut fds = vec![(self.signals.end.as_fd(), true, false), (self.signals.reload.as_fd(), true, false)];
        fds.push(match &self.receiver {
            Some(receiver) => (receiver.fd(), true, false),
            None => (self.signals.end.as_fd(), false, false),
        });
        fds.extend(self.store.fd().map(|fd| (fd, true, false)));
        fds.extend(self.server.fds(now));
        let due = self.server.poll_at(now).map_or(self.look_at, |at| at.min(self.look_at));
        ready::wait(&fds, due.saturating_duration_since(now))
    }

    fn answer(&mut self, asked: Asked, next: &mut Vec<Asked>) {
        let now = Instant::now();
        let client = sender(&asked.request, *asked.from.ip(), &self.proxies);
        if let Some(path) = self.access.path(&asked.request, client) {
            let path = path.map(|p| p.into_iter().map(str::to_string).collect::<Vec<_>>());
            return self.call(&asked, client, path, next);
        }
        let since = now.saturating_duration_since(self.started);
        let answer = self.provisioner.answer_to(Some(client), &asked.request, self.store.documents(), since);
        match &answer.outcome {
            // each of these may be somebody who tries passwords, or a mistake in the store
            Outcome::Refused(_, Refusal::Password | Refusal::NoTemplate(_) | Refusal::BadTemplate(..)) => {
                log::warn!("{client}: {}", answer.outcome);
            }
            Outcome::Config(..) | Outcome::Refused(..) => log::info!("{client}: {}", answer.outcome),
            _ => log::debug!("{client}: {}", answer.outcome),
        }
        if let Outcome::File(name) = &answer.outcome {
            if let Some(opened) = self.files.as_deref().and_then(|folder| shared::open(folder, name)) {
                let (head, body) = file(opened, &asked.request);
                self.server.reply(asked.id, &head, body, now, next);
                return;
            }
        }
        let mut head = ResponseHead::new(answer.status);
        for (name, value) in &answer.headers {
            head.header(name, value);
        }
        self.server.reply(asked.id, &head, Outgoing::Bytes(answer.body.into()), now, next);
    }

    /// A call of Kazoo's, if it may be one.
    fn call(&mut self, asked: &Asked, from: IpAddr, path: Result<Vec<String>, Denied>, next: &mut Vec<Asked>) {
        let body = self.server.body(asked.id);
        let done = match (path, &self.receiver) {
            (Ok(path), Some(receiver)) => {
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                match receiver.call(asked, from, &path, &body, self.store.documents()) {
                    Some(done) => done,
                    None => return,
                }
            }
            _ => {
                log::warn!("kazoo: {from}: refused: no token, or a wrong one");
                failed(403, "no token, or a wrong one")
            }
        };
        self.told(asked.id, &done, &from.to_string(), next);
    }

    /// What the store has done.
    fn received(&mut self, next: &mut Vec<Asked>) {
        let Some(receiver) = &self.receiver else { return };
        for Finished { id, from, mac, done } in receiver.finished() {
            for (database, document, json) in &done.touched {
                self.store.take(database, document, json.as_ref());
            }
            if !done.touched.is_empty() {
                self.provisioner.changed(mac);
            }
            self.told(id, &done, &from, next);
        }
    }

    fn told(&mut self, id: RequestId, done: &Done, from: &str, next: &mut Vec<Asked>) {
        match &done.trouble {
            Some(why) => log::warn!("kazoo: {from}: {}: {why}", done.status),
            None if done.touched.is_empty() => log::debug!("kazoo: {from}: {}", done.status),
            None => log::info!("kazoo: {from}: {} documents", done.touched.len()),
        }
        let mut head = ResponseHead::new(done.status);
        head.header("Content-Type", "application/json");
        let body = done.json.to_ascii().into_bytes();
        self.server.reply(id, &head, Outgoing::Bytes(body.into()), Instant::now(), next);
    }

    fn look(&mut self) {
        let (changed, troubles) = self.store.look();
        troubles.iter().for_each(|t| log::warn!("store: {t}"));
        if changed > 0 {
            log::info!("store: {changed} document{} changed", if changed == 1 { "" } else { "s" });
        }
        self.look_at = Instant::now() + WATCH;
    }
}

/// Whose request it is, behind what proxies there are.
fn sender(request: &Request, from: Ipv4Addr, proxies: &[IpAddr]) -> IpAddr {
    let names: Vec<&str> = request.all("x-forwarded-for").collect();
    client(from, &names, proxies)
}

/// Head and body for a file, or a part of it.
fn file(opened: Opened, request: &Request) -> (ResponseHead, Outgoing) {
    let range = request.header("range").filter(|_| request.header("if-range").is_none()).and_then(parse_range);
    let range = range.map(|r| r.resolve(opened.size));
    let status = match &range {
        None => 200,
        Some(Some(_)) => 206,
        Some(None) => 416,
    };
    let mut head = ResponseHead::new(status);
    head.header("Accept-Ranges", "bytes");
    match range {
        Some(None) => {
            head.header("Content-Range", &format!("bytes */{}", opened.size));
            (head, Outgoing::Bytes(Vec::new().into()))
        }
        _ if request.header("if-none-match") == Some(&*opened.etag) => {
            let mut same = ResponseHead::new(304);
            same.header("ETag", &opened.etag);
            (same, Outgoing::None)
        }
        range => {
            head.header("Content-Type", shared::CONTENT_TYPE);
            head.header("ETag", &opened.etag);
            let range = range.flatten();
            if let Some(range) = &range {
                head.header("Content-Range", &format!("bytes {}-{}/{}", range.start, range.end - 1, opened.size));
            }
            let (start, length) = range.map_or((0, opened.size), |r| (r.start, r.end - r.start));
            (head, Outgoing::File(opened.file, start, length))
        }
    }
}
