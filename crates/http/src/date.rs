//! The time in texts that every request needs, made once a second.

use std::cell::RefCell;
use std::time::Duration;

use polygate_telemetry::clock::DateTime;

thread_local! {
    static LATEST: RefCell<Texts> = const { RefCell::new(Texts { second: 0, http: String::new(), log: String::new() }) };
}

struct Texts {
    second: u64,
    http: String,
    log: String,
}

/// Shows a moment, which is now or was a little while ago, as HTTP writes it (RFC 9110, section 5.6.7).
pub fn now<T>(moment: Duration, show: impl FnOnce(&str) -> T) -> T {
    texts(moment, |texts| show(&texts.http))
}

/// Shows it as access logs have it.
pub fn log_now<T>(moment: Duration, show: impl FnOnce(&str) -> T) -> T {
    texts(moment, |texts| show(&texts.log))
}

fn texts<T>(moment: Duration, show: impl FnOnce(&Texts) -> T) -> T {
    let second = moment.as_secs();
    LATEST.with_borrow_mut(|latest| {
        if latest.second != second {
            let time = DateTime::from_unix(second);
            *latest = Texts { second, http: time.http().to_string(), log: time.common_log().to_string() };
        }
        show(latest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_texts_have_their_form() {
        let moment = Duration::from_millis(784_111_777_900);
        assert_eq!(now(moment, str::to_owned), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(log_now(moment, str::to_owned), "06/Nov/1994:08:49:37 +0000");
    }

    #[test]
    fn a_new_second_has_new_texts() {
        let first = now(Duration::from_secs(1), str::to_owned);
        assert_eq!(now(Duration::from_millis(1_999), str::to_owned), first);
        assert_ne!(now(Duration::from_secs(2), str::to_owned), first);
    }
}
