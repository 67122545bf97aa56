//! One NOTIFY on its way to a phone: sent, repeated until answered, given up. The non-INVITE client transaction of
//! RFC 3261 section 17.1.2, but given up after 5 s instead of 32: phones listen no longer.

use crate::bounds;
use crate::core::types::Sha256;
use crate::proto::sip::{text, Builder, Error, Event, Message};
use std::net::SocketAddrV4;
use std::time::{Duration, Instant};

/// Time to the first repetition; each further one waits twice as long (RFC 3261 T1).
pub const T1: Duration = Duration::from_millis(500);
/// After this long without an answer it is given up.
pub const GIVE_UP: Duration = Duration::from_secs(5);

/// Names for one transaction that nobody on the LAN can guess: a stranger who could, would end our NOTIFYs for us.
pub struct Names {
    /// For From or To: 12 hex digits.
    pub tag: String,
    /// For the Via; holds the transaction's number, so that the answer finds it.
    pub branch: String,
    /// For a Call-ID of our own: 16 hex digits.
    pub call: String,
}

impl Names {
    /// Names of transaction `id` from the secret `seed`.
    pub fn of(seed: u64, id: u64) -> Names {
        let mut secret = [0; 16];
        secret[..8].copy_from_slice(&seed.to_be_bytes());
        secret[8..].copy_from_slice(&id.to_be_bytes());
        let digits = Sha256::of(&secret).to_string();
        let part = |range: std::ops::Range<usize>| digits.get(range).unwrap_or_default();
        Names {
            tag: part(0..12).to_string(),
            branch: [COOKIE, &format!("{id:x}"), "-", part(16..32)].concat(),
            call: part(32..48).to_string(),
        }
    }
}

const COOKIE: &str = "z9hG4bK";

/// The number of the transaction that `message`, a response, answers by its own account.
pub fn answered_id(message: &Message<'_>) -> Option<u64> {
    let branch = message.top_via().ok()?.branch()?;
    let (id, _) = text::strip_prefix_ignore_case(branch, COOKIE)?.split_once('-')?;
    u64::from_str_radix(id, 16).ok()
}

/// A NOTIFY under way.
#[derive(Debug)]
pub struct Notify {
    /// Where it goes, and from where alone its answer may come.
    pub device: usize,
    /// As above.
    pub to: SocketAddrV4,
    /// The datagram.
    pub bytes: Vec<u8>,
    started: Instant,
    interval: Duration,
}

impl Notify {
    /// One that is sent at `now` for the first time.
    pub fn new(device: usize, to: SocketAddrV4, bytes: Vec<u8>, now: Instant) -> Notify {
        Notify { device, to, bytes, started: now, interval: T1 }
    }

    /// When [`Notify::again`] wants to be asked first.
    pub fn first_wake(&self) -> Instant {
        self.started + self.interval
    }

    /// Called when the time has come: `Some(next)` says to send it again now and to ask again at `next`, `None` to
    /// give it up. A caller that comes late gets one repetition, not all that were missed.
    pub fn again(&mut self, now: Instant) -> Option<Instant> {
        let end = self.started + GIVE_UP;
        if now >= end {
            return None;
        }
        self.interval *= 2;
        Some((now + self.interval).min(end))
    }

    /// The status with which `message` ends this transaction: a final response with our Call-ID, CSeq and branch,
    /// from the address it was sent to (the port is not asked: some phones answer from another).
    pub fn answered(&self, message: &Message<'_>, device: usize, from: SocketAddrV4) -> Option<u16> {
        // what was sent is the record of what must come back
        let sent = Message::parse(&self.bytes).ok()?;
        let same = device == self.device
            && from.ip() == self.to.ip()
            && message.call_id() == sent.call_id()
            && message.cseq() == sent.cseq()
            && message.top_via().ok()?.branch() == sent.top_via().ok()?.branch();
        message.code().filter(|code| same && *code >= 200)
    }
}

/// An out-of-dialog NOTIFY that makes a phone fetch its config again (phone-facts 3.7). Phones that are not
/// registered with us take it with the user `anonymous`.
///
/// # Errors
/// When `event` is no usable value of an Event header.
pub fn resync(local: SocketAddrV4, to: SocketAddrV4, event: &str, names: &Names) -> Result<Vec<u8>, Error> {
    if event.len() > bounds::SIP_ECHO || !text::is_printable(event) || Event::parse(event).is_none() {
        return Err(Error::Bad("Event"));
    }
    let (local_text, to_text) = (local.to_string(), to.to_string());
    let uri = ["sip:anonymous@", &to_text].concat();
    let mut b = Builder::request("NOTIFY", &uri);
    b.header("Via", &["SIP/2.0/UDP ", &local_text, ";branch=", &names.branch, ";rport"]);
    b.header("Max-Forwards", &["70"]);
    b.header("From", &["<sip:phoneprov@", &local_text, ">;tag=", &names.tag]);
    b.header("To", &["<", &uri, ">"]);
    b.header("Call-ID", &[&names.call, "@", &local.ip().to_string()]);
    b.header("CSeq", &["1 NOTIFY"]);
    b.header("Contact", &["<sip:phoneprov@", &local_text, ">"]);
    b.header("Event", &[event]);
    b.header("Subscription-State", &["terminated"]);
    b.finish(b"")
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn resync_bytes() {
        let names = Names { tag: "t".into(), branch: "z9hG4bK1-a".into(), call: "c".into() };
        let (local, to) = ("192.168.1.1:5060".parse().unwrap(), "192.168.1.50:5062".parse().unwrap());
        let bytes = resync(local, to, "check-sync;reboot=false", &names).unwrap();
        let want = "NOTIFY sip:anonymous@192.168.1.50:5062 SIP/2.0\r\n\
            Via: SIP/2.0/UDP 192.168.1.1:5060;branch=z9hG4bK1-a;rport\r\nMax-Forwards: 70\r\n\
            From: <sip:phoneprov@192.168.1.1:5060>;tag=t\r\nTo: <sip:anonymous@192.168.1.50:5062>\r\n\
            Call-ID: c@192.168.1.1\r\nCSeq: 1 NOTIFY\r\nContact: <sip:phoneprov@192.168.1.1:5060>\r\n\
            Event: check-sync;reboot=false\r\nSubscription-State: terminated\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(String::from_utf8(bytes).unwrap(), want);
        for bad in ["", "a b", "check-sync\r\nX: y", &"x".repeat(bounds::SIP_ECHO + 1)] {
            assert_eq!(resync(local, to, bad, &names), Err(Error::Bad("Event")));
        }
    }

    #[test]
    fn names_differ_and_lead_back() {
        let (a, b, other) = (Names::of(7, 26), Names::of(7, 27), Names::of(8, 26));
        assert!(a.tag != b.tag && a.tag != other.tag && a.branch != other.branch && a.call != b.call);
        assert!(a.branch.starts_with("z9hG4bK1a-"));
        let text = format!("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch={}\r\n\r\n", a.branch);
        assert_eq!(answered_id(&Message::parse(text.as_bytes()).unwrap()), Some(26));
    }

    #[test]
    fn a_late_caller_sends_once_and_never_past_the_end() {
        let t0 = Instant::now();
        let at = |ms| t0 + Duration::from_millis(ms);
        let mut n = Notify::new(0, "10.0.0.1:5060".parse().unwrap(), Vec::new(), t0);
        assert_eq!(n.first_wake(), at(500));
        assert_eq!(n.again(at(3000)), Some(at(4000)));
        assert_eq!(n.again(at(4000)), Some(at(5000)));
        assert_eq!(n.again(at(5000)), None);
    }
}
