//! The agent through its days: signals, a second one, ports that are taken, devices that come and go, restarts; who
//! gets which config, and what is HTTP to the letter.

use crate::bodies::{self, PROVPASS};
use crate::build::{Lab, Test};
use crate::faulty::Fault;
use crate::frames::{client, frame, Card};
use crate::http::{self, Answer};
use crate::netns::{self, Ns};
use crate::phone::Phone;
use crate::verbs::hup;
use crate::{agent::binary, eventually, sip};
use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

const SNOM: &str = "00:04:13:00:00:01";
const MITEL: &str = "00:08:5d:00:00:02";
const YEALINK: &str = "00:15:65:00:00:03";

fn edit(t: &Lab, change: impl Fn(&str) -> String) {
    let file = t.agent().config_file();
    let old = fs::read_to_string(file).expect("read");
    let new = change(&old);
    assert_ne!(old, new, "the edit changes something");
    fs::write(file, new).expect("written");
}

fn events(t: &Lab, kind: &str) -> String {
    let all = t.agent().events();
    let all = all["events"].as_array().expect("a list").iter().filter(|e| e["kind"] == kind);
    all.map(|e| format!("{}\n", e["text"].as_str().unwrap_or(""))).collect()
}

/// Is this phone told a URL by PnP? Gives it.
fn pnp(phone: &Phone, fixture: &str) -> Option<String> {
    let message = sip::fixture(fixture).message(&phone.hex(), phone.ip, 5060);
    let got = phone.subscribe(&message, 5060, Duration::from_millis(400), 1);
    got.iter().find(|d| d.text.starts_with("NOTIFY ")).map(|d| sip::body(&d.text).to_string())
}

#[test]
fn a_reload_takes_a_new_vendor_and_another_upstream() {
    let t = Test::new("life-hup")
        .phone(SNOM)
        .phone(YEALINK)
        .vendor("yealink", "00:15:65:*:*:*", "{upstream}/prov/yealink/")
        .vendor_off("yealink")
        .start();
    let Some(t) = t else { return };
    let one = t.put_snom(0, "one");
    assert_eq!(t.phone(0).config().body, one);
    t.upstream().put(&format!("/prov/yealink/{}.cfg", t.phone(1).hex()), "#!version:1.0.0.1\naccount.1.enable = 1\n");
    assert_eq!(pnp(t.phone(1), "yealink-t53w"), None);
    assert_eq!(t.phone(1).config().status, 404);

    edit(&t, |c| {
        c.replace("config vendor 'yealink'\n\toption enabled '0'", "config vendor 'yealink'\n\toption enabled '1'")
    });
    hup(&t);
    assert!(events(&t, "agent").contains("the config was read again"));
    assert_eq!(pnp(t.phone(1), "yealink-t53w").as_deref(), Some("http://192.168.77.1:8480/yealink/"));
    assert_eq!(t.phone(1).config().status, 200);
    assert_eq!(t.agent().entry(YEALINK)["vendor"], "yealink");

    // the upstream moves: from then on it is asked there, and the last good stays
    let two = bodies::snom(&t.phone(0).hex(), "two", 9000);
    t.upstream().put_of("/moved/snom/settings.php", &t.phone(0).hex_upper(), two.clone());
    t.upstream().forget_hits();
    edit(&t, |c| c.replace("{upstream}/prov/snom/", "{upstream}/moved/snom/"));
    hup(&t);
    assert_eq!(t.phone(0).config().body, two);
    assert!(t.upstream().hits().iter().all(|h| h.target.starts_with("/moved/")), "{:?}", t.upstream().hits());
    edit(&t, |c| c.replace("option upstream 'http://", "option upstream 'http://nowhere."));
    hup(&t);
    let answer = t.phone(0).config();
    assert_eq!((answer.body, answer.status), (two, 200), "the last good of before");
    assert!(t.agent().status()["upstream"]["url"].as_str().is_some_and(|u| u.contains("nowhere.")));
}

