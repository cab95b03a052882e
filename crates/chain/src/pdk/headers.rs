//! The rules for headers that `kong.request`, `kong.response` and both halves of `kong.service` share.
//!
//! Getters take `_` for `-` and answer lower-case names; setters take strings, numbers, booleans and
//! lists of strings.
//!
//! What a plugin gives becomes header lines only: a name is a token, a value holds no control character, a
//! length is a number, and there is a limit to how many lines a head has. Everything else is an error that
//! shows the value.

use std::borrow::Cow;

use polygate_http1::{Headers, is_name, is_value, items};
use smallvec::{SmallVec, smallvec};

use crate::pdk::PdkError;
use crate::{Exchange, Key, Phase, Value};

/// As many lines as a getter can answer. The gateway's own come on top.
const MOST_LINES: usize = 1000;

/// Response headers that concern one connection, and so the gateway alone (RFC 9110, section 7.6.1).
const OF_ONE_CONNECTION: [&str; 5] =
    ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/// The first value of `name`.
pub fn first<'h>(headers: &'h Headers, name: &[u8]) -> Option<&'h [u8]> {
    lines(headers, name).next()
}

/// The values of all lines of `name`.
pub fn lines<'h>(headers: &'h Headers, name: &[u8]) -> impl Iterator<Item = &'h [u8]> {
    headers.iter().filter(move |(key, _)| is_same(key, name)).map(|(_, value)| value)
}

/// How many lines a plugin wants. In the log phase it gets as many as were kept, as in the reference.
pub fn limit(exchange: &Exchange, wanted: Option<usize>) -> Option<usize> {
    wanted.filter(|_| exchange.session.phase != Phase::Log)
}

/// Lower-case name to string, or to a list where the header is repeated; at most `limit` lines.
pub fn all(headers: &Headers, limit: usize) -> Value {
    let mut members: Vec<(Key, Value)> = Vec::with_capacity(headers.len().min(limit));
    for (name, value) in headers.iter().take(limit) {
        let (name, value) = (Key::Str(name.to_ascii_lowercase().into()), Value::str(value));
        match members.iter_mut().find(|(key, _)| *key == name) {
            None => members.push((name, value)),
            Some((_, Value::List(values))) => values.push(value),
            Some((_, first)) => *first = Value::List(vec![std::mem::take(first), value]),
        }
    }
    Value::Map(members)
}

/// One header with its new values, as a setter was given it; without values it is to be removed.
#[derive(Debug)]
pub struct Change<'a> {
    /// With the letters that the plugin wrote.
    pub name: Cow<'a, str>,
    pub values: SmallVec<[Cow<'a, [u8]>; 1]>,
}

impl<'a> Change<'a> {
    /// The header with one value; nobody has checked the two.
    pub fn line(name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) -> Self {
        match value.into() {
            Cow::Borrowed(text) => Self::raw_line(name, text.as_bytes()),
            Cow::Owned(text) => Self::raw_line(name, text.into_bytes()),
        }
    }

    /// [`Change::line`] with a value that may be no UTF-8.
    pub fn raw_line(name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { name: name.into(), values: smallvec![value.into()] }
    }

    /// The header is to be removed.
    pub fn removal(name: impl Into<Cow<'a, str>>) -> Self {
        Self { name: name.into(), values: SmallVec::new() }
    }

