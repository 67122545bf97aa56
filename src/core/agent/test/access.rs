//! Who may have what: the neighbour table, enrolment, strangers.

use super::*;

fn body(answer: Answer) -> String {
    match answer.body {
        Body::Text(text) => text,
        _ => panic!("no text"),
    }
}

#[test]
fn a_request_waits_for_its_address_to_be_resolved() {
    let mut w = World::new();
    w.lan.0.remove(&ip(1));
    let a = w.get(1);
    let b = w.get(1);
    assert_eq!(w.told(a).map(|a| a.status), None, "neither 403 nor served");
    let asked = |w: &World| w.out.iter().filter(|a| matches!(a, Action::Resolve { ip: i, .. } if *i == ip(1))).count();
    assert_eq!((asked(&w), w.jobs().len()), (1, 0), "the kernel is asked once for both");
    w.pass(400);
    assert_eq!(w.jobs(), []);
    w.lan.0.insert(ip(1), mac(1));
    w.pass(60);
    let (id, _) = w.job();
    w.upstream(id, good("one"));
    w.flash();
    assert_eq!(w.status_of(a), Some((200, Label::Fresh)));
    assert_eq!(w.status_of(b), Some((200, Label::Fresh)));
}

#[test]
fn an_address_that_nobody_has_is_refused_after_a_second_with_the_reason() {
    let mut w = World::new();
    w.lan.0.remove(&ip(1));
    let a = w.get(1);
    w.pass(900);
    assert!(w.told(a).is_none());
    w.pass(200);
    let answer = w.told(a).unwrap();
    assert_eq!(answer.status, 403);
    assert!(body(answer).contains("the router could not find out yours"));
    assert_eq!(w.jobs(), []);
    // one who turns out to be somebody else
    w.lan.0.remove(&ip(2));
    let b = w.get(2);
    w.lan.0.insert(ip(2), mac(66));
    w.pass(100);
    let answer = w.told(b).unwrap();
    assert_eq!(answer.status, 403);
    assert!(body(answer).contains("your address has another MAC"));
}

#[test]
fn who_leaves_while_he_waits_for_the_neighbour_table_leaves_nothing_and_waiting_is_bounded() {
    let mut w = World::new();
    w.lan.0.clear();
    let a = w.get(1);
    w.agent.request_gone(a);
    w.pass(2_000);
    assert!(w.told(a).is_none());
    let all: Vec<RequestId> = (0..bounds::NEIGHBOUR_WAITS as u16 + 10).map(|n| w.get(n + 1)).collect();
    let at_once = all.iter().filter(|id| w.status_of(**id) == Some((403, Label::None))).count();
    assert_eq!(at_once, 10, "more than have a place are refused, not let in");
    w.pass(1_100);
    assert_eq!(all.iter().filter(|id| w.status_of(**id) == Some((403, Label::None))).count(), bounds::NEIGHBOUR_WAITS);
    // without the check nobody waits
    w.reload(
        &CONFIG
            .replace("option enabled '1'\n\tlist device", "option verify_mac '0'\n\toption enabled '1'\n\tlist device"),
    );
    w.get(3);
    assert_eq!(w.jobs().len(), 1);
}

#[test]
fn a_mac_behind_two_addresses_is_reported() {
    let mut w = World::new();
    w.serve(1, "one");
    let phone = |w: &mut World| w.control(json!({"op": "phone", "mac": mac(1).to_string()})).unwrap()["result"].clone();
    assert_eq!(phone(&mut w)["conflict"], Value::Null);
    w.lan.0.insert(ip(50), mac(1));
    let b = w.get_from(ip(50), "/snom/settings.php?mac=000413000001");
    for (id, _) in w.jobs() {
        w.upstream(id, Outcome::NotModified);
    }
    assert_eq!(w.status_of(b), Some((200, Label::Unchanged)), "it may well be the phone itself");
    let said = phone(&mut w);
    assert!(said["conflict"]["text"].as_str().unwrap().contains("two devices have this MAC"), "{said}");
    assert_eq!(said["events"].to_string().matches("two devices have this MAC").count(), 1);
    for n in 0..50 {
        w.get_from(if n % 2 == 0 { ip(1) } else { ip(50) }, "/snom/settings.php?mac=000413000001");
    }
    assert_eq!(phone(&mut w)["events"].to_string().matches("two devices have this MAC").count(), 1, "told once");
}

const WINDOW: &str = "option enabled '1'\n\toption enrol 'window'\n\tlist device";

