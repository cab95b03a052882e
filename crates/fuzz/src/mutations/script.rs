//! Calls as text: a fuzzer can change it anywhere, and people can read what it found.
//!
//! ```text
//! access                                        the phase from here on
//! body <field>                                  the client's body
//! service.request.set_header <field> <field>    a call, without `kong.` in front
//! ```
//!
//! Lines are separated by line feeds, fields by blanks. A field is a text, in which `%0A` stands for the
//! byte 10; or `#1.5` a number, `!` and `?` the booleans, `~` nil, `[a,b` a list and `{a=x,b=y` a map of
//! texts, numbers, lists (`{a=[x;y`) and so on. What makes no sense is left out.

use bytes::Bytes;
use polygate_chain::pdk::Function;
use polygate_chain::{Key, Phase, Value};

pub enum Step {
    Phase(Phase),
    Body(Bytes),
    Call(Function, Vec<Value>),
}

pub fn steps(script: &[u8]) -> impl Iterator<Item = Step> {
    script.split(|&byte| byte == b'\n').filter_map(step)
}

fn step(line: &[u8]) -> Option<Step> {
    let mut fields = line.split(|&byte| byte == b' ');
    let word = std::str::from_utf8(fields.next()?).ok()?;
    if let Ok(phase) = word.parse() {
        return Some(Step::Phase(phase));
    }
    if word == "body" {
        return Some(Step::Body(unescaped(fields.next()?)));
    }
    let function = Function::from_name(&format!("kong.{word}"))?;
    Some(Step::Call(function, fields.map(|field| value(field, b",;")).collect()))
}

/// `separators` has one byte for each level of lists and maps that may follow.
fn value(field: &[u8], separators: &[u8]) -> Value {
    match (field.split_first(), separators.split_first()) {
        (Some((b'[', items)), Some((separator, inner))) => {
            Value::List(pieces(items, *separator).map(|item| value(item, inner)).collect())
        }
        (Some((b'{', members)), Some((separator, inner))) => Value::Map(
            pieces(members, *separator)
                .map(|member| {
                    let at = member.iter().position(|&byte| byte == b'=').unwrap_or(member.len());
                    let given = member.get(at + 1..).unwrap_or_default();
                    (Key::Str(unescaped(&member[..at])), value(given, inner))
                })
                .collect(),
        ),
        (Some((b'#', number)), _) => number_of(number),
        _ => match field {
            b"!" => Value::Bool(true),
            b"?" => Value::Bool(false),
            b"~" => Value::Nil,
            text => Value::Str(unescaped(text)),
        },
    }
}

fn pieces(list: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    list.split(move |&byte| byte == separator).filter(|_| !list.is_empty())
}

fn number_of(text: &[u8]) -> Value {
    let text = std::str::from_utf8(text).unwrap_or_default();
    let integer = text.parse().map(Value::Int);
    integer.unwrap_or_else(|_| text.parse().map_or(Value::Nil, Value::Float))
}

/// `%` and two hexadecimal digits are a byte.
fn unescaped(text: &[u8]) -> Bytes {
    let digit = |at: usize| text.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    let mut plain = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match (text[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                plain.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    plain.into()
}
