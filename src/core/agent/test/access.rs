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