#[test]
fn a_broken_config_is_not_taken_and_said() {
    let Some(t) = Test::new("life-broken").phone(SNOM).start() else { return };
    let one = t.put_snom(0, "one");
    assert_eq!(t.phone(0).config().body, one);
    let good = fs::read_to_string(t.agent().config_file()).expect("read");
    edit(&t, |c| format!("{c}optoin x 'y'\n"));
    hup(&t);
    let said = events(&t, "agent");
    let line = good.lines().count() + 1;
    assert!(
        said.contains("the one before stays in force") && said.contains(&format!("phoneprov.uci:{line}: ")),
        "{said}"
    );
    assert!(t.agent().log().contains("the one before stays in force"));
    assert_eq!(t.phone(0).config().body, one);
    assert!(pnp(t.phone(0), "snom-d120").is_some());
    // gone: where the agent listens is then for the caller to say
    fs::remove_file(t.agent().config_file()).expect("was there");
    let _ = Command::new("kill").args(["-HUP", &t.agent().pid().to_string()]).status();
    let socket = t.agent().run_dir().join("control.sock");
    eventually("it says so", Duration::from_secs(3), || {
        let out = t.agent().verb(&["events", "--socket", socket.to_str().expect("text")]);
        String::from_utf8_lossy(&out.stdout).contains("phoneprov.uci: there is no such file")
    });
    assert_eq!(t.phone(0).config().body, one);
    fs::write(t.agent().config_file(), good).expect("written");
    hup(&t);
    assert!(events(&t, "agent").trim_end().ends_with("the config was read again"));

    // what a running agent cannot change is said
    edit(&t, |c| c.replace("/state'", "/other'"));
    hup(&t);
    assert!(t.agent().log().contains("option state_dir has changed: that takes effect with the next start"));
    assert_eq!(t.phone(0).config().status, 200);
}

#[test]
fn a_reload_takes_other_devices_and_a_storm_of_them_is_one_a_second() {
    let Some(t) = Test::new("life-devices").phone(SNOM).option("dhcp", "responder").start() else { return };
    let one = t.put_snom(0, "one");
    let mut card = Card::of(&t.phone(0).ns);
    let mut discover =
        || card.send(&frame(card.mac, Ipv4Addr::UNSPECIFIED, &client(card.mac, 1, Ipv4Addr::UNSPECIFIED, &[])));
    let by_dhcp = || t.agent().entry(SNOM)["seen_by"].as_array().is_some_and(|by| by.contains(&"dhcp".into()));
    assert_eq!(t.phone(0).config().body, one);
    let router = t.agent().router();
    router.ip("link add br-two address 02:77:00:00:00:02 type bridge");
    router.ip("link set br-two up");
    router.ip("addr add 192.168.88.1/24 dev br-two");
    edit(&t, |c| c.replace("list device 'br-lan'", "list device 'br-two'"));
    hup(&t);
    let names =
        |t: &Lab| t.agent().status()["devices"].as_array().map(|d| d.iter().map(|d| d["name"].clone()).collect());
    assert_eq!(names(&t), Some(vec!["br-two".into()]));
    assert!(events(&t, "device").contains("br-lan is served no more"));
    assert!(t.phone(0).try_get(&t.phone(0).config_target(), &[]).is_err(), "nobody listens there");
    discover();
    assert_eq!(pnp(t.phone(0), "snom-d120"), None);
    assert!(!by_dhcp(), "nor is DHCP heard there");
    // a device that does not exist yet is no reason not to serve the others
    edit(&t, |c| c.replace("list device 'br-two'", "list device 'br-none'\n\tlist device 'br-lan'"));
    hup(&t);
    served_at(&t, "192.168.77.1");
    let status = t.agent().status();
    assert_eq!(names(&t), Some(vec!["br-none".into(), "br-lan".into()]), "{status}");
    discover();
    eventually("DHCP is heard there again", Duration::from_secs(3), by_dhcp);

    let pid = t.agent().pid().to_string();
    let before = events(&t, "agent").matches("the config was read again").count();
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(4) {
        for _ in 0..20 {
            let _ = Command::new("kill").args(["-HUP", &pid]).status();
        }
        assert_eq!(t.phone(0).config().status, 200, "served all the while");
        std::thread::sleep(Duration::from_millis(30));
    }
    std::thread::sleep(Duration::from_millis(1500));
    let times = events(&t, "agent").matches("the config was read again").count() - before;
    assert!((3..=8).contains(&times), "read {times} times");
}

