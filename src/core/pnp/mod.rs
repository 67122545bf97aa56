//! SIP PnP dialogs: a phone multicasts SUBSCRIBE, gets 200 and NOTIFY with the URL of its configuration.
//!
//! Whoever is no phone of ours hears nothing at all, so that another responder on the LAN can serve it. Answers go to
//! the address and port a packet came from, never to one that stands in it.

mod answer;
#[cfg(test)]
mod test;

use crate::bounds;
use crate::core::notify::{self, Names, Notify};
use crate::core::rate::{self, Rate};
use crate::proto::mac::Mac;
use crate::proto::sip::{Error, Facts, Message, Start};
use crate::sorted::{SortedMap, SortedSet};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

/// How long a repeated SUBSCRIBE gets the same answer: the longest a request can be under way (RFC 3261 timer J).
pub const REMEMBERED: Duration = Duration::from_secs(32);

const RATE: rate::Limits = rate::Limits {
    most: bounds::SIP_RATE,
    window: Duration::from_secs(bounds::SIP_RATE_WINDOW),
    sources: bounds::SIP_RATE_SOURCES,
};

/// What a SUBSCRIBE says of the phone that sent it. All of it is the phone's claim, `from` and `device` apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting<'a> {
    /// In any of its spellings; `None` when the request has none (AudioCodes).
    pub mac: Option<Mac>,
    /// User-Agent, printable ASCII.
    pub user_agent: Option<&'a str>,
    /// The Event header's `vendor` or `vender`: `snom`, but also `OEM`.
    pub event_vendor: Option<&'a str>,
    /// The Event header's `model`, unless it says nothing (`OEM`, `VOIP PHONE`, the vendor's name).
    pub model: Option<&'a str>,
    /// The Event header's `version`.
    pub version: Option<&'a str>,
    /// Source of the packet.
    pub from: SocketAddrV4,
    /// Device it came in by.
    pub device: usize,
}

/// What is to be done, or has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PnpAction {
    /// Send one datagram from port 5060 of that device.
    Send {
        /// Device it leaves by.
        device: usize,
        /// Address and port of the phone.
        to: SocketAddrV4,
        /// The datagram.
        bytes: Vec<u8>,
    },
    /// The phone answered the NOTIFY.
    Confirmed {
        /// As the SUBSCRIBE had it.
        mac: Option<Mac>,
        /// Device of the phone.
        device: usize,
        /// Status code of the answer, 200 to 699.
        code: u16,
    },
    /// No answer to the NOTIFY within 5 s, or more phones at once than can be remembered.
    GaveUp {
        /// As the SUBSCRIBE had it.
        mac: Option<Mac>,
        /// Device of the phone.
        device: usize,
    },
    /// A [`Pnp::notify`] has ended.
    ResyncDone {
        /// What [`Pnp::notify`] returned.
        id: u32,
        /// The phone.
        mac: Mac,
        /// Status code of the answer; `None` when none came within 5 s.
        code: Option<u16>,
    },
}

/// What makes a SUBSCRIBE the same one again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Request {
    device: usize,
    from: SocketAddrV4,
    cseq: u32,
    call_id: Box<str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The NOTIFY is repeated until it is answered.
    Waiting,
    /// Given up, but a late answer still counts.
    GaveUp,
    Confirmed,
}

struct Dialog {
    request: Request,
    mac: Option<Mac>,
    ok: Vec<u8>,
    notify: Notify,
    state: State,
    /// When it is looked at next: its entry in `Pnp::timers`.
    wake: Instant,
    /// When it is forgotten.
    end: Instant,
}

impl Dialog {
    /// Bytes it keeps, nearly.
    fn size(&self) -> usize {
        self.ok.len() + self.notify.bytes.len() + 2 * self.request.call_id.len()
    }
}

struct Resync {
    mac: Mac,
    notify: Notify,
    wake: Instant,
}

/// The PnP server of all devices.
pub struct Pnp {
    seed: u64,
    /// Number of the newest transaction. Dialogs and resyncs count together, so that a branch names one of either.
    last_id: u64,
    dialogs: SortedMap<u64, Box<Dialog>>,
    by_request: SortedMap<Request, u64>,
    /// Dialogs that wait for nothing: the first to go when room is needed.
    finished: SortedSet<u64>,
    /// Sum of [`Dialog::size`].
    kept: usize,
    resyncs: SortedMap<u64, Resync>,
    /// One entry for each dialog and each resync: its `wake`.
    timers: SortedSet<(Instant, u64)>,
    rate: Rate,
}

