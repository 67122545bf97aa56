//! A mistake in our own code ends what it happened in, and nothing else: the loop catches it, answers, counts, goes on.
//! The release profile must unwind for that (a test looks at Cargo.toml).

use std::panic::{catch_unwind, set_hook, AssertUnwindSafe, PanicHookInfo};
use std::sync::{Mutex, PoisonError};

/// Where the last one was: `src/core/x.rs:12`.
static PLACE: Mutex<String> = Mutex::new(String::new());

/// Makes a panic one log line that says where it was. Not what the message said: what was sliced or unwrapped there
/// may be a config.
pub fn install() {
    set_hook(Box::new(|info: &PanicHookInfo<'_>| {
        let place = info.location().map_or_else(String::new, |l| format!("{}:{}", l.file(), l.line()));
        let thread = std::thread::current();
        log::error!("agent: a mistake at {place} (thread {}); please report it", thread.name().unwrap_or("?"));
        *PLACE.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }));
}

/// Where the last one was; empty without [`install`].
pub(crate) fn place() -> String {
    PLACE.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Runs `f`; `None` where it panicked. Whoever calls goes on with what `f` was working on: its parts are each whole,
/// since safe code has no others, but a step may be missing between them. That is for the caller to mend.
pub(crate) fn caught<T>(f: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(f)).ok()
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn what_panics_is_caught_and_the_rest_stays() {
        let mut done = Vec::new();
        let results: Vec<Option<usize>> = (0..3)
            .map(|i| {
                caught(|| {
                    done.push(i);
                    [7, 8][..].get(i).copied().expect("the third does not exist")
                })
            })
            .collect();
        assert_eq!(results, [Some(7), Some(8), None]);
        assert_eq!(done, [0, 1, 2]);
    }

    #[test]
    fn the_profiles_unwind() {
        let manifest = include_str!("../../Cargo.toml");
        assert!(!manifest.lines().any(|l| l.trim_start().starts_with("panic")), "panic = abort ends all at once");
        let unwinds = caught(|| std::panic::resume_unwind(Box::new(())));
        assert!(unwinds.is_none());
    }
}
