//! The `Data` that answers a PDK call, with each SDK's peculiarities.

use std::borrow::Cow;

use bytes::BytesMut;
use polygate_chain::pdk::{Function, Reply};
use polygate_chain::{Key, SpooledFile, Value};
use polygate_plugin_proto::msgpack::write;
use polygate_telemetry::log;

use crate::generation::Flavor;
use crate::settings::BodyMode;
use crate::wire::msgpack::step_method::step_method;

/// What decides on the form of a value.
#[derive(Debug, Clone, Copy)]
pub struct Packing {
    pub flavor: Flavor,
    pub body: BodyMode,
}

pub(super) fn is_nil(reply: &Reply<'_>) -> bool {
    matches!(reply, Reply::Value(value) if value.is_nil())
}

/// Appends a reply that is not nil. Of a body in a file it is what is in front of the content, which has to follow.
pub fn write(out: &mut BytesMut, function: Function, reply: &Reply<'_>, packing: Packing) {
    let value = match reply {
        Reply::Bytes(bytes) => return packing.string(out, function, bytes),
        Reply::File(file) => return packing.file_head(out, file),
        Reply::Value(value) => match &**value {
            Value::Str(bytes) => return packing.string(out, function, bytes),
            value => value,
        },
    };
    let is_go = packing.flavor == Flavor::Go;
    match (step_method(function), value) {
        ("plugin.StepMultiMap", value) => packing.multi_map(out, value),
        // Go expects a list where the entity has a map, and closes the connection.
        ("plugin.StepRoute", Value::Map(members)) if is_go => {
            let others = || members.iter().filter(|(key, _)| !is_named(key, "headers"));
            packing.map(out, others, |out, value| packing.value(out, value));
        }
        // Go knows strings only: an argument without a value is empty.
        (_, Value::Bool(true)) if is_go && function == Function::RequestGetQueryArg => write::text(out, b""),
        (_, value) => packing.value(out, value),
    }
}

impl Packing {
    /// Bodies are binary, as in the reference since 3.0, unless plugins of its 2.x want them as text.
    fn string(self, out: &mut BytesMut, function: Function, bytes: &[u8]) {
        if function.answers_raw_body() && self.body == BodyMode::Bytes {
            write::binary(out, bytes);
        } else {
            self.text(out, bytes);
        }
    }

    fn file_head(self, out: &mut BytesMut, file: &SpooledFile) {
        let length = file.len() as usize;
        if self.body == BodyMode::Text && is_text(file) {
            write::text_head(out, length);
        } else {
            write::binary_head(out, length);
        }
    }

    fn value(self, out: &mut BytesMut, value: &Value) {
        match value {
            Value::Str(bytes) => self.text(out, bytes),
            Value::List(items) => {
                write::array(out, items.len());
                items.iter().for_each(|item| self.value(out, item));
            }
            Value::Map(members) => self.map(out, || members.iter(), |out, value| self.value(out, value)),
            scalar => write::value(out, scalar),
        }
    }

    /// Bytes that are not UTF-8 make Python drop the connection, and JavaScript garble them, unless they
    /// are binary. Go takes them either way.
    fn text(self, out: &mut BytesMut, bytes: &[u8]) {
        if self.flavor == Flavor::Go || str::from_utf8(bytes).is_ok() {
            write::text(out, bytes);
        } else {
            write::binary(out, bytes);
        }
    }

    /// Members that are nil do not exist.
    fn map<'v, M: Iterator<Item = &'v (Key, Value)>>(
        self,
        out: &mut BytesMut,
        members: impl Fn() -> M,
        value: impl Fn(&mut BytesMut, &'v Value),
    ) {
        let present = || members().filter(|(_, value)| !value.is_nil());
        let taken = || present().filter(|(key, _)| self.takes(key));
        let count = taken().count();
        if count < present().count() {
            log!(
                Notice,
                "[pluginserver] a member \"__proto__\" is not sent to a plugin: JavaScript cannot take it"
            );
        }
        write::map(out, count);
        for (key, member) in taken() {
            match key {
                Key::Int(n) => write::int(out, *n),
                Key::Str(bytes) if self.flavor == Flavor::Go => write::text(out, bytes),
                Key::Str(bytes) => write::text(out, readable(bytes).as_bytes()),
            }
            value(out, member);
        }
    }

    /// The decoder of the JavaScript SDK throws on one name, outside of all handlers: the process ends.
    fn takes(self, key: &Key) -> bool {
        let may_be_javascript = matches!(self.flavor, Flavor::JavaScript | Flavor::Unknown);
        !(may_be_javascript && is_named(key, "__proto__"))
    }

    /// Every value becomes a list of texts: Go closes the connection on anything else. An empty map stays
    /// a map, since Go waits for ever on an empty array.
    fn multi_map(self, out: &mut BytesMut, value: &Value) {
        let members = match value {
            Value::Map(members) => members.as_slice(),
            _ => &[],
        };
        self.map(
            out,
            || members.iter(),
            |out, value| match value {
                Value::List(items) => {
                    write::array(out, items.len());
                    items.iter().for_each(|item| self.item(out, item));
                }
                // An argument without a value.
                Value::Bool(_) => write::array(out, 0),
                single => {
                    write::array(out, 1);
                    self.value(out, single);
                }
            },
        );
    }

    fn item(self, out: &mut BytesMut, item: &Value) {
        match item {
            Value::Bool(_) if self.flavor == Flavor::Go => write::text(out, b""),
            item => self.value(out, item),
        }
    }
}

fn is_named(key: &Key, name: &str) -> bool {
    matches!(key, Key::Str(bytes) if bytes == name)
}

/// A key that is not UTF-8, as text: both other SDKs end or hang over anything else. A byte that is out of place
/// becomes the character of its number, as the decoder of the JavaScript SDK reads what the reference sends. So
/// different keys stay different.
fn readable(key: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(key) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(2 * key.len());
    for chunk in key.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|&byte| char::from(byte)));
    }
    Cow::Owned(text)
}

/// Whether all of a file is UTF-8; a character may lie across two pieces.
fn is_text(file: &SpooledFile) -> bool {
    let mut piece = vec![0; 64 * 1024];
    let (mut offset, mut kept) = (0, 0);
    loop {
        let Ok(count) = file.read_at(&mut piece[kept..], offset) else { return false };
        let filled = kept + count;
        let valid = match str::from_utf8(&piece[..filled]) {
            Ok(_) => filled,
            Err(error) if error.error_len().is_none() && count > 0 => error.valid_up_to(),
            Err(_) => return false,
        };
        if count == 0 {
            return true;
        }
        piece.copy_within(valid..filled, 0);
        (offset, kept) = (offset + count as u64, filled - valid);
    }
}