#[test]
fn sigterm_ends_it_soon_and_cleanly() {
    let Some(t) = Test::new("life-term").phone(SNOM).start() else { return };
    t.put_snom(0, "one");
    let _idle = t.phone(0).connect().expect("a connection");
    let mut half = t.phone(0).connect().expect("a connection");
    half.write_all(b"GET /snom/sett").expect("sent");
    t.upstream().fail(Fault::Silent);
    let mut waiting = t.phone(0).connect().expect("a connection");
    let request = format!("GET {} HTTP/1.1\r\nHost: 192.168.77.1:8480\r\n\r\n", t.phone(0).config_target());
    waiting.write_all(request.as_bytes()).expect("sent");
    std::thread::sleep(Duration::from_millis(300));
    let begin = Instant::now();
    let status = t.agent().term();
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}\n{}", begin.elapsed(), t.agent().log());
    assert_eq!(status.code(), Some(0), "{}", t.agent().log());
    assert!(!t.agent().run_dir().join("control.sock").exists(), "its socket is gone");
    let err = String::from_utf8_lossy(&t.agent().verb(&["status"]).stderr).into_owned();
    assert!(err.contains("is not running"), "{err}");
    t.agent().start();
}

#[test]
fn a_second_agent_goes_and_the_first_stays() {
    let Some(t) = Test::new("life-two").phone(SNOM).start() else { return };
    let one = t.put_snom(0, "one");
    let mut c = t.agent().router().command(binary());
    let begin = Instant::now();
    let out = c.args(["run", "--user", "5960", "--config"]).arg(t.agent().config_file()).output().expect("it runs");
    let err = String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout);
    assert_eq!(out.status.code(), Some(1), "{err}");
    assert!(err.contains("run/control.sock: another agent is running on it; stop that one first"), "{err}");
    assert!(begin.elapsed() < Duration::from_secs(2));
    t.agent().assert_alive();
    assert_eq!(t.phone(0).config().body, one);
    // what a killed one leaves is no obstacle
    t.agent().kill9();
    assert!(t.agent().run_dir().join("control.sock").exists());
    t.agent().start();
}

#[test]
fn taken_ports_are_said_and_come_back() {
    let Some(t) = Test::new("life-ports").phone(SNOM).without_agent().start() else { return };
    let one = t.put_snom(0, "one");
    let router = t.agent().router();
    let http = router.inside(|| TcpListener::bind("0.0.0.0:8480")).expect("a port");
    let sip = router.inside(|| UdpSocket::bind("0.0.0.0:5060")).expect("a port");
    t.agent().start();
    let status = t.agent().status();
    let troubles = status["troubles"].to_string();
    assert!(troubles.contains("192.168.77.1 port 8480") && troubles.contains("UDP port 5060"), "{status}");
    let text = String::from_utf8_lossy(&t.agent().verb(&["status"]).stdout).into_owned();
    assert!(text.contains("port 8480") && text.contains("UDP port 5060"), "{text}");
    let said = events(&t, "device");
    assert!(said.contains("port 8480") && said.contains("UDP port 5060") && said.contains("in use"), "{said}");
    assert_eq!(pnp(t.phone(0), "snom-d120"), None);
    let seen = || events(&t, "device").matches("UDP port 5060").count();
    std::thread::sleep(Duration::from_secs(7));
    assert_eq!(seen(), 1, "said once, not at each try");
    drop((http, sip));
    eventually("PnP and HTTP serve", Duration::from_secs(10), || {
        pnp(t.phone(0), "snom-d120").is_some()
            && t.phone(0).try_get(&t.phone(0).config_target(), &[]).is_ok_and(|a| a.body == one)
    });
    assert_eq!(t.agent().status()["troubles"], serde_json::json!([]));
    assert!(events(&t, "device").contains("all devices are served again"));
}