    /// `value` is a string, a number, a boolean, or a list of strings.
    pub fn new(name: &'a [u8], value: &'a Value) -> Result<Self, PdkError> {
        let shown = String::from_utf8_lossy(name);
        let values = match value {
            Value::List(items) => items
                .iter()
                .filter(|item| !item.is_nil())
                .map(|item| {
                    let bytes = item.as_bytes().ok_or_else(|| {
                        PdkError::thrown(format!(
                            "invalid header value in array \"{shown}\": got {}, expected string",
                            item.type_name()
                        ))
                    })?;
                    checked_value(&shown, &bytes[..])
                })
                .collect::<Result<_, _>>()?,
            Value::Str(bytes) => smallvec![checked_value(&shown, &bytes[..])?],
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
                smallvec![checked_value(&shown, value.plain().to_vec())?]
            }
            Value::Nil | Value::Map(_) => {
                return Err(PdkError::thrown(format!(
                    "invalid header value for \"{shown}\": got {}, expected array of string, string, number \
                     or boolean",
                    value.type_name()
                )));
            }
        };
        let change = Self { name: checked_name(name)?.into(), values };
        change.check_length()?;
        Ok(change)
    }

    /// A `Content-Length` is one number (RFC 9110, section 8.6). The gateway sends that of the body; what is
    /// given here only counts where there is none, in the answer to a HEAD request. Responses, and many an
    /// upstream, take `_` in its name for `-`.
    fn check_length(&self) -> Result<(), PdkError> {
        let is_number = |text: &[u8]| (1..=19).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
        match self.values.as_slice() {
            _ if !is_same(&self.name, b"content-length") => Ok(()),
            [] => Ok(()),
            [value] if is_number(value) => Ok(()),
            values => {
                let shown: Vec<_> = values.iter().map(|value| String::from_utf8_lossy(value)).collect();
                Err(PdkError::thrown(format!(
                    "invalid header value for \"{}\": {shown:?} is no length, give one number",
                    self.name
                )))
            }
        }
    }

    pub fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Whether a response header is the gateway's business.
    pub fn is_of_one_connection(&self) -> bool {
        OF_ONE_CONNECTION.iter().any(|name| self.is_named(name))
    }

    /// Response header names never carry `_`.
    pub fn with_dashes(mut self) -> Self {
        if self.name.contains('_') {
            self.name = dashed(&self.name).into();
        }
        self
    }

    /// With an error nothing is changed.
    pub fn replace_in(&self, headers: &mut Headers) -> Result<(), PdkError> {
        replace_all(std::slice::from_ref(self), headers)
    }

    /// Those that a head has one of only, `singles`, are replaced: the last value counts.
    pub fn add_to(mut self, headers: &mut Headers, singles: &[&str]) -> Result<(), PdkError> {
        if singles.iter().any(|name| self.is_named(name)) {
            self.values.drain(..self.values.len().saturating_sub(1));
            return if self.values.is_empty() { Ok(()) } else { self.replace_in(headers) };
        }
        self.check_room(headers.len())?;
        headers.extend(self.values.iter().map(|value| (&*self.name, value)));
        Ok(())
    }

    fn apply(&self, headers: &mut Headers) {
        match self.values.split_first() {
            None => drop(headers.remove(&self.name)),
            Some((first, rest)) => {
                headers.insert(&*self.name, first);
                headers.extend(rest.iter().map(|value| (&*self.name, value)));
            }
        }
    }

    fn check_room(&self, used: usize) -> Result<(), PdkError> {
        if used + self.values.len() <= MOST_LINES {
            return Ok(());
        }
        Err(PdkError::thrown(format!(
            "no room for {} lines of header \"{}\": a head has {MOST_LINES} lines at the most",
            self.values.len(),
            self.name
        )))
    }
}

