//! A phone is plugged in: SUBSCRIBE by sipp as the real phone sends it, the URL, the config; and silence to others.

use crate::build::Test;
use crate::phone::Datagram;
use crate::sip;
use crate::upstream::Upstream;
use crate::{bodies, eventually};
use std::net::SocketAddr;
use std::time::Duration;

/// A vendor section of the lab whose config is `/prov/NAME/…`.
struct Brand {
    vendor: &'static str,
    oui: &'static str,
    url: &'static str,
}

const SNOM: Brand =
    Brand { vendor: "snom", oui: "00:04:13:*:*:*", url: "{upstream}/prov/snom/settings.php?mac={mac}&pass={provpass}" };
const YEALINK: Brand = Brand { vendor: "yealink", oui: "00:15:65:*:*:*", url: "{upstream}/prov/yealink/" };
const YEALINK_NEW: Brand = Brand { vendor: "yealink", oui: "80:5e:0c:*:*:*", url: "{upstream}/prov/yealink/" };
const GRANDSTREAM: Brand = Brand { vendor: "grandstream", oui: "c0:74:ad:*:*:*", url: "{upstream}/prov/grandstream/" };
const FANVIL: Brand = Brand { vendor: "fanvil", oui: "0c:38:3e:*:*:*", url: "{upstream}/prov/fanvil/" };

/// sipp is the phone: takes the URL, and it is one on the router, without the secret. Gives URL and NOTIFY.
fn plug_in(test: &str, brand: &Brand, mac: &str, fixture: &str, port: u16) {
    let Some(t) = Test::new(test).phone(mac).vendor(brand.vendor, brand.oui, brand.url).needs("sipp").start() else {
        return;
    };
    let phone = t.phone(0);
    if !sip::fixture(fixture).message(&phone.hex(), phone.ip, port).contains(&phone.hex()) {
        let _ = phone.connect(); // any packet to the router, as DHCP was a moment ago: it is a neighbour now
    }
    let got = phone.sipp_from(fixture, port);
    assert!(got.ok, "{}", got.log);
    let url = got.url.expect("a URL");
    let notify = got.notify.expect("a NOTIFY");
    let answer = got.answer.expect("a 200");
    let sent = sip::fixture(fixture).message(&phone.hex(), phone.ip, port);

    assert!(url.starts_with(&format!("http://192.168.77.1:8480/{}", brand.vendor)), "{url}");
    assert!(!url.contains(bodies::PROVPASS) && !url.contains("pass=") && !url.contains('{'), "{url}");
    if brand.vendor == "snom" {
        let lower = url.to_ascii_lowercase();
        assert_eq!(lower, format!("http://192.168.77.1:8480/snom/settings.php?mac={}", phone.hex()));
    } else {
        assert!(url.ends_with('/'), "this brand needs a folder: {url}");
    }
    // RFC 6665 4.1, and what phones are known to take (phone-facts 1.5)
    assert_eq!(sip::body(&notify), url, "nothing but the URL is in the body: {notify}");
    assert_eq!(sip::header(&notify, "Content-Length"), Some(url.len().to_string().as_str()));
    assert_eq!(sip::header(&notify, "Content-Type"), Some("application/url"));
    assert_eq!(sip::header(&notify, "Subscription-State"), Some("terminated;reason=timeout"));
    assert_eq!(sip::header(&notify, "Event"), sip::header(&sent, "Event"));
    assert!(notify.starts_with(&format!("NOTIFY {} ", contact(&sent))), "{notify}");
    for name in ["From", "Via", "CSeq"] {
        assert_eq!(
            sip::header(&answer, name).map(|v| v.split(";r").next()),
            sip::header(&sent, name).map(|v| v.split(";r").next())
        );
    }
    let tag = |m: &str, h: &str| sip::header(m, h).and_then(|v| v.split("tag=").nth(1)).map(str::to_string);
    assert!(tag(&answer, "To").is_some_and(|t| t.len() >= 8), "{answer}");
    assert_eq!(tag(&answer, "To"), tag(&notify, "From"), "one dialog");
    assert_eq!(tag(&sent, "From"), tag(&notify, "To"), "one dialog");

    let entry = t.agent().entry(mac);
    assert_eq!(entry["vendor"], brand.vendor, "{entry}");
    assert_eq!(entry["ip"], phone.ip.to_string(), "{entry}");
    assert!(entry["seen_by"].as_array().is_some_and(|a| a.iter().any(|s| s == "pnp")), "{entry}");
    let first_digit = sip::header(&sent, "Event").is_some_and(|e| e.contains("OEM"));
    assert!(first_digit || entry["firmware"].is_string(), "the Event header names it: {entry}");
}

