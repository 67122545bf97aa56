//! Says what changed between the generations of a phone's configs. They are read from flash and taken apart, which is too
//! slow for the loop: a thread does it while the caller waits.

use crate::bounds;
use crate::config::Secret;
use crate::core::agent::{Comparison, ControlId, Place};
use crate::net::mailbox::{Letter, Post};
use crate::net::panics::caught;
use crate::store::Store;
use crate::vendor;
use serde_json::Value;
use std::sync::Arc;
use std::thread;

/// In the place of a difference.
const BUSY: &str = "not compared: ask again in a moment";
const TOO_MUCH: &str = "not compared: this phone has too much stored";
const UNREADABLE: &str = "not compared: one of the two cannot be read";

/// What is to be compared, and the answer that it goes into.
pub(crate) struct Order {
    pub(crate) id: ControlId,
    pub(crate) answer: Value,
    pub(crate) wanted: Vec<Comparison>,
    /// Is in no name that is said.
    pub(crate) secret: Secret,
}

/// Counts those under way: each thread has one of these until it ends, however it ends.
#[derive(Clone, Default)]
pub(crate) struct Comparing(Arc<()>);

impl Comparing {
    /// Carries out an order; the answer comes as a [`Letter`].
    pub(crate) fn start(&self, store: Arc<Store>, mut order: Order, post: Post) {
        let place = self.0.clone();
        if Arc::strong_count(&place) > bounds::DIFFERENCES + 1 {
            fill(&mut order.answer, &order.wanted, |_, _| BUSY.to_string());
            return post.send(Letter::Control(order.id, order.answer));
        }
        let (id, plain, reply) = (order.id, order.answer.clone(), post.clone());
        let run = move || {
            let _place = place;
            // without the differences rather than without an answer
            let answer = caught(|| answer(&store, order)).unwrap_or(plain);
            post.send(Letter::Control(id, answer));
        };
        if let Err(e) = thread::Builder::new().name("compare".into()).stack_size(256 * 1024).spawn(run) {
            log::warn!("agent: cannot start a thread: {e}");
            reply.send(Letter::Control(id, serde_json::json!({"ok": false, "error": "the router is short of memory"})));
        }
    }
}

/// The answer with its differences.
fn answer(store: &Store, mut order: Order) -> Value {
    let mut room = bounds::DIFFERENCE_BYTES;
    let mut last: Option<Vec<u8>> = None;
    let mut full = false;
    fill(&mut order.answer, &order.wanted, |config, i| {
        // newest first: what was the older one is the newer one now
        let mut read = |i: usize| -> Option<Vec<u8>> {
            let kept = config.kept.get(i)?;
            match room.checked_sub(kept.size) {
                Some(left) => room = left,
                None => {
                    full = true;
                    return None;
                }
            }
            match &kept.place {
                Place::Generation(number) => store.read(&config.key, *number).ok(),
                Place::Candidate(meta) => store.read_candidate(&config.key, meta).ok(),
                Place::Bytes(bytes) => Some(bytes.to_vec()),
            }
        };
        let newer = if i == 0 { read(0) } else { last.take() };
        let older = read(i + 1);
        let words = match (&older, &newer) {
            (Some(older), Some(newer)) => {
                vendor::difference(config.vendor, &config.file, older, newer, order.secret.expose())
            }
            _ if full => TOO_MUCH.to_string(),
            _ => UNREADABLE.to_string(),
        };
        last = older;
        words
    });
    order.answer
}

