//! Reads values where they lie.

use bytes::Bytes;
use polygate_value::{Key, Value};

use crate::msgpack::head::{Head, Kind, head};

/// Walks through a frame that a [`Decoder`](crate::msgpack::Decoder) found whole. Each function takes the
/// next value; those for one type answer `None` for another one, which is passed over. Behind the end
/// everything is nil.
///
/// Strings may be any bytes: Go servers write byte slices with the string family. Text, binary and the
/// payload of extensions (a JavaScript `Date`) are all the same here.
#[derive(Debug, Clone)]
pub struct Reader<'f> {
    frame: &'f Bytes,
    at: usize,
}

impl<'f> Reader<'f> {
    pub fn new(frame: &'f Bytes) -> Self {
        Self { frame, at: 0 }
    }

    /// The next value, whatever it is. A member that is nil does not exist, and neither does a nil at
    /// the end of a list; texts share the frame's memory.
    pub fn value(&mut self) -> Value {
        let head = self.head();
        match head.kind {
            Kind::Nil => Value::Nil,
            Kind::Bool(flag) => Value::Bool(flag),
            Kind::Int(n) => Value::Int(n),
            Kind::Float(n) => Value::number(n),
            Kind::Str | Kind::Bin | Kind::Ext => {
                let start = self.at;
                self.pass(head);
                Value::Str(self.frame.slice(start..self.at))
            }
            Kind::Array => Value::list((0..head.children).map(|_| self.value())),
            Kind::Map => Value::table((0..head.children / 2).map(|_| (self.key(), self.value()))),
        }
    }

    /// The bytes of a text or a binary.
    pub fn bytes(&mut self) -> Option<&'f [u8]> {
        let head = self.head();
        let start = self.at;
        self.pass(head);
        let is_text = matches!(head.kind, Kind::Str | Kind::Bin);
        is_text.then(|| self.frame.get(start..self.at)).flatten()
    }

    /// An integer, also one that comes as a float.
    pub fn int(&mut self) -> Option<i64> {
        let head = self.head();
        self.pass(head);
        match head.kind {
            Kind::Int(n) => Some(n),
            Kind::Float(n) => Value::Float(n).as_int(),
            _ => None,
        }
    }

    /// The number of values in an array; they are next.
    pub fn array(&mut self) -> Option<u64> {
        self.nested(|kind| matches!(kind, Kind::Array))
    }

    /// The number of members of a map; the key of the first one is next.
    pub fn map(&mut self) -> Option<u64> {
        self.nested(|kind| matches!(kind, Kind::Map)).map(|children| children / 2)
    }

    /// Passes over the next value.
    pub fn skip(&mut self) {
        let head = self.head();
        self.pass(head);
    }

    /// Whether a binary is next, rather than a text.
    pub fn is_binary(&self) -> bool {
        matches!(self.peek().kind, Kind::Bin)
    }

    /// Whether nil is next.
    pub fn is_nil(&self) -> bool {
        matches!(self.peek().kind, Kind::Nil)
    }

    /// What has not been read.
    pub fn rest(&self) -> Bytes {
        self.frame.slice(self.at..)
    }

    fn nested(&mut self, wanted: fn(Kind) -> bool) -> Option<u64> {
        let head = self.head();
        if wanted(head.kind) {
            return Some(head.children);
        }
        self.pass(head);
        None
    }

    /// Integers stay what they are; lists and maps, which no PDK function has for a key, become the empty text.
    fn key(&mut self) -> Key {
        match self.value() {
            Value::Int(n) => Key::Int(n),
            Value::Str(bytes) => Key::Str(bytes),
            other => Key::Str(other.plain()),
        }
    }

    fn peek(&self) -> Head {
        const NOTHING: Head = Head { kind: Kind::Nil, bytes: 0, payload: 0, children: 0 };
        let rest = self.frame.get(self.at..).unwrap_or_default();
        head(rest).ok().flatten().unwrap_or(NOTHING)
    }

    fn head(&mut self) -> Head {
        let head = self.peek();
        self.at += head.bytes;
        head
    }

    /// Goes behind the value whose head was read.
    fn pass(&mut self, head: Head) {
        let mut payload = head.payload;
        let mut children = head.children;
        loop {
            self.at = self.at.saturating_add(payload as usize).min(self.frame.len());
            if children == 0 || self.at == self.frame.len() {
                return;
            }
            let next = self.head();
            payload = next.payload;
            children = children - 1 + next.children;
        }
    }
}
