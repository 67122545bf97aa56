//! Phones ask: who is answered, with what.

use super::*;

fn subscribe(hex: &str, from: Ipv4Addr) -> Vec<u8> {
    let phone = Subscribe {
        uri_user: &format!("MAC%3a{hex}"),
        domain: "224.0.1.75",
        vendor: "snom",
        model: "snomD785",
        version: "10.1",
        user_agent: "snomD785/10.1",
        source: SocketAddrV4::new(from, 5060),
        call_id: &format!("{hex}@{from}"),
        cseq: 1,
        tag: "1",
        branch: "z9hG4bK1",
    };
    phone.build().unwrap()
}

#[test]
fn who_speaks_in_a_phones_name_does_not_become_its_address() {
    let mut w = World::new();
    w.serve(1, "one");
    let now = w.now();
    let liar = ip(66);
    w.lan.0.insert(liar, mac(66));
    for from in [ip(1), liar] {
        let bytes = subscribe(&mac(1).hex(), from);
        w.agent.datagram(0, ROUTER, SocketAddrV4::new(from, 5060), &bytes, &w.lan, now, &mut w.out);
        assert!(w.out.iter().any(|a| matches!(a, Action::Sip { to, .. } if *to.ip() == from)), "told the URL");
        let phone = w.control(json!({"op": "phone", "mac": mac(1).to_string()})).unwrap();
        assert_eq!(phone["result"]["ip"], ip(1).to_string());
    }
}

#[test]
fn a_subscribe_is_answered_with_the_url_and_strangers_hear_nothing() {
    let mut w = World::new();
    let now = w.now();
    for (hex, from) in [("00041300aa01", ip(9)), ("001122334455", ip(8)), ("00041300aa02", Ipv4Addr::new(10, 0, 0, 1))]
    {
        let from = SocketAddrV4::new(from, 5060);
        w.agent.datagram(0, ROUTER, from, &subscribe(hex, *from.ip()), &w.lan, now, &mut w.out);
    }
    let sent: Vec<(&SocketAddrV4, &[u8])> = w
        .out
        .iter()
        .filter_map(|a| match a {
            Action::Sip { to, bytes, .. } => Some((to, bytes.as_slice())),
            _ => None,
        })
        .collect();
    assert_eq!(sent.len(), 2, "200 and NOTIFY, to the one phone");
    assert!(sent.iter().all(|(to, _)| *to.ip() == ip(9)));
    let notify = Message::parse(sent[1].1).unwrap();
    let url = crate::proto::sip::phone::url(&notify).unwrap();
    assert_eq!(url, "http://192.168.1.1:8480/snom/settings.php?mac=00041300aa01");
    w.pass(40_000);
    assert!(w.out.iter().filter(|a| matches!(a, Action::Sip { .. })).count() < 8, "and it ends");
}

#[test]
fn a_get_is_fetched_stored_and_answered() {
    let mut w = World::new();
    let a = w.get(1);
    let (id, url) = w.job();
    assert_eq!(url, "https://prov.example.net/prov/snom/settings.php?mac=000413000001&pass=topsecret");
    w.upstream(id, good("one"));
    assert_eq!(w.told(a).map(|_| ()), None, "not before it is safe");
    assert_eq!(w.flash(), 1);
    let answer = w.told(a).unwrap();
    assert_eq!((answer.status, answer.label, answer.age), (200, Label::Fresh, Some(0)));
    assert!(w.out.iter().any(|a| matches!(a, Action::PutPhone(r) if r.mac == mac(1).to_string())));
    let status = w.control(json!({"op": "status"})).unwrap().to_string();
    let phone = w.control(json!({"op": "phone", "mac": mac(1).to_string()})).unwrap().to_string();
    assert!(!status.contains("topsecret") && !phone.contains("topsecret"));
}

#[test]
fn a_stranger_with_no_config_leaves_nothing_on_flash() {
    let mut w = World::new();
    let a = w.get(1);
    let (id, _) = w.job();
    w.upstream(id, Outcome::Bad(Reason::Gone, "status 404".into()));
    assert_eq!(w.status_of(a), Some((404, Label::None)));
    w.pass(70_000);
    assert!(!w.out.iter().any(|a| matches!(a, Action::PutPhone(_) | Action::Store(..))));
}

