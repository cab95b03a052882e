//! The answer to `HandleEvent` and every `Step`: a call into the host, or the end of the event.

use bytes::Bytes;

use crate::msgpack::{DecodeError, Value};

/// `{EventId, Data}`.
#[derive(Debug, Clone, PartialEq)]
pub struct StepData {
    /// Counts from 0 in each server process.
    pub event_id: i64,
    pub step: Step,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The handler has finished.
    Return,
    /// The handler calls a PDK function.
    Call { method: String, args: Vec<Value> },
}

impl StepData {
    pub fn from_value(mut value: Value) -> Result<Self, DecodeError> {
        Self::take(&mut value).ok_or_else(|| DecodeError::NotAStep(value.preview()))
    }

    fn take(value: &mut Value) -> Option<Self> {
        let event_id = value.get("EventId")?.as_int()?;
        let mut data = value.take("Data")?;
        let step = match data.as_bytes() {
            Some(text) => (text == "ret").then_some(Step::Return)?,
            None => Step::Call {
                method: data.get("Method")?.as_str()?.to_owned(),
                args: arguments(data.take("Args"))?,
            },
        };
        Some(Self { event_id, step })
    }

    /// Whether nothing may be sent for the event any more: the handler has finished, or it made one of
    /// the two calls that decide the request, for which the SDKs wait for no answer.
    pub fn is_last(&self) -> bool {
        match &self.step {
            Step::Return => true,
            Step::Call { method, .. } => {
                matches!(method.as_str(), "kong.response.exit" | "kong.response.error")
            }
        }
    }

    /// The form on the wire, for scripted servers.
    pub fn to_value(&self) -> Value {
        let data = match &self.step {
            Step::Return => Value::Str(Bytes::from_static(b"ret")),
            Step::Call { method, args } => {
                Value::map([("Method", Value::str(method)), ("Args", Value::Array(args.clone()))])
            }
        };
        Value::map([("EventId", Value::Int(self.event_id)), ("Data", data)])
    }
}

/// Go sends nil for no arguments; JavaScript an explicit nil for each `undefined` one. Trailing nils
/// are the same as absent arguments.
fn arguments(args: Option<Value>) -> Option<Vec<Value>> {
    let mut args = match args {
        None => Vec::new(),
        Some(Value::Array(args)) => args,
        // A Python or Lua encoder may write an empty list as an empty map.
        Some(Value::Map(members)) if members.is_empty() => Vec::new(),
        Some(_) => return None,
    };
    while args.last() == Some(&Value::Nil) {
        args.pop();
    }
    Some(args)
}