/// Puts the new values in the place of those before, one change after the other; with an error nothing is changed.
pub fn replace_all(changes: &[Change<'_>], headers: &mut Headers) -> Result<(), PdkError> {
    if changes.len() > MOST_LINES {
        let given = changes.len();
        return Err(PdkError::thrown(format!(
            "no room for {given} headers: a head has {MOST_LINES} lines at the most"
        )));
    }
    let added: usize = changes.iter().map(|change| change.values.len()).sum();
    if headers.len() + added > MOST_LINES {
        check_room(changes, headers)?;
    }
    changes.iter().for_each(|change| change.apply(headers));
    Ok(())
}

/// Whether there is room at every moment, with the lines that the changes take the place of.
fn check_room(changes: &[Change<'_>], headers: &Headers) -> Result<(), PdkError> {
    let mut used = headers.len();
    for (at, change) in changes.iter().enumerate() {
        let before = match changes[..at].iter().rfind(|earlier| earlier.is_named(&change.name)) {
            Some(earlier) => earlier.values.len(),
            None => headers.get_all(&change.name).count(),
        };
        change.check_room(used - before)?;
        used = used - before + change.values.len();
    }
    Ok(())
}

/// Takes `name` off the lists of `Connection`. A client may list there what is to be removed before the request
/// goes upstream; what a plugin has set is not the client's to remove.
pub fn keep_end_to_end(headers: &mut Headers, name: &str) {
    const CONNECTION: &str = "Connection";
    if !headers.lists(CONNECTION, name) {
        return;
    }
    let is_other = |item: &&[u8]| !item.eq_ignore_ascii_case(name.as_bytes());
    let others = |line| items(line).filter(is_other).collect::<Vec<_>>().join(b", ".as_slice());
    let lines: Vec<_> = headers.get_all(CONNECTION).map(others).collect();
    headers.remove(CONNECTION);
    headers.extend(lines.iter().filter(|line| !line.is_empty()).map(|line| (CONNECTION, line)));
}

/// `name` with each `_` as `-`.
pub fn dashed(name: &str) -> String {
    name.replace('_', "-")
}

fn is_same(key: &str, name: &[u8]) -> bool {
    let fold = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    key.len() == name.len() && key.bytes().zip(name).all(|(a, &b)| fold(a) == fold(b))
}

pub(super) fn checked_name(name: &[u8]) -> Result<&str, PdkError> {
    str::from_utf8(name).ok().filter(|name| is_name(name.as_bytes())).ok_or_else(|| {
        PdkError::thrown(format!(
            "invalid header name {:?}: use letters, digits and !#$%&'*+-.^_`|~",
            String::from_utf8_lossy(name)
        ))
    })
}

pub(super) fn invalid_name(given: &Value) -> PdkError {
    let shown = given.shown();
    PdkError::thrown(format!("invalid header name \"{shown}\": got {}, expected string", given.type_name()))
}

fn checked_value<'a>(name: &str, value: impl Into<Cow<'a, [u8]>>) -> Result<Cow<'a, [u8]>, PdkError> {
    let value = value.into();
    if is_value(&value) {
        return Ok(value);
    }
    let value = String::from_utf8_lossy(&value);
    Err(PdkError::thrown(format!("invalid header value for \"{name}\": {value:?} holds a control character")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdk::args;

    fn sample() -> Headers {
        [("x-one", "1"), ("X-Two", "a"), ("x-two", "b"), ("x_under", "u")].into_iter().collect()
    }

    fn change<'a>(name: &'a str, values: &[&'a str]) -> Change<'a> {
        Change { name: name.into(), values: values.iter().map(|value| value.as_bytes().into()).collect() }
    }

    #[test]
    fn getters_fold_case_and_underscores() {
        for (name, expected) in [
            ("X-ONE", Some("1")),
            ("x_one", Some("1")),
            ("x-two", Some("a")),
            ("X-Under", Some("u")),
            ("x-none", None),
        ] {
            assert_eq!(first(&sample(), name.as_bytes()), expected.map(str::as_bytes), "of {name}");
        }
    }

    #[test]
    fn limit_counts_lines() {
        let two = all(&sample(), 2).to_json();
        assert_eq!(two, serde_json::json!({"x-one": "1", "x-two": "a"}));
        let four = all(&sample(), 4).to_json();
        assert_eq!(four, serde_json::json!({"x-one": "1", "x-two": ["a", "b"], "x_under": "u"}));
    }

    #[test]
    fn values_become_lines() {
        for (value, expected) in [
            (Value::from("v"), Ok(vec!["v"])),
            (Value::from(""), Ok(vec![""])),
            (Value::Int(3), Ok(vec!["3"])),
            (Value::Int(100_000_000_000_000_000), Ok(vec!["1e+17"])),
            (Value::Float(0.5), Ok(vec!["0.5"])),
            (Value::Bool(true), Ok(vec!["true"])),
            (Value::from_iter(["a", "b"]), Ok(vec!["a", "b"])),
            (Value::List(vec![Value::Nil, "a".into()]), Ok(vec!["a"])),
            (
                Value::from_iter([1]),
                Err("invalid header value in array \"X-A\": got number, expected string"),
            ),
            (
                Value::Nil,
                Err(
                    "invalid header value for \"X-A\": got nil, expected array of string, string, number or boolean",
                ),
            ),
            (
                Value::from("a\r\nb: c"),
                Err("invalid header value for \"X-A\": \"a\\r\\nb: c\" holds a control character"),
            ),
        ] {
            let args = [Value::from("X-A"), value];
            let got = args::header(&args, 0).map(|change| {
                assert_eq!(change.name, "X-A");
                change.values
            });
            let expected = expected.map(|lines| lines.into_iter().map(|it| it.as_bytes().into()).collect());
            assert_eq!(got, expected.map_err(PdkError::thrown), "of {:?}", args[1]);
        }
    }

    #[test]
    fn no_line_ends_in_values_and_names() {
        for byte in 0..=u8::MAX {
            let value = Value::str([b'a', byte, b'b'].as_slice());
            let legal = byte == b'\t' || (byte >= b' ' && byte != 0x7f);
            assert_eq!(args::header(&[Value::from("x"), value.clone()], 0).is_ok(), legal, "value {byte:#x}");
            let token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            assert_eq!(args::header(&[value, Value::from("x")], 0).is_ok(), token, "name {byte:#x}");
        }
    }

    #[test]
    fn a_length_is_one_number() {
        const NAME: &[u8] = b"Content-Length";
        for value in [Value::Int(0), Value::from("42"), Value::from_iter(["7"])] {
            assert!(Change::new(NAME, &value).is_ok(), "{value:?}");
        }
        let texts = ["", "+5", "-1", "5, 5", " 5", "0x5", "5 ", "99999999999999999999"].map(Value::from);
        for value in texts.into_iter().chain([Value::Float(0.5), Value::from_iter(["5", "5"])]) {
            let error = Change::new(NAME, &value).unwrap_err().to_string();
            assert!(error.contains("is no length, give one number"), "{value:?}: {error}");
        }
        assert!(args::header(&["content_length".into(), "x".into()], 0).is_err());

        let mut headers = Headers::new();
        for length in 1..3 {
            let length = Value::Int(length);
            Change::new(NAME, &length).unwrap().add_to(&mut headers, &["Content-Length"]).unwrap();
        }
        assert_eq!(headers.get_all("content-length").collect::<Vec<_>>(), [b"2"]);
    }

    #[test]
    fn singles_are_replaced_and_the_others_added() {
        let mut headers: Headers = [("x-a", "1"), ("x-s", "1")].into_iter().collect();
        for (name, values) in [("X-A", vec!["2", "3"]), ("X-S", vec!["2", "3"]), ("X-S", vec![])] {
            change(name, &values).add_to(&mut headers, &["x-s"]).unwrap();
        }
        assert_eq!(headers.get_all("x-a").collect::<Vec<_>>(), [b"1", b"2", b"3"]);
        assert_eq!(headers.get_all("x-s").collect::<Vec<_>>(), [b"3"]);
    }

    #[test]
    fn heads_have_a_limit() {
        let mut headers = Headers::new();
        fn change(name: &str, lines: usize) -> Change<'_> {
            Change { name: name.into(), values: smallvec![b"v".into(); lines] }
        }
        change("a", MOST_LINES).add_to(&mut headers, &[]).unwrap();
        change("a", MOST_LINES).replace_in(&mut headers).unwrap();
        let error = "no room for 1 lines of header \"b\": a head has 1000 lines at the most";
        assert_eq!(change("b", 1).add_to(&mut headers, &[]), Err(PdkError::thrown(error)));
        assert_eq!(change("b", 1).replace_in(&mut headers), Err(PdkError::thrown(error)));
        assert_eq!(headers.len(), MOST_LINES);
        let many: Vec<_> = (0..=MOST_LINES).map(|number| Change::removal(format!("x-{number}"))).collect();
        let error = "no room for 1001 headers: a head has 1000 lines at the most";
        assert_eq!(replace_all(&many, &mut headers), Err(PdkError::thrown(error)));
    }

    #[test]
    fn letters_are_the_plugins_and_all_changes_count_or_none() {
        let mut headers: Headers =
            [("host", "h"), ("x-a", "1"), ("x-b", "2"), ("X-A", "3")].into_iter().collect();
        let changes =
            [change("X-a", &["4", "5"]), change("x-B", &[]), change("X_c", &["6"]), change("x-A", &["7"])];
        replace_all(&changes, &mut headers).unwrap();
        let lines: Vec<_> =
            headers.iter().map(|(name, value)| (name, str::from_utf8(value).unwrap())).collect();
        assert_eq!(lines, [("host", "h"), ("x-A", "7"), ("X_c", "6")]);
        assert_eq!(change("X_c", &[]).with_dashes().name, "X-c");

        let mut full = Headers::new();
        change("a", &["v"; MOST_LINES - 1]).add_to(&mut full, &[]).unwrap();
        let before = full.clone();
        assert!(replace_all(&[change("b", &["1"]), change("b", &["1", "2"])], &mut full).is_err());
        assert_eq!(full, before);
        replace_all(&[change("b", &["1"]), change("B", &["2"])], &mut full).unwrap();
        replace_all(&[change("a", &[]), change("c", &["1", "2"])], &mut full).unwrap();
        assert_eq!(full.len(), 3);
    }

    #[test]
    fn what_is_kept_is_not_listed() {
        for (before, after) in [
            (vec!["close, X-Gate"], vec!["close"]),
            (vec!["x-gate"], vec![]),
            (vec!["a,X-GATE ,b", "x-gate", "c"], vec!["a, b", "c"]),
            (vec!["x-gates, gate"], vec!["x-gates, gate"]),
        ] {
            let mut headers: Headers = before.iter().map(|line| ("connection", line)).collect();
            keep_end_to_end(&mut headers, "x-gate");
            let lines: Vec<_> =
                headers.get_all("connection").map(|line| str::from_utf8(line).unwrap()).collect();
            assert_eq!(lines, after, "of {before:?}");
        }
    }

    #[test]
    fn names_are_checked() {
        for (name, expected) in [
            (Value::Int(1), "invalid header name \"1\": got number, expected string"),
            (Value::Nil, "invalid header name \"nil\": got nil, expected string"),
            (Value::from("a b"), "invalid header name \"a b\": use letters, digits and !#$%&'*+-.^_`|~"),
        ] {
            let error = args::header(&[name, Value::from("v")], 0).unwrap_err();
            assert_eq!(error, PdkError::thrown(expected));
        }
        assert_eq!(
            args::headers(&Value::Int(1), "headers").unwrap_err(),
            PdkError::thrown("headers must be a table")
        );
    }
}