/// PnP and HTTP serve phone 0 at this address of the router, within 10 s.
fn served_at(t: &Lab, router: &str) {
    let p = t.phone(0);
    let address: SocketAddr = format!("{router}:8480").parse().expect("an address");
    let url = format!("http://{address}/snom/settings.php?mac=");
    eventually(&format!("served at {router}"), Duration::from_secs(10), || {
        pnp(p, "snom-d120").is_some_and(|u| u.starts_with(&url))
            && p.ns
                .inside(|| {
                    http::get(address, &p.config_target(), &[("User-Agent", &p.user_agent())], Duration::from_secs(9))
                })
                .is_ok_and(|a| a.status == 200)
    });
}

#[test]
fn the_device_down_and_up_with_another_address_and_made_anew() {
    let Some(t) = Test::new("life-dev").phone(SNOM).start() else { return };
    t.put_snom(0, "one");
    let router = t.agent().router();
    let (down, serves) = ("br-lan is down or has no IPv4 address", |a: &str| format!("br-lan serves {a}/24"));
    served_at(&t, "192.168.77.1");
    router.ip("link set br-lan down");
    eventually("its end is told", Duration::from_secs(10), || events(&t, "device").contains(down));
    router.ip("link set br-lan up");
    served_at(&t, "192.168.77.1");
    assert_eq!(events(&t, "device").matches(&serves("192.168.77.1")).count(), 2);

    router.ip("addr del 192.168.77.1/24 dev br-lan");
    router.ip("addr add 192.168.77.9/24 dev br-lan");
    served_at(&t, "192.168.77.9");
    assert!(events(&t, "device").contains(&serves("192.168.77.9")));

    router.ip("link del br-lan");
    router.ip("link add br-lan address 02:77:00:00:00:01 type bridge");
    router.ip("link set lan0 master br-lan");
    router.ip("link set br-lan up");
    router.ip("addr add 192.168.77.1/24 dev br-lan");
    served_at(&t, "192.168.77.1");
    // away for longer than the agent looks
    router.ip("link del br-lan");
    eventually("its end is told", Duration::from_secs(10), || events(&t, "device").trim_end().ends_with(down));
    let status = t.agent().status();
    assert_eq!(status["devices"][0]["addresses"], serde_json::json!([]), "{status}");
    router.ip("link add br-lan address 02:77:00:00:00:01 type bridge");
    router.ip("link set lan0 master br-lan");
    router.ip("link set br-lan up");
    router.ip("addr add 192.168.77.1/24 dev br-lan");
    served_at(&t, "192.168.77.1");
}

