//! Waiting for a state that nothing announces (a log line, a process, a listener): ask again until a bound is passed.

use std::thread;
use std::time::{Duration, Instant};

/// How long to pause between two questions. Short against everything waited for, long against a scheduler's slice.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks `question` until it answers, and panics with `what` when `bound` has passed without an answer.
#[track_caller]
pub fn eventually<T>(bound: Duration, what: &str, mut question: impl FnMut() -> Option<T>) -> T {
    match within(bound, &mut question) {
        Some(answer) => answer,
        None => panic!("not within {bound:?}: {what}"),
    }
}

/// Asks `question` until it answers; `None` when `bound` has passed without an answer.
pub fn within<T>(bound: Duration, mut question: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + bound;
    loop {
        if let Some(answer) = question() {
            return Some(answer);
        }
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(PAUSE);
    }
}
