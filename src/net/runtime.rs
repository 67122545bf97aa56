//! The loop: polls all sockets, gives what comes in to the [`Agent`], does what it says.

use crate::bounds;
use crate::config::Config;
use crate::core::agent::{Action, Agent, Asked, Device};
use crate::core::answer::{Answer, StreamId};
use crate::core::now::Now;
use crate::net::compare::Comparing;
use crate::net::control::Control;
pub use crate::net::devices::Source as DeviceSource;
pub use crate::net::dhcp::Settings as DhcpSettings;
use crate::net::dhcp::Watch;
use crate::net::disk::Disk;
use crate::net::http::{Bodies, Server, LAN};
use crate::net::loading::open_store;
use crate::net::mailbox::{Letter, Mailbox, Waker};
use crate::net::neighbours::Neighbours;
use crate::net::panics::caught;
use crate::net::ready::{self, Watched};
use crate::net::stream::Stream;
use crate::net::upstream::Upstream;
use crate::net::{fetch, folders, sip};
use crate::store::Store;
use std::collections::{HashMap, VecDeque};
use std::io::Read;
use std::net::{SocketAddrV4, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

mod act;
mod dhcp;
mod watch;

use watch::{MISTAKE, RELOAD_PAUSE};

/// How often the devices are looked at: a bridge that comes back is joined again within this time.
const LOOK: Duration = Duration::from_secs(3);
/// How often status.json is renewed.
const STATUS: Duration = Duration::from_secs(30);
/// SIP datagrams of one device before it is the others' turn.
const SIP_TURN: usize = 256;

/// Reads the config again: it, and the names of the devices to serve.
pub type Reload = Box<dyn FnMut() -> Result<(Config, Vec<String>), String> + Send>;

/// What the loop is started with.
pub struct Options {
    /// Checked config. Port 0: any free one.
    pub config: Config,
    /// Reads the config again on SIGHUP.
    pub reload: Option<Reload>,
    /// The devices to serve.
    pub devices: DeviceSource,
    /// 5060; 0: any free one (demo).
    pub sip_port: u16,
    /// Reads the settings of the router's own DHCP server.
    pub dhcp_settings: Option<DhcpSettings>,
    /// A byte comes out of these for each signal.
    pub signals: Option<Signals>,
}

/// The reading ends of the pipes that signal handlers write to, non-blocking.
pub struct Signals {
    /// SIGTERM, SIGINT
    pub end: UnixStream,
    /// SIGHUP
    pub reload: UnixStream,
}

/// The agent with its sockets.
pub struct Runtime {
    agent: Agent,
    options: Options,
    store: Arc<Store>,
    disk: Disk,
    upstream: Arc<Upstream>,
    mailbox: Mailbox,
    server: Server,
    bodies: Bodies,
    streams: HashMap<StreamId, Arc<Stream>>,
    /// Shared files that are kept no more, as long as somebody reads them, oldest first.
    released: VecDeque<Weak<Stream>>,
    arriving: fetch::Arriving,
    control: Control,
    comparing: Comparing,
    sip: Vec<Option<UdpSocket>>,
    dhcp: Watch,
    devices: Vec<Device>,
    neighbours: Neighbours,
    looked: Instant,
    /// SIGHUP came.
    reload_wanted: bool,
    reloaded: Option<Instant>,
    /// Timer turns that panicked, one after the other.
    timer_panics: u32,
    status_written: Option<Instant>,
    troubles: Vec<String>,
    stop: Arc<AtomicBool>,
}

/// Ends a [`Runtime`] from another thread.
#[derive(Clone)]
pub struct Stopper {
    stop: Arc<AtomicBool>,
    waker: Waker,
}

impl Stopper {
    /// The loop ends soon.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.waker.wake();
    }
}

fn now() -> Now {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    Now { mono: Instant::now(), unix }
}