fn contact(message: &str) -> String {
    sip::header(message, "Contact").unwrap_or("").trim_matches(['<', '>']).to_string()
}

#[test]
fn snom_d120() {
    plug_in("pnp-d120", &SNOM, "00:04:13:0a:bb:cc", "snom-d120", 5060);
}

#[test]
fn snom_370_names_itself_oem() {
    plug_in("pnp-370", &SNOM, "00:04:13:5e:4b:49", "snom-370", 5060);
}

#[test]
fn snom_m700_has_its_mac_in_to_only() {
    plug_in("pnp-m700", &SNOM, "00:04:13:6a:bc:de", "snom-m700", 5060);
}

#[test]
fn grandstream_on_5080() {
    plug_in("pnp-gs", &GRANDSTREAM, "c0:74:ad:11:22:33", "grandstream", 5080);
}

#[test]
fn yealink_without_separator_on_5059() {
    plug_in("pnp-t21p", &YEALINK, "00:15:65:73:22:ff", "yealink-t21p", 5059);
}

#[test]
fn yealink_t53w() {
    plug_in("pnp-t53w", &YEALINK_NEW, "80:5e:0c:4d:79:6d", "yealink-t53w", 5060);
}

#[test]
fn planet_writes_mac_equals_and_no_tag() {
    plug_in("pnp-planet", &FANVIL, "0c:38:3e:a9:99:48", "planet", 5060);
}

/// It names neither MAC nor vendor: the neighbour table tells who it is, and a brand that the program does not know is
/// served by its section of the config alone.
#[test]
fn audiocodes_is_known_by_its_neighbour_entry() {
    let brand = Brand { vendor: "audiocodes", oui: "00:90:8f:*:*:*", url: "{upstream}/prov/audiocodes/" };
    plug_in("pnp-audc", &brand, "00:90:8f:60:2a:ac", "audiocodes", 5060);
}

#[test]
fn then_curl_gets_the_config_from_nginx() {
    let mac = "00:04:13:00:00:01";
    let Some(t) = Test::new("pnp-curl").phone(mac).phone("00:08:5d:00:00:02").needs("sipp").needs("curl").start()
    else {
        return;
    };
    let (snom, mitel) = (t.put_snom(0, "from nginx"), t.put_mitel(1, "from nginx"));
    t.upstream().put("/prov/snom/settings.php@000413000001", snom.clone()); // whichever case the URL takes
    let url = t.phone(0).sipp("snom-d120").url.expect("a URL");
    assert_eq!(t.phone(0).curl(&url), (200, snom.clone()));
    let hits = t.upstream().hits();
    assert_eq!(hits.len(), 1, "{hits:?}");
    assert_eq!(hits[0].user_agent, t.phone(0).user_agent(), "unchanged");
    assert_eq!(hits[0].host, "prov.example.test");
    assert!(hits[0].target.starts_with("/prov/snom/settings.php?mac="), "{hits:?}");
    assert!(hits[0].target.ends_with(&format!("&pass={}", bodies::PROVPASS)), "the secret goes up: {hits:?}");

    // a Mitel sends no SUBSCRIBE: it comes with the URL of DHCP, and asks for its files in its own order
    let base = "http://192.168.77.1:8480/mitel/";
    let mac = t.phone(1).hex_upper();
    for missing in ["security.tuz", "6731i.cfg"] {
        assert_eq!(t.phone(1).curl(&format!("{base}{missing}")).0, 404, "{missing}: optional files stay 404");
    }
    assert_eq!(t.phone(1).curl(&format!("{base}{mac}.cfg")), (200, mitel.clone()));
    let answer = t.phone(1).config();
    assert!(answer.whole && answer.header("Content-Length").is_some() && answer.header("Transfer-Encoding").is_none());

    for (phone, body) in [(t.phone(0), &snom), (t.phone(1), &mitel)] {
        let entry = t.agent().entry(&phone.mac);
        let config = &entry["config"];
        assert_eq!(config["sha256"], bodies::sha256(body), "{entry}");
        assert_eq!(config["size"], body.len(), "{entry}");
        assert!(config["stored_at"].as_u64() > Some(1_600_000_000), "{entry}");
        assert!(config["served_at"].as_u64() >= config["stored_at"].as_u64(), "{entry}");
        assert!(entry["seen_by"].as_array().is_some_and(|a| a.iter().any(|s| s == "http")), "{entry}");
    }
    let status = t.agent().status();
    assert_eq!(status["phones"]["served"], 2, "{status}");
}

#[test]
fn https_upstream() {
    let Some(t) = Test::new("pnp-https").phone("00:04:13:00:00:01").upstream(Upstream::nginx().https()).start() else {
        return;
    };
    let body = t.put_snom(0, "by TLS");
    let answer = t.phone(0).config();
    assert_eq!((answer.status, &answer.body), (200, &body), "{}", answer.text());
    assert_eq!(answer.x_phoneprov().0, "fresh");
}