fn windowed() -> World {
    let mut w = World::new();
    w.reload(&CONFIG.replace("option enabled '1'\n\tlist device", WINDOW));
    w
}

fn pnp(w: &mut World, n: u16) -> bool {
    let hex = mac(n).hex();
    let source = SocketAddrV4::new(ip(n), 5060);
    let call_id = format!("{}-{}", w.ms, hex);
    let phone = Subscribe {
        uri_user: &format!("MAC%3a{hex}"),
        domain: "224.0.1.75",
        vendor: "snom",
        model: "snomD785",
        version: "10.1",
        user_agent: "snomD785/10.1",
        source,
        call_id: &call_id,
        cseq: 1,
        tag: "1",
        branch: "z9hG4bK1",
    };
    let (now, bytes, before) = (w.now(), phone.build().unwrap(), w.out.len());
    w.agent.datagram(0, ROUTER, source, &bytes, &w.lan, now, &mut w.out);
    w.out.drain(before..).any(|a| matches!(a, Action::Sip { to, .. } if to == source))
}

#[test]
fn a_window_lets_in_who_comes_while_it_is_open() {
    let mut w = windowed();
    let state = |w: &mut World, n: u16| {
        let phone = w.control(json!({"op": "phone", "mac": mac(n).to_string()})).unwrap();
        phone["result"]["config"]["state"].clone()
    };
    assert!(!pnp(&mut w, 1), "no URL for a phone that would get 403");
    let a = w.get(1);
    let refused = w.told(a).unwrap();
    assert_eq!(refused.status, 403);
    assert!(body(refused).contains("phoneprov admit 30"));
    assert_eq!(state(&mut w, 1), "refused", "the admin sees who waits at the door");
    let status = w.control(json!({"op": "status"})).unwrap();
    assert_eq!(status["result"]["enrol"], json!({"mode": "window", "open_until": null, "admitted": 0, "refused": 1}));

    let until = 1_800_000_000 + w.ms / 1000 + 600;
    let opened = w.control(json!({"op": "admit", "minutes": 10})).unwrap();
    assert_eq!(opened["result"]["open_until"], until);
    assert!(pnp(&mut w, 1) && pnp(&mut w, 3));
    w.serve(2, "two");
    let status = w.control(json!({"op": "status"})).unwrap();
    assert_eq!((&status["result"]["enrol"]["admitted"], &status["result"]["enrol"]["refused"]), (&3.into(), &0.into()));
    w.pass(600_000);
    let events = w.control(json!({"op": "events"})).unwrap().to_string();
    assert!(events.contains("the window is closed; phones that it admitted: 3"), "{events}");
    assert!(pnp(&mut w, 1), "told the URL while it was open: may still come for its config");
    assert_eq!(state(&mut w, 1), "none");
    assert!(pnp(&mut w, 2) && !pnp(&mut w, 4));
    let d = w.get(4);
    assert_eq!(w.status_of(d), Some((403, Label::None)));
    w.control(json!({"op": "forget", "mac": mac(1).to_string()}));
    w.pass(1);
    assert!(!pnp(&mut w, 1), "forgotten is forgotten");
}

#[test]
fn a_window_is_bounded_and_only_where_there_is_one() {
    let mut w = windowed();
    for minutes in [json!(1441), json!(-1), json!("10"), Value::Null, json!(1e9)] {
        let answer = w.control(json!({"op": "admit", "minutes": minutes})).unwrap();
        assert!(answer["error"].as_str().unwrap().contains("1 to 1440"), "{answer}");
    }
    w.control(json!({"op": "admit", "minutes": bounds::ADMIT_MINUTES}));
    assert!(pnp(&mut w, 1));
    let closed = w.control(json!({"op": "admit", "minutes": 0})).unwrap();
    assert_eq!(closed["result"]["open_until"], Value::Null);
    assert!(!pnp(&mut w, 2));
    w.control(json!({"op": "admit", "minutes": 5}));
    for mode in ["list", "open"] {
        w.reload(&CONFIG.replace("option enabled '1'\n\tlist device", &WINDOW.replace("window", mode)));
        let answer = w.control(json!({"op": "admit", "minutes": 5})).unwrap();
        assert!(answer["error"].as_str().unwrap().contains(&format!("enrol is '{mode}'")), "{answer}");
    }
    w.reload(&CONFIG.replace("option enabled '1'\n\tlist device", WINDOW));
    assert!(!pnp(&mut w, 3), "another enrolment has closed it");
}