impl Runtime {
    /// Opens everything. The error says what cannot be had and what to do.
    pub fn start(mut options: Options) -> Result<Runtime, String> {
        let agent = &mut options.config.agent;
        std::fs::create_dir_all(&agent.run_dir)
            .map_err(|e| format!("cannot make run_dir {}: {e}", agent.run_dir.display()))?;
        folders::check("run_dir", &agent.run_dir)?;
        folders::check("state_dir", &agent.state_dir)?;
        let socket = agent.run_dir.join("control.sock");
        let control = Control::open(&socket).map_err(|e| {
            let hint = match e.kind() {
                std::io::ErrorKind::AddrInUse => "; stop that one first, or give this one another option run_dir",
                _ => "",
            };
            format!("cannot listen on {}: {e}{hint}", socket.display())
        })?;
        let (loaded, store) = open_store(&agent.state_dir)?;
        let store = Arc::new(store);
        let mailbox = Mailbox::new().map_err(|e| format!("cannot make an eventfd: {e}"))?;
        let disk = Disk::start(store.clone(), mailbox.post()).map_err(|e| format!("cannot start a thread: {e}"))?;
        let upstream = Arc::new(Upstream::new(agent)?);
        if let Some(warning) = upstream.warning().filter(|_| agent.upstream.starts_with("https:")) {
            log::warn!("{warning}");
        }
        // the devices are opened before the agent is made: it must know the port that it tells the phones
        let mut server = Server::new(LAN);
        let devices = options.devices.look();
        let (port, troubles) = server.listen(&devices, agent.port);
        agent.port = port;
        let started = now();
        let mut agent = Agent::new(options.config.clone(), loaded, seed(), started);
        agent.set_devices(devices.clone(), started);
        let mut runtime = Runtime {
            agent,
            options,
            store,
            disk,
            upstream,
            mailbox,
            server,
            bodies: Bodies::default(),
            streams: HashMap::new(),
            released: VecDeque::new(),
            arriving: fetch::Arriving::default(),
            control,
            comparing: Comparing::default(),
            sip: Vec::new(),
            dhcp: Watch::default(),
            devices,
            neighbours: Neighbours::default(),
            looked: started.mono,
            reload_wanted: false,
            reloaded: None,
            timer_panics: 0,
            status_written: None,
            troubles: Vec::new(),
            stop: Arc::new(AtomicBool::new(false)),
        };
        runtime.open_sip(&[], troubles);
        runtime.open_dhcp(&[], started);
        Ok(runtime)
    }