/// Nothing at all comes to phone 0 when it sends this; then phone 1, a good one, is answered: the agent lives.
fn silence(test: Test, message: impl Fn(&crate::phone::Phone) -> String) {
    let Some(t) = test.phone("00:04:13:00:00:77").start() else { return };
    let (stranger, good) = (t.phone(0), t.phone(1));
    std::thread::sleep(Duration::from_millis(500));
    t.agent().router().nft(
        "table inet lab { counter sip { }; chain out { type filter hook output priority 0; udp sport 5060 counter name sip; }; }",
    );
    let sip_packets = || t.agent().router().run("nft list counter inet lab sip").contains("packets 0 ");
    let counter = stranger.count_packets();
    let got = stranger.subscribe(&message(stranger), 5060, Duration::from_secs(2), 1);
    assert!(got.is_empty(), "{got:?}");
    assert_eq!(counter.packets(), 0, "no packet of any kind");
    assert!(sip_packets(), "the router did not even try");
    let own = sip::fixture("snom-d120").message(&good.hex(), good.ip, 5060);
    let answered = good.subscribe(&own, 5060, Duration::from_millis(800), 1);
    assert_eq!(answered.len(), 2, "the others are still served, and the counters count: {answered:?}");
    assert!(!sip_packets());
}

#[test]
fn silence_to_an_unknown_oui() {
    silence(Test::new("pnp-oui").phone("02:aa:bb:00:00:01"), |p| {
        sip::fixture("audiocodes").message(&p.hex(), p.ip, 5060)
    });
}

#[test]
fn silence_to_an_unknown_oui_with_its_mac_in_the_message() {
    silence(Test::new("pnp-oui2").phone("02:aa:bb:00:00:01"), |p| sip::fixture("planet").message(&p.hex(), p.ip, 5060));
}

#[test]
fn silence_to_another_subnet() {
    silence(Test::new("pnp-subnet").phone_at("00:04:13:00:00:01", "192.168.99.5/24"), |p| {
        sip::fixture("snom-d120").message(&p.hex(), p.ip, 5060)
    });
}

#[test]
fn silence_to_a_disabled_vendor() {
    silence(
        Test::new("pnp-off")
            .phone("00:15:65:00:00:01")
            .vendor("yealink", YEALINK.oui, YEALINK.url)
            .vendor_off("yealink"),
        |p| sip::fixture("yealink-t53w").message(&p.hex(), p.ip, 5060),
    );
}

#[test]
fn silence_to_another_event() {
    silence(Test::new("pnp-event").phone("00:04:13:00:00:01"), |p| {
        let m = sip::fixture("snom-d120").message(&p.hex(), p.ip, 5060);
        m.replace("Event: ua-profile;", "Event: message-summary;")
    });
}

#[test]
fn silence_to_another_method() {
    silence(Test::new("pnp-method").phone("00:04:13:00:00:01"), |p| {
        let m = sip::fixture("snom-d120").message(&p.hex(), p.ip, 5060);
        m.replace("SUBSCRIBE", "REGISTER")
    });
}

fn notifies(all: &[Datagram]) -> Vec<&Datagram> {
    all.iter().filter(|d| d.text.starts_with("NOTIFY ")).collect()
}

#[test]
fn a_lost_answer_causes_retransmissions_that_end() {
    let Some(t) = Test::new("pnp-retransmit").phone("00:04:13:00:00:01").start() else { return };
    let p = t.phone(0);
    let message = sip::fixture("snom-d120").message(&p.hex(), p.ip, 5060);
    let got = p.subscribe(&message, 5060, Duration::from_secs(8), 0);
    let times: Vec<f64> = notifies(&got).iter().map(|d| d.after.as_secs_f64()).collect();
    assert!((4..=5).contains(&times.len()), "T1 500 ms doubling: at 0, 0.5, 1.5, 3.5 s: {times:?}");
    for (pair, gap) in times.windows(2).zip([0.5, 1.0, 2.0, 4.0]) {
        assert!((pair[1] - pair[0] - gap).abs() < 0.3, "{times:?}");
    }
    assert!(times.last().is_some_and(|t| *t <= 5.2), "ends by 5 s: {times:?}");
    let first = &notifies(&got)[0].text;
    assert!(notifies(&got).iter().all(|d| d.text == *first), "a retransmission is the same message");
    assert_eq!(got.iter().filter(|d| d.text.starts_with("SIP/2.0 200")).count(), 1);
    assert!(got.iter().all(|d| d.from == "192.168.77.1:5060".parse::<SocketAddr>().unwrap()), "{got:?}");
}