impl Pnp {
    /// `seed` is a secret of this run: tags and branches come from it, and nobody must be able to guess them.
    pub fn new(seed: u64) -> Pnp {
        Pnp {
            seed,
            last_id: 0,
            dialogs: SortedMap::new(),
            by_request: SortedMap::new(),
            finished: SortedSet::new(),
            kept: 0,
            resyncs: SortedMap::new(),
            timers: SortedSet::new(),
            rate: Rate::new(RATE),
        }
    }

    /// Takes one datagram that came from `from` on `device`, where our own address and port is `local`.
    ///
    /// `decide` returns the URL for this phone, or `None` for silence. It is asked once for each new dialog; silence
    /// is not remembered, so that a phone may be known by the time it repeats itself.
    #[allow(clippy::too_many_arguments)] // one datagram and the two ends of a call; a struct would hide that
    pub fn datagram(
        &mut self,
        device: usize,
        local: SocketAddrV4,
        from: SocketAddrV4,
        bytes: &[u8],
        now: Instant,
        decide: &mut dyn FnMut(&Sighting<'_>) -> Option<String>,
        out: &mut Vec<PnpAction>,
    ) {
        if !is_station(from) || from == local {
            return;
        }
        let Ok(message) = Message::parse(bytes) else { return };
        match message.start {
            Start::Response { .. } => self.response(device, from, &message, now, out),
            // whatever is wrong with it, the answer is silence
            Start::Request { method: "SUBSCRIBE", .. } => {
                let _ = self.subscribe(device, local, from, &message, now, decide, out);
            }
            Start::Request { .. } => {}
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn subscribe(
        &mut self,
        device: usize,
        local: SocketAddrV4,
        from: SocketAddrV4,
        message: &Message<'_>,
        now: Instant,
        decide: &mut dyn FnMut(&Sighting<'_>) -> Option<String>,
        out: &mut Vec<PnpAction>,
    ) -> Result<(), Error> {
        if !message.event()?.is_ua_profile() {
            return Ok(());
        }
        let (cseq, method) = message.cseq()?;
        if method != "SUBSCRIBE" || cseq == (1 << 31) - 1 {
            return Err(Error::Bad("CSeq"));
        }
        let call_id = message.call_id()?.into();
        if !self.rate.admit(*from.ip(), now) {
            return Ok(());
        }
        let request = Request { device, from, cseq, call_id };
        if let Some(id) = self.by_request.get(&request).copied() {
            if let Some(dialog) = self.dialogs.get(&id).filter(|dialog| now < dialog.end) {
                dialog.send(out);
                return Ok(());
            }
            self.remove(id);
        }
        let id = self.last_id + 1;
        let names = Names::of(self.seed, id);
        let ok = answer::ok(message, local, from, &names)?;
        let facts = Facts::of(message);
        let sighting = Sighting {
            mac: facts.mac,
            user_agent: facts.user_agent,
            event_vendor: facts.event_vendor,
            model: facts.model,
            version: facts.version,
            from,
            device,
        };
        let Some(url) = decide(&sighting) else { return Ok(()) };
        let notify = answer::notify(message, local, from, &names, facts.content_type, &url)?;
        self.last_id = id;
        let notify = Notify::new(device, from, notify, now);
        let wake = notify.first_wake();
        let end = now + REMEMBERED;
        let dialog = Dialog { request, mac: facts.mac, ok, notify, state: State::Waiting, wake, end };
        self.make_room(dialog.size(), out);
        dialog.send(out);
        self.kept += dialog.size();
        self.timers.insert((wake, id));
        self.by_request.insert(dialog.request.clone(), id);
        self.dialogs.insert(id, Box::new(dialog));
        Ok(())
    }

    fn response(
        &mut self,
        device: usize,
        from: SocketAddrV4,
        message: &Message<'_>,
        now: Instant,
        out: &mut Vec<PnpAction>,
    ) {
        let Some(id) = notify::answered_id(message) else { return };
        if let Some(dialog) = self.dialogs.get_mut(&id) {
            let Some(code) = dialog.notify.answered(message, device, from) else { return };
            if dialog.state != State::Confirmed && now < dialog.end {
                dialog.state = State::Confirmed;
                out.push(PnpAction::Confirmed { mac: dialog.mac, device, code });
                self.finish(id);
            }
        } else if let Some(resync) = self.resyncs.get(&id) {
            let Some(code) = resync.notify.answered(message, device, from) else { return };
            let (wake, mac) = (resync.wake, resync.mac);
            out.push(PnpAction::ResyncDone { id: id as u32, mac, code: Some(code) });
            self.timers.remove(&(wake, id));
            self.resyncs.remove(&id);
        }
    }

    /// Does what is due at `now`: repeats NOTIFYs, gives them up, forgets old dialogs.
    pub fn timeout(&mut self, now: Instant, out: &mut Vec<PnpAction>) {
        while let Some((wake, id)) = self.timers.first().copied().filter(|(wake, _)| *wake <= now) {
            self.timers.remove(&(wake, id));
            if let Some(dialog) = self.dialogs.get_mut(&id) {
                if dialog.state != State::Waiting {
                    self.remove(id);
                } else if let Some(next) = dialog.notify.again(now) {
                    dialog.wake = next;
                    self.timers.insert((next, id));
                    out.push(dialog.notify.send());
                } else {
                    dialog.state = State::GaveUp;
                    out.push(PnpAction::GaveUp { mac: dialog.mac, device: dialog.request.device });
                    self.finish(id);
                }
            } else if let Some(resync) = self.resyncs.get_mut(&id) {
                if let Some(next) = resync.notify.again(now) {
                    resync.wake = next;
                    self.timers.insert((next, id));
                    out.push(resync.notify.send());
                } else {
                    out.push(PnpAction::ResyncDone { id: id as u32, mac: resync.mac, code: None });
                    self.resyncs.remove(&id);
                }
            }
        }
    }

    /// When [`Pnp::timeout`] has something to do next.
    pub fn poll_at(&self) -> Option<Instant> {
        self.timers.first().map(|(wake, _)| *wake)
    }

    /// Sends the phone `mac` at `to` an out-of-dialog NOTIFY with this Event value (`check-sync;reboot=false`). Ends
    /// with [`PnpAction::ResyncDone`] of the returned number within 5 s. `None` when `event` cannot stand in a header,
    /// `to` is no station's address, or [`bounds::SIP_RESYNCS`] are under way.
    #[allow(clippy::too_many_arguments)]
    pub fn notify(
        &mut self,
        device: usize,
        local: SocketAddrV4,
        to: SocketAddrV4,
        mac: Mac,
        event: &str,
        now: Instant,
        out: &mut Vec<PnpAction>,
    ) -> Option<u32> {
        if self.resyncs.len() >= bounds::SIP_RESYNCS || !is_station(to) {
            return None;
        }
        let id = self.last_id + 1;
        let bytes = notify::resync(local, to, event, &Names::of(self.seed, id)).ok()?;
        self.last_id = id;
        let notify = Notify::new(device, to, bytes, now);
        let wake = notify.first_wake();
        out.push(notify.send());
        self.timers.insert((wake, id));
        self.resyncs.insert(id, Resync { mac, notify, wake });
        Some(id as u32)
    }

    /// From now on the dialog only waits to be forgotten.
    fn finish(&mut self, id: u64) {
        if let Some(dialog) = self.dialogs.get_mut(&id) {
            self.timers.remove(&(dialog.wake, id));
            dialog.wake = dialog.end;
            self.timers.insert((dialog.wake, id));
            self.finished.insert(id);
        }
    }

    fn remove(&mut self, id: u64) -> Option<Dialog> {
        let dialog = self.dialogs.remove(&id)?;
        self.timers.remove(&(dialog.wake, id));
        self.finished.remove(&id);
        self.by_request.remove(&dialog.request);
        self.kept -= dialog.size();
        Some(*dialog)
    }

    /// Room for one more dialog of `size` bytes: the oldest finished ones go first, then the oldest.
    fn make_room(&mut self, size: usize, out: &mut Vec<PnpAction>) {
        while self.dialogs.len() >= bounds::SIP_DIALOGS || self.kept + size > bounds::SIP_DIALOG_BYTES {
            let oldest = self.finished.first().or_else(|| self.dialogs.keys().next()).copied();
            let Some(dialog) = oldest.and_then(|id| self.remove(id)) else { return };
            if dialog.state == State::Waiting {
                out.push(PnpAction::GaveUp { mac: dialog.mac, device: dialog.request.device });
            }
        }
    }
}

impl Dialog {
    /// The whole answer, 200 first.
    fn send(&self, out: &mut Vec<PnpAction>) {
        let Notify { device, to, .. } = self.notify;
        out.push(PnpAction::Send { device, to, bytes: self.ok.clone() });
        out.push(self.notify.send());
    }
}

impl Notify {
    fn send(&self) -> PnpAction {
        PnpAction::Send { device: self.device, to: self.to, bytes: self.bytes.clone() }
    }
}

/// Can this be the address of one station, so that an answer reaches nobody else?
fn is_station(address: SocketAddrV4) -> bool {
    let ip = address.ip();
    address.port() != 0 && !ip.is_multicast() && !ip.is_unspecified() && *ip != Ipv4Addr::BROADCAST
}
