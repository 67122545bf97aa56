//! The loop of `phoneprov provisioner`: the HTTP server before a store.

use super::http::{Limits, Server};
use super::runtime::Signals;
use super::store::Store;
use crate::bounds;
use crate::core::agent::{Asked, Device};
use crate::proto::http::ResponseHead;
use crate::provisioner::answer::{Outcome, Provisioner, Refusal};
use crate::provisioner::guesses::client;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use std::io::Read;
use std::net::{IpAddr, SocketAddrV4};
use std::os::fd::AsFd;
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
        })
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
            // who has hung up needs no answer
            let own = 2 + usize::from(self.store.fd().is_some());
            self.server.turn(ready.get(own..).unwrap_or_default(), now, &mut asked);
            while let Some(request) = asked.pop() {
                self.answer(request, &mut asked);
            }
            let told = own > 2 && matches!(ready.get(2), Some(true));
            if told || self.look_at <= now {
                self.look();
            }
        }
    }

    /// What moved: the signals' two, the store's if it has one, then the server's.
    fn wait(&self) -> Vec<bool> {
        let now = Instant::now();
        let mut fds = vec![
            PollFd::from_borrowed_fd(self.signals.end.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(self.signals.reload.as_fd(), PollFlags::IN),
        ];
        fds.extend(self.store.fd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        for (fd, read, write) in self.server.fds(now) {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, read);
            flags.set(PollFlags::OUT, write);
            fds.push(PollFd::from_borrowed_fd(fd, flags));
        }
        let due = self.server.poll_at(now).map_or(self.look_at, |at| at.min(self.look_at));
        let wait = due.saturating_duration_since(now) + Duration::from_millis(1);
        let timeout = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: wait.subsec_nanos() as _ };
        let _ = poll(&mut fds, Some(&timeout));
        fds.iter().map(|fd| !fd.revents().is_empty()).collect()
    }

    fn answer(&mut self, asked: Asked, next: &mut Vec<Asked>) {
        let now = Instant::now();
        let since = now.saturating_duration_since(self.started);
        let names: Vec<&str> = asked.request.all("x-forwarded-for").collect();
        let client = client(*asked.from.ip(), &names, &self.proxies);
        let answer = self.provisioner.answer_to(Some(client), &asked.request, self.store.documents(), since);
        match &answer.outcome {
            // each of these may be somebody who tries passwords, or a mistake in the store
            Outcome::Refused(_, Refusal::Password | Refusal::NoTemplate(_) | Refusal::BadTemplate(..)) => {
                log::warn!("{client}: {}", answer.outcome);
            }
            Outcome::Config(..) | Outcome::Refused(..) => log::info!("{client}: {}", answer.outcome),
            _ => log::debug!("{client}: {}", answer.outcome),
        }
        let mut head = ResponseHead::new(answer.status);
        for (name, value) in &answer.headers {
            head.header(name, value);
        }
        self.server.reply(asked.id, &head, answer.body.into(), now, next);
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