#[test]
fn two_networks_each_with_its_own_address() {
    let Some(t) = Test::new("life-nets").phone(SNOM).list("device", "br-two").without_agent().start() else { return };
    let router = t.agent().router();
    router.ip("link add br-two address 02:77:00:00:00:02 type bridge");
    router.ip("link set br-two up");
    router.ip("addr add 192.168.88.1/24 dev br-two");
    // a way to every address, and every source let in: the silence below is the agent's own
    router.ip("route add default dev br-two metric 9");
    for device in ["all", "br-lan", "br-two"] {
        router.sysctl(&format!("net/ipv4/conf/{device}/rp_filter"), "0");
    }
    let ns = Ns::new(netns::serial(), "two");
    netns::cable((&ns, "eth0", Some("00:04:13:00:00:22")), (router, "lan22", None));
    router.ip("link set lan22 master br-two");
    ns.ip("addr add 192.168.88.11/24 dev eth0");
    ns.ip("route add default via 192.168.88.1");
    let two = Phone {
        ns,
        dir: t.dir().to_path_buf(),
        mac: "00:04:13:00:00:22".into(),
        ip: Ipv4Addr::new(192, 168, 88, 11),
        agent: "192.168.88.1:8480".parse().expect("an address"),
        router_mac: "02:77:00:00:00:02".into(),
    };
    let one = t.phone(0);
    let body_one = t.put_snom(0, "one");
    let body_two = bodies::snom(&two.hex(), "two", 5000);
    t.upstream().put_of("/prov/snom/settings.php", &two.hex_upper(), body_two.clone());
    t.agent().start();
    for (phone, base, body) in
        [(one, "http://192.168.77.1:8480/snom/", &body_one), (&two, "http://192.168.88.1:8480/snom/", &body_two)]
    {
        let url = pnp(phone, "snom-d120").expect("a URL");
        assert!(url.starts_with(base), "{url}");
        assert_eq!(&phone.config().body, body);
    }
    // the router routes between the two, but a config goes to its own network's address only
    router.sysctl("net/ipv4/ip_forward", "1");
    one.ns.ip("route replace default via 192.168.77.1");
    let other: SocketAddr = "192.168.88.1:8480".parse().expect("an address");
    let answer = one.ns.inside(|| http::get(other, &one.config_target(), &[], Duration::from_secs(3)));
    assert!(answer.as_ref().is_ok_and(|a| a.status == 403) || answer.is_err(), "{answer:?}");
    // and the SUBSCRIBE of one's subnet on the other's cable gets nothing
    two.ns.ip("addr add 192.168.77.99/24 dev eth0");
    let message = sip::fixture("snom-d120").message(&two.hex(), Ipv4Addr::new(192, 168, 77, 99), 5060);
    let socket = two.ns.inside(|| UdpSocket::bind("192.168.77.99:5060")).expect("a port");
    socket.send_to(message.as_bytes(), "192.168.88.1:5060").expect("sent");
    socket.set_read_timeout(Some(Duration::from_millis(1500))).expect("a timeout");
    assert!(socket.recv_from(&mut [0u8; 2000]).is_err(), "silence");
    let status = t.agent().status();
    assert_eq!(status["devices"].as_array().map(Vec::len), Some(2), "{status}");
}