    /// Ends the loop from another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper { stop: self.stop.clone(), waker: self.mailbox.waker() }
    }

    /// The HTTP port in use.
    pub fn http_port(&self) -> u16 {
        self.agent.config().agent.port
    }

    /// The SIP port in use on the first device.
    pub fn sip_port(&self) -> u16 {
        let first = self.sip.iter().flatten().next();
        first.and_then(|s| s.local_addr().ok()).map_or(self.options.sip_port, |a| a.port())
    }

    /// What cannot be served now, a sentence each.
    pub fn troubles(&self) -> &[String] {
        &self.troubles
    }

    /// Serves until told to stop. A mistake of ours ends what it happened in and nothing else.
    ///
    /// # Errors
    /// What cannot be gone on with; a new start can.
    pub fn run(&mut self) -> Result<(), String> {
        let mut asked = Vec::new();
        let mut actions = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let ready = self.wait();
            let now = now();
            self.agent.tend_clock(now, &mut actions);
            if ready.signals {
                self.signals();
            }
            self.tend_reload(now, &mut actions);
            for letter in self.mailbox.take() {
                if caught(|| self.letter(letter, now, &mut actions)).is_none() {
                    self.panicked("an answer of the upstream or the store", now);
                }
            }
            for device in 0..self.sip.len() {
                if ready.sip.get(device) == Some(&true)
                    && caught(|| self.datagrams(device, now, &mut actions)).is_none()
                {
                    self.panicked("a datagram", now);
                }
            }
            for (device, _) in ready.taps.iter().enumerate().filter(|(_, moved)| **moved) {
                if caught(|| self.frames(device, now, &mut actions)).is_none() {
                    self.panicked("a DHCP frame", now);
                }
            }
            for id in self.server.turn(&ready.http, now.mono, &mut asked) {
                self.agent.request_gone(id);
            }
            for _ in 0..self.server.take_panics() {
                self.panicked("a connection", now);
            }
            if ready.control {
                self.control(now, &mut actions);
            }
            if self.agent.poll_at() <= now.mono {
                self.timers(now, &mut actions)?;
            }
            if now.mono.saturating_duration_since(self.looked) >= LOOK {
                self.look(now);
                self.watch_disk(now)?;
                self.check_dhcp(now);
            }
            self.perform(&mut asked, &mut actions, now);
            self.write_status(now);
        }
        Ok(())
    }

    /// Waits until a socket moves or something is due.
    fn wait(&self) -> Ready {
        let now = Instant::now();
        let mut fds: Vec<Watched<'_>> = Vec::with_capacity(32);
        fds.push((self.mailbox.fd(), true, false));
        if let Some(signals) = &self.options.signals {
            fds.push((signals.end.as_fd(), true, false));
            fds.push((signals.reload.as_fd(), true, false));
        }
        let signals_at = 1;
        let sip_at = fds.len();
        for socket in self.sip.iter().flatten() {
            fds.push((socket.as_fd(), true, false));
        }
        let taps_at = fds.len();
        for tap in self.dhcp.taps().iter().flatten() {
            fds.push((tap.as_fd(), true, false));
        }
        let control_at = fds.len();
        fds.extend(self.control.fds());
        let http_at = fds.len();
        fds.extend(self.server.fds(now));
        let due = [Some(self.agent.poll_at()), self.server.poll_at(now), Some(self.looked + LOOK)];
        let reload = self.reloaded.filter(|_| self.reload_wanted).map(|at| at + RELOAD_PAUSE);
        let due = due.into_iter().flatten().chain(reload).min().unwrap_or(now);
        let moved = ready::wait(&fds, due.saturating_duration_since(now));
        let mut open_sip = moved.get(sip_at..taps_at).unwrap_or_default().iter();
        let mut open_taps = moved.get(taps_at..control_at).unwrap_or_default().iter();
        Ready {
            signals: moved.get(signals_at..sip_at).is_some_and(|s| s.contains(&true)),
            sip: self.sip.iter().map(|s| s.is_some() && open_sip.next() == Some(&true)).collect(),
            taps: self.dhcp.taps().iter().map(|t| t.is_some() && open_taps.next() == Some(&true)).collect(),
            // patience is looked after at each turn; without a moving socket that is soon enough
            control: moved.get(control_at..http_at).is_some_and(|c| c.contains(&true) || c.len() > 1),
            http: moved.get(http_at..).unwrap_or_default().to_vec(),
        }
    }

    fn datagrams(&mut self, device: usize, now: Now, actions: &mut Vec<Action>) {
        let mut buffer = [0u8; bounds::SIP_DATAGRAM + 1];
        for _ in 0..SIP_TURN {
            let Some(Some(socket)) = self.sip.get(device) else { return };
            let Some((n, from)) = sip::receive(socket, &mut buffer) else { return };
            let port = socket.local_addr().map_or(5060, |a| a.port());
            // from outside its subnets nothing is answered in any case
            let Some(own) = self.devices.get(device).and_then(|d| d.address_for(*from.ip())) else { continue };
            let bytes = buffer.get(..n).unwrap_or_default();
            let local = SocketAddrV4::new(own, port);
            self.agent.datagram(device, local, from, bytes, &self.neighbours, now, actions);
        }
    }

    fn letter(&mut self, letter: Letter, now: Now, actions: &mut Vec<Action>) {
        match letter {
            Letter::Config { id, outcome } => self.agent.fetched(id, outcome, now, actions),
            Letter::StreamHead { id, head } => self.agent.stream_head(id, &head, now, actions),
            Letter::StreamDone { id, result } => self.agent.stream_done(id, result, now, actions),
            Letter::StreamGrew => self.server.feed(now.mono),
            Letter::Stored { key, number, result, bytes, written } => {
                self.agent.stored(&key, number, result, (bytes, written), now, actions);
            }
            Letter::DhcpChecked(found) => {
                self.dhcp.checked(found);
                self.agent.set_dhcp_troubles(self.dhcp.troubles(), now);
            }
            Letter::Candidate { key, sha256, result } => {
                self.agent.candidate_stored(&key, sha256, result, now, actions);
            }
            Letter::Control(id, answer) => self.control.answer(id, &answer, now.mono),
            Letter::Usage { bytes, written } => self.agent.flash_usage(bytes, written, now),
            Letter::DiskTrouble(text) => log::warn!("store: {text}"),
        }
    }

    /// Does what the agent says, until it says nothing more.
    fn perform(&mut self, asked: &mut Vec<Asked>, actions: &mut Vec<Action>, now: Now) {
        while !asked.is_empty() || !actions.is_empty() {
            for a in std::mem::take(asked) {
                if caught(|| self.agent.request(&a, &self.neighbours, now, actions)).is_none() {
                    self.panicked("a request", now);
                    actions.push(Action::Answer(a.id, Answer::error(500, MISTAKE)));
                }
            }
            for action in std::mem::take(actions) {
                let answered = match &action {
                    Action::Answer(id, answer) if answer.status != 500 => Some(*id),
                    _ => None,
                };
                if caught(|| self.act(action, asked, now)).is_none() {
                    self.panicked("an answer or a message", now);
                    actions.extend(answered.map(|id| Action::Answer(id, Answer::error(500, MISTAKE))));
                }
            }
        }
    }

    /// SIP sockets for the devices as they are now; those of unchanged devices stay.
    fn open_sip(&mut self, before: &[Device], mut troubles: Vec<String>) {
        let mut old = std::mem::take(&mut self.sip);
        for (i, device) in self.devices.iter().enumerate() {
            let kept = if before.get(i) == Some(device) { old.get_mut(i).and_then(Option::take) } else { None };
            let wanted = self.agent.config().agent.pnp && !device.addresses.is_empty();
            let socket = match kept {
                Some(socket) if wanted => Some(socket),
                _ if wanted => match sip::open(device, self.options.sip_port) {
                    Ok(socket) => Some(socket),
                    Err(e) => {
                        troubles.push(format!("no PnP on {}: UDP port {}: {e}", device.name, self.options.sip_port));
                        None
                    }
                },
                _ => None,
            };
            self.sip.push(socket);
        }
        self.agent.set_troubles(&troubles, now());
        self.troubles = troubles;
    }

    /// Looks at the devices again, and at what could not be opened before.
    fn look(&mut self, now: Now) {
        self.looked = now.mono;
        let devices = self.options.devices.look();
        if devices == self.devices && self.troubles.is_empty() {
            return;
        }
        let before = std::mem::replace(&mut self.devices, devices);
        let (_, troubles) = self.server.listen(&self.devices, self.agent.config().agent.port);
        self.agent.set_devices(self.devices.clone(), now);
        self.open_sip(&before, troubles);
        if before != self.devices {
            self.open_dhcp(&before, now);
        }
    }

    fn write_status(&mut self, now: Now) {
        if self.status_written.is_some_and(|at| now.mono.saturating_duration_since(at) < STATUS) {
            return;
        }
        self.status_written = Some(now.mono);
        let dir = &self.agent.config().agent.run_dir;
        let (path, temp) = (dir.join("status.json"), dir.join(".status.json.new"));
        let text = format!("{}\n", self.agent.status(now));
        if let Err(e) = std::fs::write(&temp, text).and_then(|()| std::fs::rename(&temp, &path)) {
            log::debug!("status.json: {e}");
        }
    }
}

/// Which sockets moved.
struct Ready {
    signals: bool,
    sip: Vec<bool>,
    taps: Vec<bool>,
    control: bool,
    http: Vec<bool>,
}

/// A number that nobody on the LAN can guess.
fn seed() -> u64 {
    let mut bytes = [0u8; 8];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut f| f.read_exact(&mut bytes));
    match read {
        Ok(()) => u64::from_ne_bytes(bytes),
        // never on Linux; the time and the process are better than a constant
        Err(_) => now().unix ^ u64::from(std::process::id()) << 32,
    }
}
