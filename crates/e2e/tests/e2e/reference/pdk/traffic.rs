//! Exchanges, made comparable.

use serde_json::Value;

use crate::reference::recorded::{Answer, Message, Outcome, Received, Text};
use crate::reference::wire::{Lines, values};

/// Of an exchange, what is compared; `named` gives names to the ports and ids of this run.
pub fn traffic(exchange: Outcome, named: &dyn Fn(&str) -> String) -> Outcome {
    let answer = |answer| match answer {
        Answer::Message(message) => Answer::Message(Message {
            version: "HTTP/1.1".to_owned(),
            reason: "OK".to_owned(),
            headers: lines(message.headers, named),
            body: body(&message.body, named),
            interim: Vec::new(),
            ..message
        }),
        other => other,
    };
    let request = |request: Received| {
        let headers = lines(request.headers, named);
        without_boundary(Received { headers, body: body(&request.body, named), ..request })
    };
    Outcome {
        responses: exchange.responses.into_iter().map(answer).collect(),
        upstream: exchange.upstream.into_iter().map(request).collect(),
    }
}

/// Lines in the order of their names, in small letters, without those that tell of this replay.
fn lines(lines: Lines, named: &dyn Fn(&str) -> String) -> Lines {
    let lines = lines.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), named(&value)));
    let told = |(name, _): &(String, String)| {
        !["x-s", "x-s1"].contains(&name.as_str()) && !name.starts_with("x-polygate")
    };
    let mut lines: Lines = lines.filter(told).collect();
    lines.sort();
    lines
}

/// A body; the members of a JSON object have no order.
fn body(Text(text): &Text, named: &dyn Fn(&str) -> String) -> Text {
    let sorted = |value: Value| match value {
        Value::Object(mut members) => {
            members.sort_keys();
            Some(Value::Object(members).to_string())
        }
        _ => None,
    };
    let object = serde_json::from_str(text).ok().and_then(sorted);
    Text(named(&object.unwrap_or_else(|| text.clone())))
}

/// A multipart body with a boundary that is always the same.
fn without_boundary(mut request: Received) -> Received {
    const BOUNDARY: &str = "<boundary>";
    let boundary =
        values(&request.headers, "content-type").find_map(|kind| kind.split_once("boundary=")).map(|b| b.1);
    let Some(boundary) = boundary.map(str::to_owned) else { return request };
    request.body = Text(request.body.0.replace(&boundary, BOUNDARY));
    for (name, value) in &mut request.headers {
        match name.as_str() {
            "content-length" => *value = request.body.0.len().to_string(),
            _ => *value = value.replace(&boundary, BOUNDARY),
        }
    }
    request
}