#[test]
fn what_is_known_of_a_phone_and_survives_a_restart() {
    let Some(t) = Test::new("life-phones").phone(SNOM).phone(MITEL).phone("00:04:13:00:00:09").start() else { return };
    assert!(pnp(t.phone(0), "snom-d120").is_some());
    let entry = t.agent().entry(SNOM);
    assert_eq!(entry["seen_by"], serde_json::json!(["pnp"]), "{entry}");
    assert_eq!((&entry["model"], &entry["ip"]), (&"D120".into(), &"192.168.77.11".into()), "{entry}");
    assert!(entry["first_seen"].as_u64() > Some(1_600_000_000) && entry["last_seen"].is_u64(), "{entry}");
    assert!(t.agent().stored().sums().is_empty(), "nothing of a stranger is on flash");

    t.put_snom(0, "one");
    assert_eq!(t.phone(0).config().status, 200);
    let entry = t.agent().entry(SNOM);
    assert_eq!(entry["seen_by"], serde_json::json!(["pnp", "http"]), "{entry}");
    assert_eq!((&entry["model"], &entry["firmware"]), (&"D785".into(), &"10.1.33.33".into()), "{entry}");

    // a Mitel has several files
    t.put_mitel(1, "one");
    t.upstream().put("/prov/mitel/startup.cfg", "sip mode: 0\nsip proxy ip: sip.example.test\n");
    assert_eq!(t.phone(1).get("/mitel/startup.cfg").status, 200);
    assert_eq!(t.phone(1).config().status, 200);
    let phone = t.agent().phone(MITEL);
    let names: Vec<&str> =
        phone["configs"].as_array().expect("a list").iter().filter_map(|c| c["name"].as_str()).collect();
    assert_eq!(names, ["mitel/startup.cfg", "mitel/{mac}.cfg"], "{phone}");
    assert_eq!(phone["config"]["name"], "mitel/{mac}.cfg", "its own stands for it: {phone}");

    // one that gets nothing stays a stranger
    assert_eq!(t.phone(2).config().status, 404);
    let hex = t.phone(2).hex();
    eventually("phone.json of both", Duration::from_secs(3), || {
        t.agent().stored().0.keys().filter(|p| p.ends_with("phone.json")).count() == 2
    });
    assert!(!t.agent().stored().0.keys().any(|p| p.display().to_string().contains(&hex)));

    // asked again, seen again: not one byte is written
    let before = t.agent().stored();
    for _ in 0..5 {
        assert!(pnp(t.phone(0), "snom-d120").is_some());
        assert_eq!((t.phone(0).config().status, t.phone(1).config().status), (200, 200));
    }
    assert_eq!(t.agent().stored(), before, "phone.json is written once");

    let first_seen = t.agent().entry(SNOM)["first_seen"].clone();
    assert_eq!(t.agent().term().code(), Some(0));
    t.agent().start();
    let all = t.agent().phones();
    assert_eq!(all["phones"].as_array().map(Vec::len), Some(2), "{all}");
    let entry = t.agent().entry(SNOM);
    assert_eq!((&entry["first_seen"], &entry["config"]["state"]), (&first_seen, &"stored".into()), "{entry}");
    assert_eq!((&entry["config"]["generations"], &entry["ip"]), (&1.into(), &serde_json::Value::Null), "{entry}");
    assert_eq!(t.agent().status()["phones"]["served"], 2);
    let text = String::from_utf8_lossy(&t.agent().verb(&["phones"]).stdout).into_owned();
    assert!(text.contains("not since the start") && text.contains("stored"), "{text}");
    assert_eq!(t.agent().stored().sums(), before.sums(), "a restart writes nothing");
}

#[test]
fn a_config_goes_only_to_its_phone() {
    let Some(t) = Test::new("life-mac").phone(SNOM).phone("00:04:13:00:00:02").start() else { return };
    let one = t.put_snom(0, "one");
    assert_eq!(t.phone(0).config().body, one);
    let target = t.phone(0).config_target();
    let stolen = t.phone(1).get(&target);
    assert_eq!(stolen.status, 403, "{}", stolen.text());
    assert!(stolen.text().contains("only to the phone whose MAC it names"), "{}", stolen.text());
    let story = t.agent().phone(SNOM)["events"].to_string();
    assert!(story.contains("192.168.77.12 asked for its config, but that address has another MAC: refused"), "{story}");
    assert_eq!(t.agent().entry(SNOM)["ip"], "192.168.77.11", "the thief is not taken for it");
    assert_eq!(t.phone(0).config().body, one);
    edit(&t, |c| c.replace("config agent 'main'\n", "config agent 'main'\n\toption verify_mac '0'\n"));
    hup(&t);
    assert_eq!(t.phone(1).get(&target).body, one);
}

fn exchange(t: &Lab, bytes: &[u8]) -> Answer {
    let p = t.phone(0);
    p.ns.inside(|| http::request(p.agent, bytes, Duration::from_secs(8)))
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(bytes)))
}

