//! Numbers as text.

/// A number as Lua prints it, with `%.14g`.
pub fn number(number: f64) -> String {
    const DIGITS: i32 = 14;
    // Most are whole, and their digits need no search.
    if number.fract() == 0.0 && number.abs() < 1e14 && !(number == 0.0 && number.is_sign_negative()) {
        return (number as i64).to_string();
    }
    if !number.is_finite() {
        let name = if number.is_nan() { "nan" } else { "inf" };
        return format!("{}{name}", if number.is_sign_negative() { "-" } else { "" });
    }
    let scientific = format!("{number:.13e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..DIGITS).contains(&exponent) {
        let decimals = (DIGITS - 1 - exponent) as usize;
        return without_zeros(&format!("{number:.decimals$}")).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", without_zeros(mantissa), exponent.abs())
}

fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_as_in_lua() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (-7.0, "-7"),
            (1795404080123.0, "1795404080123"),
            (0.1, "0.1"),
            (-2.5, "-2.5"),
            (1.0 / 3.0, "0.33333333333333"),
            (99999999999999.0, "99999999999999"),
            (100000000000000.0, "1e+14"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(number(value), expected);
        }
    }
}
