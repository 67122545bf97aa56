//! Answers that fit: rpcd takes so many bytes of a plugin, and beyond them gives its caller nothing at all.

use crate::bounds;
use serde_json::{json, Value};

/// Lists of the control socket's answers that grow with the number of phones, or with time; and the end that stays.
const LISTS: &[(&str, Keep)] = &[
    ("/phones", Keep::First),
    ("/events", Keep::Last),
    ("/configs/list", Keep::First),
    ("/failed", Keep::First),
    ("/passed_before", Keep::First),
    ("/problems", Keep::First),
];

#[derive(Clone, Copy, PartialEq)]
enum Keep {
    First,
    Last,
}

/// Cuts the lists of an answer until it takes no more than [`bounds::RPCD_ANSWER`] bytes. Then `more` says how many
/// items were left out.
pub fn fit(answer: Value) -> Value {
    fit_to(answer, bounds::RPCD_ANSWER)
}

fn fit_to(mut answer: Value, max: usize) -> Value {
    let mut more = 0;
    for (list, keep) in LISTS {
        let size = answer.to_string().len();
        if size <= max {
            break;
        }
        let over = size + 32 - max; // with room for the word "more"
        let Some(Value::Array(items)) = answer.pointer_mut(list) else { continue };
        let mut freed = 0;
        let mut cut = 0;
        let sizes: Vec<usize> = items.iter().map(|i| i.to_string().len() + 1).collect();
        let from_the_other_end: &mut dyn Iterator<Item = &usize> =
            if *keep == Keep::First { &mut sizes.iter().rev() } else { &mut sizes.iter() };
        for size in from_the_other_end {
            if freed >= over {
                break;
            }
            freed += size;
            cut += 1;
        }
        match keep {
            Keep::First => items.truncate(items.len() - cut),
            Keep::Last => _ = items.drain(..cut),
        }
        more += cut;
    }
    if more > 0 {
        answer["more"] = json!(more);
    }
    if answer.to_string().len() > max {
        return json!({"error": format!("the answer is larger than {} KiB, which is all that rpcd takes", max / 1024)});
    }
    answer
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let phones: Vec<Value> = (0..100).map(|n| json!({"mac": n})).collect();
        let all = json!({"phones": phones});
        let whole = all.to_string().len();
        assert_eq!(fit_to(all.clone(), whole), all);
        let cut = fit_to(all.clone(), 500);
        assert!(cut.to_string().len() <= 500);
        let left = cut["phones"].as_array().unwrap();
        assert_eq!(left.len() + cut["more"].as_u64().unwrap() as usize, 100);
        assert_eq!(left[0]["mac"], json!(0));
        assert!(cut.to_string().len() > 400, "no more than is needed: {cut}");
        let events = json!({"mac": "x", "events": (0..100).collect::<Vec<_>>()});
        let cut = fit_to(events, 100);
        assert_eq!(cut["events"].as_array().unwrap().last(), Some(&json!(99)), "the newest stay");
        let error = fit_to(json!({"other": "x".repeat(200)}), 150);
        assert!(error["error"].as_str().unwrap().contains("larger than"), "{error}");
    }

    #[test]
    fn the_bound_is_rpcds_own() {
        // rpcd/exec.c: RPC_EXEC_MAX_SIZE, 4096 * 64
        const { assert!(bounds::RPCD_ANSWER < 4096 * 64) };
        let phones: Vec<Value> = (0..bounds::PHONES).map(|n| json!({"mac": n, "text": "x".repeat(400)})).collect();
        let fitted = fit(json!({"phones": phones}));
        assert!(fitted.to_string().len() <= bounds::RPCD_ANSWER);
        assert!(fitted["phones"].as_array().unwrap().len() > 500);
    }
}