/// Puts words at each item of the lists that has one before it.
fn fill(answer: &mut Value, wanted: &[Comparison], mut words: impl FnMut(&Comparison, usize) -> String) {
    let configs = answer.pointer_mut("/result/configs").and_then(Value::as_array_mut);
    for (config, comparison) in configs.into_iter().flatten().zip(wanted) {
        let list = config.get_mut("list").and_then(Value::as_array_mut).into_iter().flatten();
        for (i, item) in list.enumerate().take(comparison.kept.len().saturating_sub(1)) {
            if let Some(difference) = item.get_mut("difference") {
                *difference = words(comparison, i).into();
            }
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::core::agent::Kept;
    use crate::core::types::{GenerationMeta, ResourceKey, Sha256};
    use crate::net::mailbox::Mailbox;
    use crate::proto::mac::Mac;
    use serde_json::json;
    use std::time::{Duration, Instant};

    fn key() -> ResourceKey {
        ResourceKey { vendor: "mitel".into(), mac: Mac::parse("00085d000001").unwrap(), name: "{mac}.cfg".into() }
    }

    fn stored(store: &Store, number: u32, body: &str) -> Kept {
        let meta = GenerationMeta {
            number,
            sha256: Sha256::of(body.as_bytes()),
            size: body.len() as u64,
            stored_at: 1,
            etag: None,
            last_modified: None,
            target: "x".into(),
            headers: Vec::new(),
        };
        store.put(&key(), &meta, body.as_bytes(), 20, 1 << 30).unwrap();
        Kept { size: meta.size, place: Place::Generation(number) }
    }

    fn order(kept: Vec<Kept>) -> Order {
        let list: Vec<Value> = kept.iter().map(|_| json!({"difference": null})).collect();
        let vendor = vendor::by_name("mitel").unwrap();
        Order {
            id: 7,
            answer: json!({"ok": true, "result": {"configs": [{"list": list}]}}),
            wanted: vec![Comparison { key: key(), vendor, file: "x.cfg".into(), kept }],
            secret: Secret::new(""),
        }
    }

    fn words(answer: &Value) -> Vec<Option<&str>> {
        let list = answer["result"]["configs"][0]["list"].as_array().unwrap();
        list.iter().map(|i| i["difference"].as_str()).collect()
    }

    #[test]
    fn each_against_the_one_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = crate::store::open(dir.path()).unwrap().store;
        let bytes: Arc<[u8]> = b"a: 3\nb: 2\n".to_vec().into();
        let mut kept: Vec<Kept> = [(1, "a: 1\nb: 1\n"), (2, "a: 1\nb: 2\n"), (3, "a: 2\nb: 2\n")]
            .iter()
            .map(|(n, b)| stored(&store, *n, b))
            .collect();
        kept.push(Kept { size: 10, place: Place::Bytes(bytes) });
        kept.reverse();
        let answer = answer(&store, order(kept));
        assert_eq!(
            words(&answer),
            [Some("1 setting changed: a"), Some("1 setting changed: a"), Some("1 setting changed: b"), None]
        );
    }

    #[test]
    fn one_that_is_gone_costs_no_more_than_its_two_differences() {
        let dir = tempfile::tempdir().unwrap();
        let store = crate::store::open(dir.path()).unwrap().store;
        let mut kept: Vec<Kept> = (1..5).map(|n| stored(&store, n, &format!("a: {n}\n"))).collect();
        kept[1].place = Place::Generation(77);
        kept.reverse();
        let answer = answer(&store, order(kept));
        assert_eq!(words(&answer), [Some("1 setting changed: a"), Some(UNREADABLE), Some(UNREADABLE), None]);
    }

    #[test]
    fn no_more_is_read_than_so_much() {
        let dir = tempfile::tempdir().unwrap();
        let store = crate::store::open(dir.path()).unwrap().store;
        let big = |n: u32| format!("a: {n}\n{}", "b: 1\n".repeat(150_000));
        let mut kept: Vec<Kept> = (1..5).map(|n| stored(&store, n, &big(n))).collect();
        assert!(kept[0].size * 2 < bounds::DIFFERENCE_BYTES && kept[0].size * 3 > bounds::DIFFERENCE_BYTES);
        kept.reverse();
        let answer = answer(&store, order(kept));
        assert_eq!(words(&answer), [Some("1 setting changed: a"), Some(TOO_MUCH), Some(TOO_MUCH), None]);
    }

    #[test]
    fn so_many_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(crate::store::open(dir.path()).unwrap().store);
        let kept =
            || vec![Kept { size: 1, place: Place::Generation(2) }, Kept { size: 1, place: Place::Generation(1) }];
        let mailbox = Mailbox::new().unwrap();
        let comparing = Comparing::default();
        let answers = |n: usize| -> Vec<Value> {
            let began = Instant::now();
            let mut all = Vec::new();
            while all.len() < n && began.elapsed() < Duration::from_secs(5) {
                all.extend(mailbox.take().into_iter().filter_map(|l| match l {
                    Letter::Control(7, answer) => Some(answer),
                    _ => None,
                }));
            }
            all
        };
        let busy: Vec<Comparing> = (0..bounds::DIFFERENCES).map(|_| comparing.clone()).collect();
        comparing.start(store.clone(), order(kept()), mailbox.post());
        assert_eq!(words(&answers(1)[0]), [Some(BUSY), None]);
        drop(busy);
        comparing.start(store, order(kept()), mailbox.post());
        assert_eq!(words(&answers(1)[0]), [Some(UNREADABLE), None]);
    }
}