#[test]
fn a_late_answer_ends_them() {
    let Some(t) = Test::new("pnp-late").phone("00:04:13:00:00:01").start() else { return };
    let p = t.phone(0);
    let message = sip::fixture("snom-d120").message(&p.hex(), p.ip, 5060);
    let got = p.subscribe(&message, 5060, Duration::from_secs(5), 2);
    assert_eq!(notifies(&got).len(), 2, "{got:?}");
}

#[test]
fn a_repeated_subscribe_gets_the_same_answer() {
    let Some(t) = Test::new("pnp-repeat").phone("00:04:13:00:00:01").start() else { return };
    let p = t.phone(0);
    let message = sip::fixture("snom-d120").message(&p.hex(), p.ip, 5060);
    let once = p.subscribe(&message, 5060, Duration::from_millis(300), 1);
    let again = p.subscribe(&message, 5060, Duration::from_millis(300), 1);
    let texts = |all: &[Datagram]| all.iter().map(|d| d.text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(&once).len(), 2, "{once:?}");
    assert_eq!(texts(&once), texts(&again), "same tag, same branch, no new dialog");
}

#[test]
fn one_packet_in_never_causes_more_than_one_phones_answer() {
    let Some(t) = Test::new("pnp-flood").phone("00:04:13:00:00:01").phone("00:04:13:00:00:02").start() else { return };
    let (p, other) = (t.phone(0), t.phone(1));
    // Contact and Via point at another phone: the answers go to where the packet came from
    let message = sip::fixture("snom-d120")
        .message(&p.hex(), p.ip, 5060)
        .replace(&format!("Contact: <sip:{}", p.ip), &format!("Contact: <sip:{}", other.ip));
    let _ = p.connect(); // so that the router need not ask the whole cable for this phone's MAC
    let counter = other.count_packets();
    let got = p.subscribe(&message, 5060, Duration::from_millis(800), 1);
    assert!(got.len() <= 2, "{got:?}");
    assert_eq!(counter.packets(), 0, "nothing goes to an address of the message");
    // a flood of new dialogs is bounded
    let socket = p.udp(5060);
    for _ in 0..2000 {
        let m = sip::fixture("snom-d120").message(&p.hex(), p.ip, 5060);
        let _ = socket.send_to(m.as_bytes(), crate::phone::GROUP);
    }
    socket.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
    let mut answers = 0;
    let mut buffer = [0u8; 4096];
    while let Ok((n, _)) = socket.recv_from(&mut buffer) {
        answers += usize::from(buffer[..n].starts_with(b"SIP/2.0 200"));
    }
    assert!((1..=100).contains(&answers), "{answers} answers to 2,000 SUBSCRIBEs of one source");
    t.agent().assert_alive();
}

#[test]
fn the_device_goes_and_comes_back() {
    let Some(t) = Test::new("pnp-link").phone("00:04:13:00:00:01").start() else { return };
    let p = t.phone(0);
    let router = t.agent().router();
    router.ip("link set br-lan down");
    std::thread::sleep(Duration::from_millis(300));
    router.ip("link set lan0 nomaster");
    router.ip("link del br-lan");
    router.ip("link add br-lan address 02:77:00:00:00:01 type bridge");
    router.ip("link set br-lan up");
    router.ip("addr add 192.168.77.1/24 dev br-lan");
    router.ip("link set lan0 master br-lan");
    eventually("the group is joined again on the new device", Duration::from_secs(15), || {
        let message = sip::fixture("snom-d120").message(&p.hex(), p.ip, 5060);
        p.subscribe(&message, 5060, Duration::from_millis(400), 1).len() >= 2
    });
    let body = t.put_snom(0, "after");
    eventually("HTTP listens again", Duration::from_secs(15), || {
        p.try_get(&p.config_target(), &[]).is_ok_and(|a| a.body == body)
    });
}

#[test]
fn not_from_the_wan() {
    let Some(t) = Test::new("pnp-wan").phone("00:04:13:00:00:01").start() else { return };
    for address in ["10.77.0.1:8480", "192.168.77.1:8480"] {
        let address: SocketAddr = address.parse().unwrap();
        let wan = t.upstream().ns();
        let _ = wan.command("ip").args(["route", "add", "192.168.77.0/24", "via", "10.77.0.1"]).output();
        let answer = wan
            .inside(|| crate::http::get(address, "/snom/settings.php?mac=000413000001", &[], Duration::from_secs(3)));
        if let Ok(a) = answer {
            assert_eq!((a.status, address.ip().to_string().as_str()), (403, "192.168.77.1"), "{}", a.text());
        }
    }
}
