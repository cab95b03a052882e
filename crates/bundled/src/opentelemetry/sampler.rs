//! Which traces are seen.

use crate::trace_context::TraceId;

/// A caller who does not want the trace to be seen is obeyed; of all others a share is. The id decides, so that all
/// gateways on the way of a trace with the same share decide alike.
pub fn decide(id: TraceId, caller: Option<bool>, rate: f64) -> bool {
    const ALL: f64 = (1_u64 << 63) as f64;
    // Of an id the lower bytes are random in all formats; AWS has the time in the others.
    let place = (id.number as u64) >> 1;
    caller != Some(false) && (rate >= 1.0 || (place as f64) < rate * ALL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_them() {
        let id = TraceId::given(0x8000_0000_0000_0000, 16);
        for (caller, rate, seen) in [
            (None, 1.0, true),
            (None, 0.6, true),
            (None, 0.4, false),
            (None, 0.0, false),
            (Some(true), 0.4, false),
            (Some(true), 0.6, true),
            (Some(false), 1.0, false),
        ] {
            assert_eq!(decide(id, caller, rate), seen, "{caller:?}, {rate}");
        }
        let seen = (0..10_000).filter(|_| decide(TraceId::random(16), None, 0.1)).count();
        assert!((700..1300).contains(&seen), "{seen}");
    }
}
