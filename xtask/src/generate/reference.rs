//! The reference of the PDK for people: one table per area.

use super::REMEDY;
use crate::description::{Arg, Function, PHASES};

pub fn text(functions: &[Function]) -> String {
    let tables: String = functions.chunk_by(|a, b| a.area() == b.area()).map(table).collect();
    format!(
        "<!-- Written from protocol/pdk.toml by `{REMEDY}`; do not edit. -->

# The functions a plugin can call

Names are those of Kong's Lua PDK and the same in both protocols. An argument with `?` may be left out
or nil. A function called in a phase that is not listed raises an error. Where the protocols column lacks
ProtoBuf:1, Go plugins of today's go-pdk cannot call the function; JavaScript and Python plugins, which
speak MsgPack:1, can call all of them.
{tables}"
    )
}

fn table(functions: &[Function]) -> String {
    let rows: String = functions.iter().map(row).collect();
    format!(
        "\n## {}\n\n| Function | Result | Phases | Protocols | Meaning |\n|---|---|---|---|---|\n{rows}",
        functions[0].area()
    )
}

fn row(function: &Function) -> String {
    let Function { name, returns, doc, .. } = function;
    let args = function.args.iter().map(arg).collect::<Vec<_>>().join(", ");
    let protocols = if function.protobuf.is_some() { "MsgPack:1, ProtoBuf:1" } else { "MsgPack:1" };
    format!("| `{name}({args})` | {returns} | {} | {protocols} | {doc} |\n", phases(function))
}

fn arg(arg: &Arg) -> String {
    let Arg { name, kind, optional, .. } = arg;
    let (kind, may_be_nil) = match kind.as_str() {
        "any..." => ("any...", false),
        "consumer" | "record" | "headers" => ("table", false),
        "content" => ("string or table", true),
        "header" => ("string, string, number, bool or list", false),
        "header_name" | "reference" | "text" => ("string", false),
        "limit" | "status" => ("int", false),
        "maybe_headers" => ("table", true),
        "maybe_text" => ("string", true),
        "maybe_word" => ("string or number", true),
        "size" => ("int", true),
        "truncated" => ("number", false),
        "truth" => ("any", true),
        "word" => ("string or number", false),
        other => (other, other == "any"),
    };
    format!("{name}{}: {kind}", if *optional || may_be_nil { "?" } else { "" })
}

fn phases(function: &Function) -> String {
    if PHASES.len() == function.phases.len() {
        return "all".to_owned();
    }
    let phases = PHASES.iter().filter(|(letter, _)| function.phases.contains(*letter));
    phases.map(|(_, name)| name.to_lowercase()).collect::<Vec<_>>().join(", ")
}