#[test]
fn refresh_of_one_phone_is_answered_when_all_its_files_are() {
    let mut w = World::new();
    w.serve(1, "one");
    assert_eq!(w.control(json!({"op": "refresh", "mac": mac(1).to_string()})), None);
    let (id, _) = w.job();
    w.upstream(id, down());
    let answer = w.controlled().unwrap();
    assert_eq!(answer["result"]["configs"][0]["result"], "last-good; reason=down");
    // and when the upstream says nothing at all
    assert_eq!(w.control(json!({"op": "refresh", "mac": mac(1).to_string()})), None);
    w.pass(21_000);
    assert!(w.controlled().is_some());
}

#[test]
fn resync_ends_whatever_the_phone_does() {
    let mut w = World::new();
    w.serve(1, "one");
    assert_eq!(w.control(json!({"op": "resync", "mac": mac(1).to_string()})), None);
    assert!(w.out.iter().any(|a| matches!(a, Action::Sip { to, .. } if *to.ip() == ip(1))));
    w.pass(6_000);
    let answer = w.controlled().unwrap();
    assert!(answer["result"]["phones"][0]["result"].as_str().unwrap().contains("no answer"));
}

#[test]
fn no_request_gets_the_config_of_another_phone() {
    let mut w = World::new();
    w.serve(1, "one");
    for target in [
        "/snom/settings.php?mac=000413000001",
        "/snom/settings.php?x=000413000002&mac=000413000001",
        "/snom/settings.php?mac=%30%30%30%34%31%33000001",
        "/snom/settings.php?mac=%2530%25300413000001",
        "/snom/settings.php/x.bin?mac=000413000001&pass=",
        "/snom/-/prov/snom/settings.php/x.bin?mac=00%3A04%3A13%3A00%3A00%3A01&pass=",
    ] {
        let a = w.get_from(ip(2), target);
        assert_eq!(w.status_of(a), Some((403, Label::None)), "{target}");
        assert_eq!(w.jobs(), [], "{target}");
    }
}

#[test]
fn who_hangs_up_leaves_nothing_behind() {
    let mut w = World::new();
    w.serve(1, "one");
    for _ in 0..1000 {
        w.ms += 1000;
        let a = w.get(1);
        let b = w.get_from(ip(1), "/snom/fw.bin");
        w.agent.request_gone(a);
        w.agent.request_gone(b);
    }
    assert_eq!(w.jobs().len(), 2, "one fetch each goes on");
    w.pass(30_000);
    assert!(!w.out.iter().any(|a| matches!(a, Action::Answer(..))), "nobody is told");
}

#[test]
fn a_phone_with_too_many_files_at_once_is_told_so_and_others_are_served() {
    let mut w = World::new();
    let all: Vec<RequestId> =
        (0..500).map(|i| w.get_from(ip(1), &format!("/snom/x{i}.htm?mac=000413000001"))).collect();
    let told: Vec<u16> = all.into_iter().filter_map(|id| w.status_of(id)).map(|(status, _)| status).collect();
    let count = |status| told.iter().filter(|s| **s == status).count();
    assert!(count(503) > 100, "{told:?}");
    assert_eq!(count(429), 500 - bounds::HTTP_BURST as usize);
    w.jobs();
    w.get(2);
    assert_eq!(w.jobs().len(), 1);
}

#[test]
fn what_a_phone_says_of_itself_does_not_wear_the_flash_out() {
    let mut w = World::new();
    w.serve(1, "one");
    for i in 0..100 {
        let phone = Subscribe {
            uri_user: "MAC%3a000413000001",
            domain: "224.0.1.75",
            vendor: "snom",
            model: "snomD785",
            version: &format!("10.{i}"),
            user_agent: "",
            source: SocketAddrV4::new(ip(1), 5060),
            call_id: &format!("c{i}"),
            cseq: 1,
            tag: "1",
            branch: "z9hG4bK1",
        };
        let (now, bytes) = (w.now(), phone.build().unwrap());
        w.agent.datagram(0, ROUTER, SocketAddrV4::new(ip(1), 5060), &bytes, &w.lan, now, &mut w.out);
        w.pass(10_000);
    }
    let writes = |w: &World| w.out.iter().filter(|a| matches!(a, Action::PutPhone(_))).count();
    assert!(writes(&w) <= 1, "{}", writes(&w));
    w.pass(3_600_000);
    w.out.clear();
    w.get(1);
    assert_eq!(writes(&w), 1, "in the end it is written");
}

