//! Numbers as Lua reads them, sizes, times and switches as nginx writes them.

use std::time::Duration;

/// A decimal or hexadecimal number as Lua reads it; no `inf`, no `nan`.
pub(crate) fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let value = match hexadecimal {
        Some(hexadecimal) if !hexadecimal.starts_with('+') => {
            u64::from_str_radix(hexadecimal, 16).ok()? as f64
        }
        Some(_) => return None,
        None => digits.parse::<f64>().ok()?,
    };
    Some(if negative { -value } else { value }).filter(|value| value.is_finite())
}

/// Digits with an optional `k`, `m` or `g`: bytes.
pub(crate) fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let (digits, factor) = match text.char_indices().last()? {
        (at, 'k' | 'K') => (&text[..at], 1 << 10),
        (at, 'm' | 'M') => (&text[..at], 1 << 20),
        (at, 'g' | 'G') => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// A plain number is seconds and may have a fraction; with units the parts are added: `1m30s`.
pub(crate) fn time(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Some(seconds) = number(text) {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit())?;
        let value: u32 = rest[..unit_at].parse().ok()?;
        let tail = &rest[unit_at..];
        let unit_end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let part = match tail[..unit_end].trim() {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            "d" => Duration::from_secs(86400),
            "w" => Duration::from_secs(7 * 86400),
            _ => return None,
        };
        total = total.checked_add(part.checked_mul(value)?)?;
        rest = &tail[unit_end..];
    }
    (!text.is_empty()).then_some(total)
}

/// Whether a boolean's text means true.
pub(crate) fn is_on(text: &str) -> bool {
    matches!(text, "on" | "true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lua_numbers() {
        for (text, value) in
            [("1", Some(1.0)), (" 1.5 ", Some(1.5)), (".5", Some(0.5)), ("-0x0f", Some(-15.0))]
        {
            assert_eq!(number(text), value, "{text}");
        }
        for text in ["", "nan", "+inf", "1x", "0x", "0x+1", "1e999", "--1", "on"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [("0", 0), ("8k", 8192), ("10M", 10 << 20), ("2g", 2 << 30), (" 7 ", 7)] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "k", "-1", "+1", "1x", "1.5m", "99999999999g", "8 k"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn times() {
        let milliseconds =
            [("0", 0), ("60", 60_000), ("0.5", 500), ("250ms", 250), ("1m30s", 90_000), ("1d", 86_400_000)];
        for (text, expected) in milliseconds {
            assert_eq!(time(text), Some(Duration::from_millis(expected)), "{text}");
        }
        for text in ["", "s", "-1", "5x", "1m 30", "1e400", "99999999999s"] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