#[test]
fn who_names_a_mac_that_is_not_his_is_not_shown_at_the_door() {
    let mut w = windowed();
    let a = w.get_from(ip(9), "/snom/settings.php?mac=000413000001");
    assert_eq!(w.status_of(a), Some((403, Label::None)));
    w.lan.0.insert(ip(1), mac(9));
    assert!(!pnp(&mut w, 1), "by PnP neither");
    let all = w.control(json!({"op": "phones"})).unwrap();
    assert_eq!(all["result"]["phones"], json!([]));
}

#[test]
fn a_flood_of_made_up_phones_costs_nothing_that_lasts() {
    let mut w = World::new();
    for n in 1..=40 {
        w.serve(n, "one");
    }
    let newcomer = w.get(500);
    w.lan.0.clear(); // the flood's addresses are nobody's
    w.out.clear();
    for second in 0..20u32 {
        for i in 0..1000u32 {
            let n = second * 1000 + i;
            let [_, a, b, c] = n.to_be_bytes();
            let source = SocketAddrV4::new(Ipv4Addr::new(192, 168, 100 + a + b, c), 5060);
            let phone = Subscribe {
                uri_user: &format!("MAC%3a000413{:06x}", 0x800000 + n),
                domain: "224.0.1.75",
                vendor: "snom",
                model: "snomD785",
                version: "10.1",
                user_agent: "snomD785/10.1",
                source,
                call_id: &format!("{n}"),
                cseq: 1,
                tag: "1",
                branch: "z9hG4bK1",
            };
            let (now, bytes) = (w.now(), phone.build().unwrap());
            w.agent.datagram(0, ROUTER, source, &bytes, &w.lan, now, &mut w.out);
            assert!(w.out.iter().all(|a| matches!(a, Action::Sip { .. } | Action::Fetch { .. })), "no flash");
            w.out.retain(|a| matches!(a, Action::Fetch { .. }));
            w.ms += 1;
        }
        w.pass(1);
        w.out.retain(|a| matches!(a, Action::Fetch { .. }));
    }
    let all = w.control(json!({"op": "phones"})).unwrap();
    let all = all["result"]["phones"].as_array().unwrap();
    assert_eq!(all.len(), bounds::PHONES);
    for n in (1..=40).chain([500]) {
        assert!(all.iter().any(|p| p["mac"] == mac(n).to_string()), "{n} is still there");
    }
    let events = w.control(json!({"op": "events"})).unwrap();
    let events = events["result"]["events"].as_array().unwrap();
    assert!(events.iter().filter(|e| e["kind"] == "pnp").count() <= bounds::CROWD_EVENTS);
    assert!(events.iter().any(|e| e["kind"] == "config"), "what was before is still there");
    let _ = newcomer;
}

/// A request as it is on the wire, from phone 1; 0 where it is taken, and the upstream is asked.
fn raw(w: &mut World, head: &str) -> u16 {
    w.next += 1;
    let request = match parse_request(format!("{head}\r\n\r\n").as_bytes()) {
        Ok(Parsed::Whole { request, .. }) => request,
        Ok(Parsed::Partial) => panic!("{head}"),
        Err(e) => return e.status(),
    };
    let (now, from) = (w.now(), SocketAddrV4::new(ip(1), 40_000));
    let asked = Asked { id: w.next, device: 0, from, request };
    w.agent.request(&asked, &w.lan, now, &mut w.out);
    w.told(w.next).map_or(0, |answer| answer.status)
}

