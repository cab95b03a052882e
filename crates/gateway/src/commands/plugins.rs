//! `plugins`: the plugin servers of the running gateway, as a table.

use std::process::ExitCode;

use serde_json::Value;

use crate::command::{Invocation, Outcome};
use crate::configuration::running_prefix;
use crate::console::Console;
use crate::control;
use crate::instance::{Instance, not_running};

/// Heading and member of the gateway's answer.
const COLUMNS: &[(&str, &str)] = &[
    ("SERVER", "name"),
    ("STATE", "state"),
    ("PID", "pid"),
    ("GENERATION", "generation"),
    ("PROTOCOL", "protocol"),
    ("RESTARTS", "restarts"),
    ("PLUGINS", "plugins"),
];

pub fn run(invocation: &Invocation, console: Console) -> Outcome<ExitCode> {
    let prefix = running_prefix(invocation)?;
    if Instance::find(&prefix)?.is_none() {
        return Err(not_running(&prefix).into());
    }
    let socket = prefix.join("sockets/control.sock");
    let answer = control::get(&socket, "/plugin-servers")?;
    let servers = answer.as_array().ok_or("the running gateway did not answer with a list")?;
    console.print(table(servers));
    Ok(ExitCode::SUCCESS)
}

fn table(servers: &[Value]) -> String {
    let heading = COLUMNS.iter().map(|(heading, _)| heading.to_string()).collect();
    let cells = |server: &Value| COLUMNS.iter().map(|(_, member)| cell(server.get(member))).collect();
    let rows: Vec<Vec<String>> = std::iter::once(heading).chain(servers.iter().map(cells)).collect();
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0))
        .collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => items.iter().map(|item| cell(Some(item))).collect::<Vec<_>>().join(","),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_line_up() {
        let servers = [
            json!({"name": "go", "state": "ready", "pid": 4711, "generation": 2, "protocol": "ProtoBuf:1",
                   "restarts": 1, "plugins": ["go-hello", "go-log"]}),
            json!({"name": "python#2", "state": "crash_loop", "pid": null, "generation": 14, "restarts": 13,
                   "plugins": []}),
        ];
        expect![[r#"
            SERVER    STATE       PID   GENERATION  PROTOCOL    RESTARTS  PLUGINS
            go        ready       4711  2           ProtoBuf:1  1         go-hello,go-log
            python#2  crash_loop  -     14          -           13
        "#]]
        .assert_eq(&table(&servers));
    }
}
