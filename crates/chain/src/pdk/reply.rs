//! What functions answer, from their own types to what goes to a plugin.
//!
//! There is one function for each type that `protocol/pdk.toml` gives to a result.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use crate::exchange::entity as to_value;
use crate::{HeldBody, SpooledFile, Value};

/// The answer to a call: borrowed where that spares a copy.
#[derive(Debug)]
pub enum Reply<'a> {
    Bytes(&'a [u8]),
    Value(Cow<'a, Value>),
    /// The request's body, which is too large for memory.
    File(&'a Arc<SpooledFile>),
}

/// A value that is made for the answer.
fn owned(value: impl Into<Value>) -> Reply<'static> {
    Reply::Value(Cow::Owned(value.into()))
}

/// Text or bytes in any form.
pub trait Text<'a> {
    fn reply(self) -> Reply<'a>;
}

impl<'a> Text<'a> for &'a [u8] {
    fn reply(self) -> Reply<'a> {
        Reply::Bytes(self)
    }
}

impl<'a> Text<'a> for &'a str {
    fn reply(self) -> Reply<'a> {
        Reply::Bytes(self.as_bytes())
    }
}

impl<'a> Text<'a> for &'a Bytes {
    fn reply(self) -> Reply<'a> {
        Reply::Bytes(self)
    }
}

impl<'a> Text<'a> for Cow<'a, str> {
    fn reply(self) -> Reply<'a> {
        match self {
            Cow::Borrowed(text) => text.reply(),
            Cow::Owned(text) => text.reply(),
        }
    }
}

impl Text<'_> for String {
    fn reply(self) -> Reply<'static> {
        owned(self)
    }
}

impl Text<'_> for Bytes {
    fn reply(self) -> Reply<'static> {
        owned(Value::Str(self))
    }
}

/// A value that is made for the answer, or one that is kept.
pub trait AnyValue<'a> {
    fn reply(self) -> Reply<'a>;
}

impl AnyValue<'_> for Value {
    fn reply(self) -> Reply<'static> {
        owned(self)
    }
}

impl<'a> AnyValue<'a> for &'a Value {
    fn reply(self) -> Reply<'a> {
        Reply::Value(Cow::Borrowed(self))
    }
}

pub fn optional<'a, T>(answer: Option<T>, reply: impl FnOnce(T) -> Reply<'a>) -> Reply<'a> {
    answer.map_or(owned(Value::Nil), reply)
}

pub fn string<'a>(text: impl Text<'a>) -> Reply<'a> {
    text.reply()
}

pub fn int(number: impl Into<i64>) -> Reply<'static> {
    owned(number.into())
}

pub fn number(number: f64) -> Reply<'static> {
    owned(Value::number(number))
}

pub fn bool(flag: bool) -> Reply<'static> {
    owned(Value::Bool(flag))
}

/// The answer of functions that have none.
pub fn nil() -> Reply<'static> {
    owned(Value::Nil)
}

/// The answer of functions that say that all went well.
pub fn yes() -> Reply<'static> {
    owned(Value::Bool(true))
}

pub fn any<'a>(value: impl AnyValue<'a>) -> Reply<'a> {
    value.reply()
}

pub fn entity<T: Serialize>(entity: &Arc<T>) -> Reply<'static> {
    owned(to_value(entity))
}

pub fn body(body: &HeldBody) -> Reply<'_> {
    match body {
        HeldBody::Memory(body) => Reply::Bytes(body),
        HeldBody::File(file) => Reply::File(file),
    }
}