#[test]
fn http_to_the_letter() {
    let Some(t) = Test::new("life-http").phone(SNOM).start() else { return };
    let body = t.put_snom(0, "one");
    let target = t.phone(0).config_target();
    let first = t.phone(0).config();
    let length = body.len().to_string();
    assert_eq!((first.status, first.header("Content-Length")), (200, Some(length.as_str())));

    // HEAD: the same head, no body. read_answer would wait for one
    let mut stream = t.phone(0).connect().expect("a connection");
    write!(stream, "HEAD {target} HTTP/1.1\r\nHost: 192.168.77.1:8480\r\nConnection: close\r\n\r\n").expect("sent");
    let mut all = String::new();
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    std::io::Read::read_to_string(&mut stream, &mut all).expect("an answer");
    assert!(all.starts_with("HTTP/1.1 200 ") && all.ends_with("\r\n\r\n"), "{all}");
    assert!(all.to_ascii_lowercase().contains(&format!("\r\ncontent-length: {length}\r\n")), "{all}");

    if let Some(etag) = first.header("ETag") {
        let same = t.phone(0).get_with(&target, &[("If-None-Match", etag)]);
        assert_eq!((same.status, same.body.len()), (304, 0), "{}", same.text());
        let other = t.phone(0).get_with(&target, &[("If-None-Match", "\"other\"")]);
        assert_eq!((other.status, &other.body), (200, &body));
    } else {
        panic!("no ETag: {:?}", first.headers);
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let a = exchange(
            &t,
            format!("{method} {target} HTTP/1.1\r\nHost: 192.168.77.1:8480\r\nContent-Length: 4\r\n\r\nabcd")
                .as_bytes(),
        );
        assert_eq!(a.status, 405, "{method}: {}", a.text());
        assert!(
            a.header("Allow").is_some_and(|v| v.contains("GET") && v.contains("HEAD")),
            "{method}: {:?}",
            a.headers
        );
    }
    let old = exchange(&t, format!("GET {target} HTTP/1.0\r\n\r\n").as_bytes());
    assert_eq!((old.status, &old.body), (200, &body));

    // keep-alive, then two at once
    let mut stream = t.phone(0).connect().expect("a connection");
    let get = format!("GET {target} HTTP/1.1\r\nHost: 192.168.77.1:8480\r\n\r\n");
    for _ in 0..3 {
        stream.write_all(get.as_bytes()).expect("sent");
        let a = http::read_answer(&mut stream, Instant::now(), Duration::from_secs(8)).expect("an answer");
        assert_eq!((a.status, &a.body), (200, &body));
    }
    let last = get.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    stream.write_all(format!("{get}{last}").as_bytes()).expect("sent");
    let mut all = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut all).expect("both answers");
    let count = all.windows(15).filter(|w| w == b"HTTP/1.1 200 OK").count();
    assert_eq!(count, 2, "{} bytes", all.len());
    assert!(all.ends_with(&body) && all.len() > 2 * body.len());

    for (target, status) in [
        ("/acme/x.cfg", 404),
        ("/yealink/x.cfg", 404),
        ("/", 404),
        ("/snom", 404),
        ("/snom/../mitel/x.cfg", 400),
        ("/snom/%2e%2e/x.cfg", 400),
        ("/snom/%2E%2E%2fx.cfg", 400),
        ("/snom/a%2fb.cfg", 400),
        ("/snom/a%5cb.cfg", 400),
        ("/snom/a%00b", 400),
        ("snom/x", 400),
    ] {
        let a = exchange(&t, format!("GET {target} HTTP/1.1\r\nHost: 192.168.77.1:8480\r\n\r\n").as_bytes());
        assert_eq!(a.status, status, "{target}: {}", a.text());
        assert!(a.text().starts_with("phoneprov: ") && a.text().len() < 200, "{target}: {}", a.text());
        assert!(!a.text().contains(PROVPASS));
    }
    let hits = t.upstream().hits();
    assert!(hits.iter().all(|h| h.target.starts_with("/prov/snom/settings.php?")), "none of it went up: {hits:?}");
    t.agent().assert_alive();
}
