//! The recorded rows.
//!
//! _common.json has each request, call, script, answer and exchange once, and `parts` of answers and `lines` of headers
//! that many share; everything names them by number. A row is `[name, request, script, answers, exchange]`, answers being
//! those of the script's calls in their order, `null` for one that the reference never answered.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::traffic::traffic;
use crate::reference::recorded::{Outcome, Reply, Text, folder, read};

/// What a `$part` stands for is written once.
const PART: &str = "$part";

#[derive(Deserialize)]
struct Common {
    config: Value,
    replies: BTreeMap<String, Reply>,
    requests: Vec<Text>,
    /// `[name, argument...]`
    calls: Vec<Value>,
    /// The calls of each phase.
    scripts: Vec<Map<String, Value>>,
    values: Vec<Value>,
    parts: Vec<Value>,
    lines: Vec<Text>,
    exchanges: Vec<Value>,
}

pub struct Corpus(Common);

/// A row as its file has it.
#[derive(Deserialize)]
struct Numbers(Option<String>, usize, usize, Vec<Option<usize>>, Option<usize>);

pub struct Row {
    pub name: String,
    pub request: String,
    pub calls: Vec<Call>,
    /// `None` where it was not recorded.
    pub exchange: Option<Outcome>,
}

pub struct Call {
    pub phase: String,
    /// Its place among the calls of its phase.
    pub at: usize,
    /// `[name, argument...]`
    pub call: Value,
    pub answer: Option<Value>,
}

impl Corpus {
    #[track_caller]
    pub fn load() -> Self {
        Self(read(&folder().join("pdk/_common.json")))
    }

    pub fn config(&self) -> &Value {
        &self.0.config
    }

    pub fn replies(&self) -> &BTreeMap<String, Reply> {
        &self.0.replies
    }

    /// The rows of one file.
    #[track_caller]
    pub fn rows(&self, file: &str) -> Vec<Row> {
        let rows: Vec<Numbers> = read(&folder().join(format!("pdk/{file}.json")));
        rows.into_iter().map(|row| self.row(row)).collect()
    }

    fn row(&self, Numbers(name, request, script, answers, exchange): Numbers) -> Row {
        let mut answers = answers.into_iter();
        let mut calls = Vec::new();
        for (phase, numbers) in &self.0.scripts[script] {
            for (at, number) in numbers.as_array().into_iter().flatten().enumerate() {
                let answer = answers.next().flatten().map(|number| self.whole(&self.0.values[number]));
                let call =
                    number.as_u64().map_or(Value::Null, |number| self.0.calls[number as usize].clone());
                calls.push(Call { phase: phase.clone(), at, call, answer });
            }
        }
        let name = name.unwrap_or_else(|| {
            calls.first().map(|call| format!("{} {}", call.phase, call.call)).unwrap_or_default()
        });
        let exchange = exchange.map(|number| self.exchange(&self.0.exchanges[number]));
        Row { name, request: self.0.requests[request].0.clone(), calls, exchange }
    }

    /// An answer with its parts.
    fn whole(&self, value: &Value) -> Value {
        match value {
            Value::Object(members) => match members.get(PART).and_then(Value::as_u64) {
                Some(part) => self.0.parts[part as usize].clone(),
                None => {
                    Value::Object(members.iter().map(|(name, v)| (name.clone(), self.whole(v))).collect())
                }
            },
            Value::Array(items) => items.iter().map(|item| self.whole(item)).collect(),
            other => other.clone(),
        }
    }

    #[track_caller]
    fn exchange(&self, numbers: &Value) -> Outcome {
        let mut exchange = numbers.clone();
        for side in ["responses", "upstream"] {
            for message in exchange[side].as_array_mut().into_iter().flatten() {
                for line in message.get_mut("headers").and_then(Value::as_array_mut).into_iter().flatten() {
                    *line = line
                        .as_u64()
                        .map_or(Value::Null, |number| self.0.lines[number as usize].0.clone().into());
                }
            }
        }
        traffic(serde_json::from_value(exchange).expect("a recorded exchange"), &str::to_owned)
    }
}
