//! The answer to `HandleEvent` and every `Step`: a call into the host, or the end of the event.

use bytes::Bytes;
use polygate_value::Value;
use smallvec::SmallVec;

use crate::msgpack::error::{DecodeError, preview};
use crate::msgpack::reader::Reader;

/// Arguments of a PDK function; few have more than two.
pub type Args = SmallVec<[Value; 2]>;

/// `{EventId, Data}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Step<'f> {
    /// Counts from 0 in each server process.
    pub event: i64,
    /// The PDK function that the handler calls; `None` when it has finished.
    pub call: Option<Call<'f>>,
}

/// `{Method, Args}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Call<'f> {
    pub method: &'f str,
    /// Without the nils at the end: Go sends nil for no arguments, and JavaScript one for each that is
    /// `undefined`.
    pub args: Args,
}

impl<'f> Step<'f> {
    /// Reads the result of a response.
    pub fn read(result: &'f Bytes) -> Result<Self, DecodeError> {
        step(result).ok_or_else(|| DecodeError::NotAStep(preview(&Reader::new(result).value())))
    }
}

fn step(result: &Bytes) -> Option<Step<'_>> {
    let mut reader = Reader::new(result);
    let (mut event, mut data) = (None, None);
    for _ in 0..reader.map()? {
        match reader.bytes() {
            Some(b"EventId") => event = Some(reader.int()?),
            Some(b"Data") => data = Some(call(&mut reader)?),
            _ => reader.skip(),
        }
    }
    Some(Step { event: event?, call: data? })
}

/// The inner `None` is the text `ret`.
fn call<'f>(reader: &mut Reader<'f>) -> Option<Option<Call<'f>>> {
    let Some(members) = reader.clone().map() else {
        return (reader.bytes()? == b"ret").then_some(None);
    };
    reader.map();
    let (mut method, mut args) = (None, Args::new());
    for _ in 0..members {
        match reader.bytes() {
            Some(b"Method") => method = Some(std::str::from_utf8(reader.bytes()?).ok()?),
            Some(b"Args") => args = arguments(reader)?,
            _ => reader.skip(),
        }
    }
    Some(Some(Call { method: method?, args }))
}

fn arguments(reader: &mut Reader<'_>) -> Option<Args> {
    if reader.is_nil() {
        reader.skip();
        return Some(Args::new());
    }
    // An encoder may write an empty list as an empty map.
    if reader.clone().map() == Some(0) {
        reader.skip();
        return Some(Args::new());
    }
    let mut args: Args = (0..reader.array()?).map(|_| reader.value()).collect();
    let count = args.iter().rposition(|arg| !arg.is_nil()).map_or(0, |last| last + 1);
    args.truncate(count);
    Some(args)
}
