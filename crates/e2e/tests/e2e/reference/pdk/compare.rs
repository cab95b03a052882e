//! What differs between the recorded and the observed answers of a row, one line for each difference.

use std::collections::BTreeSet;

use serde_json::Value;

use super::recorded::Row;
use crate::reference::compare::differences;
use crate::reference::recorded::{Answer, Outcome};

/// The differences of a row: `<file>: <row>: <what>: recorded <value>, observed <value>`. What is the phase and the call,
/// with the path inside its answer, or a part of the exchange.
pub fn lines(file: &str, row: &Row, answers: &[Option<Value>], exchange: &Outcome) -> Vec<String> {
    let failed = row.exchange.as_ref().is_some_and(|exchange| status(exchange) == Some(500));
    let mut found = Found(Vec::new());
    let mut unanswered = "";
    for (call, observed) in row.calls.iter().zip(answers) {
        match &call.answer {
            None if failed && call.phase != "log" => return found.of(file, row),
            None => unanswered = &call.phase,
            Some(_) if unanswered == call.phase => {}
            Some(recorded) => {
                found.answer(&format!("{}: {}", call.phase, call.call), recorded, observed.as_ref())
            }
        }
    }
    if let Some(recorded) = &row.exchange
        && !(failed && status(exchange) == Some(500))
    {
        found.0.extend(differences(recorded, exchange).iter().map(|difference| format!("{difference:#}")));
    }
    found.of(file, row)
}

fn status(exchange: &Outcome) -> Option<u16> {
    exchange.responses.last().and_then(Answer::message).map(|message| message.status)
}

struct Found(Vec<String>);

impl Found {
    fn of(self, file: &str, row: &Row) -> Vec<String> {
        self.0.into_iter().map(|line| format!("{file}: {}: {line}", row.name)).collect()
    }

    fn answer(&mut self, what: &str, recorded: &Value, observed: Option<&Value>) {
        match observed {
            None => self.0.push(format!("{what}: recorded {recorded}, observed no answer")),
            Some(observed) if kind(recorded) == kind(observed) => {
                self.value(what, Some(recorded), Some(observed))
            }
            Some(observed) => self.0.push(format!("{what}: recorded {recorded}, observed {observed}")),
        }
    }

    /// The innermost parts that differ.
    fn value(&mut self, path: &str, recorded: Option<&Value>, observed: Option<&Value>) {
        match (recorded, observed) {
            (Some(Value::Object(a)), Some(Value::Object(b))) => {
                for name in a.keys().chain(b.keys()).collect::<BTreeSet<_>>() {
                    self.value(&format!("{path}.{name}"), a.get(name), b.get(name));
                }
            }
            (Some(Value::Array(a)), Some(Value::Array(b))) if a.len() == b.len() => {
                for (at, (a, b)) in a.iter().zip(b).enumerate() {
                    self.value(&format!("{path}[{at}]"), Some(a), Some(b));
                }
            }
            (a, b) if a == b => {}
            (a, b) => {
                let shown = |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
                self.0.push(format!("{path}: recorded {}, observed {}", shown(a), shown(b)));
            }
        }
    }
}

/// What an answer is beside a result.
fn kind(answer: &Value) -> Option<&'static str> {
    ["error", "raised", "serialize"].into_iter().find(|member| answer.get(member).is_some())
}