#[test]
fn who_is_not_enrolled_gets_neither_url_nor_config() {
    let mut w = World::new();
    w.serve(1, "one");
    let mut closed = config(CONFIG);
    closed.agent.enrol = crate::config::Enrol::Window;
    let now = w.now();
    w.agent.reload(closed.clone(), now, &mut w.out);
    let stranger = w.get(2);
    assert_eq!(w.status_of(stranger), Some((403, Label::None)));
    let known = w.get(1);
    let (id, _) = w.job();
    w.upstream(id, good("one"));
    assert_eq!(w.status_of(known), Some((200, Label::Unchanged)));
    closed.agent.enrol = crate::config::Enrol::List;
    w.agent.reload(closed.clone(), now, &mut w.out);
    let unlisted = w.get(1);
    assert_eq!(w.status_of(unlisted), Some((403, Label::None)));
    closed.phones.push(crate::config::PinnedPhone { mac: mac(2), vendor: None });
    w.agent.reload(closed, now, &mut w.out);
    let listed = w.get(2);
    let (id, _) = w.job();
    w.upstream(id, good("two"));
    w.flash();
    assert_eq!(w.status_of(listed), Some((200, Label::Fresh)));
}

#[test]
fn the_password_in_what_the_upstream_says_stays_with_the_admin_of_the_upstream() {
    let mut w = World::new();
    let a = w.get(1);
    let (id, _) = w.job();
    w.upstream(id, Outcome::Bad(Reason::Broken, "it leads to http://topsecret.example:80".into()));
    let Some(Answer { status: 503, body: Body::Text(told), .. }) = w.told(a) else { panic!("no answer") };
    let status = w.control(json!({"op": "status"})).unwrap().to_string();
    let phones = w.control(json!({"op": "phones"})).unwrap().to_string();
    let events = w.control(json!({"op": "events"})).unwrap().to_string();
    for text in [told, status, phones, events] {
        assert!(!text.contains("topsecret"), "{text}");
    }
    // in a config it is the upstream's own doing, and said
    w.get(2);
    let (id, _) = w.job();
    w.upstream(id, good("u: https://prov.example.net/prov/snom/settings.php?pass=topsecret"));
    assert!(!w.control(json!({"op": "events"})).unwrap().to_string().contains("holds the provisioning password"));
    w.get(3);
    let (id, _) = w.job();
    w.upstream(id, good("admin_pass: topsecret"));
    assert!(w.control(json!({"op": "events"})).unwrap().to_string().contains("holds the provisioning password"));
}

#[test]
fn a_header_that_names_another_phone_goes_nowhere() {
    let mut w = World::new();
    w.serve(2, "two");
    for header in [
        "X-Original-URL: /snom/settings.php?mac=000413000002",
        "X-Rewrite-URL: /snom/settings.php?mac=%30%30:04:13:00:00:02",
        "X-Mac: 00-04-13-00-00-03",
        "Accept: text/000413000002",
    ] {
        w.next += 1;
        let target = format!("/snom/settings.php?mac={}", mac(1).hex_upper());
        let text = format!("GET {target} HTTP/1.1\r\nHost: 192.168.1.1:8480\r\n{header}\r\n\r\n");
        let Ok(Parsed::Whole { request, .. }) = parse_request(text.as_bytes()) else { panic!("{text}") };
        let (now, from) = (w.now(), SocketAddrV4::new(ip(1), 40_000));
        let asked = Asked { id: w.next, device: 0, from, request };
        w.agent.request(&asked, &w.lan, now, &mut w.out);
        assert_eq!(w.status_of(w.next), Some((403, Label::None)), "{header}");
        assert_eq!(w.jobs(), [], "{header}");
    }
}
