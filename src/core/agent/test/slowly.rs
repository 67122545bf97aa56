//! A mistake in the database that reaches the phones over hours.

use super::guard::{own, tenant, Office};
use super::world::*;

const SIZES: [u16; 3] = [5, 10, 40];

/// MACs that are no neighbours.
fn office(phones: u16) -> (Office, Vec<u16>) {
    let all: Vec<u16> = (0..phones).map(|i| i * 47).collect();
    let mut o = Office::empty(CONFIG);
    for n in &all {
        o.boot(*n, &own(*n));
    }
    o.w.pass(20_000);
    (o, all)
}

/// A minute in which the upstream has the mistake for all.
fn minute(o: &mut Office, all: &[u16]) {
    o.w.pass(60_013);
    o.settle();
    upstream(o, all, tenant);
}

fn upstream(o: &mut Office, all: &[u16], has: impl Fn(u16) -> String) {
    o.settle();
    loop {
        let jobs = o.w.jobs();
        if jobs.is_empty() {
            return;
        }
        for (job, url) in jobs {
            let n = *all.iter().find(|n| url.contains(&mac(**n).hex_upper())).expect("a phone's");
            o.w.upstream(job, good(&has(n)));
            o.settle();
        }
    }
}

fn assert_kept(o: &Office, all: &[u16]) {
    let newest =
        |n: u16| o.flash.iter().find(|(k, _)| k.mac == mac(n)).expect("stored").1.last().expect("one").1.clone();
    let lost = all.iter().filter(|n| newest(**n) != own(**n).as_bytes()).count();
    assert!(lost > 0 && lost <= (all.len() / 5).max(2), "{lost} of {} phones", all.len());
}

#[test]
fn a_night_is_one_mistake() {
    for phones in SIZES {
        let (mut o, all) = office(phones);
        // nobody asks, all are refreshed in the background; a day and a night
        for _ in 0..24 * 60 {
            minute(&mut o, &all);
        }
        assert_kept(&o, &all);
    }
}

#[test]
fn a_mistake_shows_though_each_phone_asks_once_a_day() {
    for phones in SIZES {
        let (mut o, all) = office(phones);
        for m in 0..24 * 60 {
            if m % (1440 / phones) == 0 {
                o.w.get(all[usize::from(m / (1440 / phones))]);
                upstream(&mut o, &all, tenant);
                if m == 0 {
                    assert_eq!(o.guard()["state"], "holding", "with the first phone that asks");
                }
            }
            minute(&mut o, &all);
        }
        assert_kept(&o, &all);
    }
}

#[test]
fn one_phone_that_changes_costs_a_few_questions_and_no_more() {
    let (mut o, all) = office(40);
    o.w.get(0);
    let mut asked = 0;
    for again in 0..3 {
        o.settle();
        loop {
            let jobs = o.w.jobs();
            if jobs.is_empty() {
                break;
            }
            for (job, url) in jobs {
                asked += 1;
                let n = *all.iter().find(|n| url.contains(&mac(**n).hex_upper())).expect("a phone's");
                o.w.upstream(job, good(&if n == 0 { own(1000 + again) } else { own(n) }));
                o.settle();
            }
        }
        o.w.pass(15_000);
        o.w.get(0);
    }
    assert_eq!(asked, 3 + 8, "the phone itself, and once as many others as show whether it is more");
    assert_eq!(o.guard()["changed"], 1);
}