#[test]
fn only_our_own_address_is_a_name_for_us() {
    let mut w = World::new();
    w.agent.set_devices(
        vec![Device {
            name: "br-lan".into(),
            index: 2,
            addresses: vec![(Ipv4Addr::new(192, 168, 1, 1), 16), (Ipv4Addr::new(192, 168, 9, 1), 24)],
        }],
        w.now(),
    );
    for head in [
        "GET /snom/a1?mac=000413000001 HTTP/1.1\r\nHost: 192.168.1.1:8480",
        "GET /snom/a2?mac=000413000001 HTTP/1.1\r\nHost: 192.168.1.1",
        "GET /snom/a3?mac=000413000001 HTTP/1.1\r\nhost: 192.168.9.1:8480",
        "GET /snom/a4?mac=000413000001 HTTP/1.0",
        "GET http://192.168.1.1:8480/snom/a5?mac=000413000001 HTTP/1.1\r\nHost: 192.168.1.1:8480",
    ] {
        let status = raw(&mut w, head);
        assert_eq!(status, 0, "{head}");
    }
    for head in [
        "GET /snom/b HTTP/1.1\r\nHost: prov.example.net",
        "GET /snom/b HTTP/1.1\r\nHost: 192.168.1.1.evil.example:8480",
        "GET /snom/b HTTP/1.1\r\nHost: 192.168.1.2:8480",
        "GET /snom/b HTTP/1.1\r\nHost: 192.168.1.1:80",
        "GET /snom/b HTTP/1.1\r\nHost: localhost:8480",
        "GET /snom/b HTTP/1.1\r\nHost: 127.0.0.1:8480",
        "GET /snom/b HTTP/1.1\r\nHost:",
        "GET /snom/b HTTP/1.0\r\nHost: evil.example",
        "GET http://evil.example/snom/b HTTP/1.1\r\nHost: 192.168.1.1:8480",
        "GET http://evil.example/snom/b HTTP/1.0",
        "GET http://192.168.1.1:8480@evil.example/snom/b HTTP/1.1\r\nHost: 192.168.1.1:8480",
        "GET http://192.168.1.1:8480/snom/b HTTP/1.1\r\nHost: evil.example",
    ] {
        assert_eq!(raw(&mut w, head), 421, "{head}");
    }
    for head in ["GET /snom/b HTTP/1.1", "GET /snom/b HTTP/1.1\r\nHost: 192.168.1.1\r\nHost: 192.168.1.1"] {
        assert_eq!(raw(&mut w, head), 400, "{head}");
    }
}

#[test]
fn a_web_page_gets_nothing() {
    let mut w = World::new();
    w.serve(1, "one");
    for header in ["Origin: http://evil.example", "origin: null", "Sec-Fetch-Mode: no-cors", "sec-fetch-site: x"] {
        let head = format!("GET /snom/settings.php?mac=000413000001 HTTP/1.1\r\nHost: 192.168.1.1\r\n{header}");
        assert_eq!(raw(&mut w, &head), 403, "{header}");
    }
}

#[test]
fn an_address_that_asks_too_often_is_told_when_to_come_back() {
    let mut w = World::new();
    w.serve(1, "one");
    w.serve(2, "two");
    let ask = |w: &mut World| w.get_from(ip(1), "/nobody/");
    let statuses: Vec<u16> = (0..2 * bounds::HTTP_BURST)
        .filter_map(|_| {
            let id = ask(&mut w);
            w.status_of(id).map(|(status, _)| status)
        })
        .collect();
    assert!(statuses.iter().filter(|s| **s == 429).count() >= bounds::HTTP_BURST as usize, "{statuses:?}");
    let id = ask(&mut w);
    let answer = w.told(id).unwrap();
    assert_eq!((answer.status, answer.retry_after), (429, Some(1)));
    w.get(2);
    w.job(); // the others are served
    w.ms += 1000;
    let id = ask(&mut w);
    assert_ne!(w.status_of(id).map(|(s, _)| s), Some(429));
    // the router itself may ask as often as it likes
    let own = (0..1000).map(|_| w.get_from(*ROUTER.ip(), "/snom/x")).collect::<Vec<_>>();
    assert!(own.into_iter().all(|id| w.status_of(id).is_none_or(|(s, _)| s != 429)));
}

#[test]
fn phones_by_and_by() {
    let mut w = World::new();
    (1..=5).for_each(|n| _ = w.get(n));
    let mut ask = |args: Value| {
        let mut request = args;
        request["op"] = json!("phones");
        let answer = w.control(request).unwrap()["result"].clone();
        let macs: Vec<Value> = answer["phones"].as_array().unwrap().iter().map(|p| p["mac"].clone()).collect();
        (json!(macs), answer.get("more").cloned())
    };
    let text = |n: u16| mac(n).to_string();
    assert_eq!(ask(json!({})).0.as_array().unwrap().len(), 5);
    assert_eq!(ask(json!({"count": 2})), (json!([text(1), text(2)]), Some(json!(3))));
    assert_eq!(ask(json!({"after": text(2), "count": 2})), (json!([text(3), text(4)]), Some(json!(1))));
    assert_eq!(ask(json!({"after": text(4), "count": 2})), (json!([text(5)]), None));
    assert_eq!(ask(json!({"after": text(5)})), (json!([]), None));
}
