//! What a plain scalar stands for in YAML 1.1.

use serde_json::{Number, Value};

/// The value of a plain scalar; an error for a number that JSON cannot hold.
pub(super) fn resolve(text: &str) -> Result<Value, String> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => {
            return Ok(Value::Bool(true));
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            return Ok(Value::Bool(false));
        }
        _ => {}
    }
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    if [".inf", ".Inf", ".INF"].contains(&digits) || [".nan", ".NaN", ".NAN"].contains(&text) {
        return Err(format!("a number without a finite value is not allowed: {text}"));
    }
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return Ok(text.into());
    }
    if let Some(magnitude) = integer(digits) {
        return Ok(signed(negative, magnitude));
    }
    match float(digits).map(|magnitude| if negative { -magnitude } else { magnitude }) {
        Some(number) => Number::from_f64(number)
            .map(Value::Number)
            .ok_or_else(|| format!("a number beyond the range of a double: {text}")),
        None => Ok(text.into()),
    }
}

/// Binary, hexadecimal, octal (a leading zero), base 60 and decimal; `_` may separate digits.
fn integer(digits: &str) -> Option<u64> {
    let plain = digits.replace('_', "");
    if let Some(binary) = plain.strip_prefix("0b") {
        return u64::from_str_radix(binary, 2).ok();
    }
    if let Some(hexadecimal) = plain.strip_prefix("0x") {
        return u64::from_str_radix(hexadecimal, 16).ok();
    }
    if plain.contains(':') {
        return base_60(&plain);
    }
    if !plain.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let octal = plain.strip_prefix('0').and_then(|octal| u64::from_str_radix(octal, 8).ok());
    octal.or_else(|| plain.parse().ok())
}

/// `1:30` is 90. All groups but the first are below 60.
fn base_60(digits: &str) -> Option<u64> {
    let mut groups = digits.split(':');
    let first = groups.next().filter(|first| !first.starts_with('0'))?;
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok())?;
    groups.try_fold(number(first)?, |total, group| {
        let group = number(group).filter(|number| *number < 60 && group.len() <= 2)?;
        total.checked_mul(60)?.checked_add(group)
    })
}

fn float(digits: &str) -> Option<f64> {
    let plain = digits.replace('_', "");
    let allowed = |byte: u8| byte.is_ascii_digit() || b".eE+-".contains(&byte);
    if !plain.bytes().all(allowed) {
        return None;
    }
    plain.parse().ok()
}

fn signed(negative: bool, magnitude: u64) -> Value {
    if !negative {
        return magnitude.into();
    }
    match 0_i64.checked_sub_unsigned(magnitude) {
        Some(number) => number.into(),
        None => Value::from(-(magnitude as f64)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::resolve;

    #[test]
    fn reads_scalars_as_yaml_1_1() {
        let rows: [(&str, Value); 44] = [
            ("", Value::Null),
            ("~", Value::Null),
            ("Null", Value::Null),
            ("yes", json!(true)),
            ("On", json!(true)),
            ("TRUE", json!(true)),
            ("no", json!(false)),
            ("OFF", json!(false)),
            ("y", json!("y")),
            ("yEs", json!("yEs")),
            ("0", json!(0)),
            ("42", json!(42)),
            ("-42", json!(-42)),
            ("+42", json!(42)),
            ("1_000", json!(1000)),
            ("0777", json!(511)),
            ("08", json!(8)),
            ("0x1F", json!(31)),
            ("0b101", json!(5)),
            ("1:30", json!(90)),
            ("1:01:01", json!(3661)),
            ("1:60", json!("1:60")),
            ("01:30", json!("01:30")),
            ("1:300", json!("1:300")),
            ("3.0", json!(3.0)),
            ("-.5", json!(-0.5)),
            ("1e3", json!(1000.0)),
            ("1.5e-3", json!(0.0015)),
            ("1.2.3", json!("1.2.3")),
            ("10.0.0.1", json!("10.0.0.1")),
            ("10.0.0.1:80", json!("10.0.0.1:80")),
            ("18446744073709551615", json!(u64::MAX)),
            ("18446744073709551616", json!(18446744073709551616.0)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("-", json!("-")),
            (".", json!(".")),
            ("1-2", json!("1-2")),
            ("1e", json!("1e")),
            ("0x", json!("0x")),
            ("0xg", json!("0xg")),
            ("infinity", json!("infinity")),
            ("nan", json!("nan")),
            ("2024-01-01", json!("2024-01-01")),
            ("/path", json!("/path")),
        ];
        for (text, expected) in rows {
            assert_eq!(resolve(text), Ok(expected), "{text:?}");
        }
        for text in [".inf", "-.INF", ".NaN", "1e999"] {
            assert!(resolve(text).is_err(), "{text:?}");
        }
    }
}
