//! The pages of the plugins that come with the gateway: one each, and one that lists them.

use serde_json::{Map, Value};

use super::REMEDY;
use crate::plugins::{FOLDER, Field, Plugin};

pub fn list(plugins: &[Plugin]) -> String {
    let row = |plugin: &Plugin| {
        let sentence = plugin.doc.split_inclusive(". ").next().unwrap_or_default().trim();
        format!("| [{name}]({name}.md) | {sentence} |\n", name = plugin.name)
    };
    let rows: String = plugins.iter().map(row).collect();
    format!(
        "<!-- Written from {FOLDER} by `{REMEDY}`; do not edit. -->

# Plugins that come with polygate

`plugins = bundled` enables them all, which is the default. Their configurations are those of the reference; a plugin server
that has one of the same name takes its place. [compatibility.md](../compatibility.md) says what differs and which are missing.

| plugin | |
|---|---|
{rows}"
    )
}

pub fn page(plugin: &Plugin) -> String {
    let Plugin { name, doc, example, .. } = plugin;
    let rows: String = plugin.fields().iter().map(row).collect();
    format!(
        "<!-- Written from {FOLDER} by `{REMEDY}`; do not edit. -->

# {name}

{doc}

```yaml
plugins:
- name: {name}
{}```

| field of `config` | type | default | |
|---|---|---|---|
{rows}",
        if example.is_empty() { String::new() } else { format!("  config:\n{}", yaml(example, 4)) },
    )
}

fn row(Field { path, definition }: &Field<'_>) -> String {
    let default = definition.get("default").map(|default| format!("`{}`", cell(&default.to_string())));
    let text = |name: &str| definition.get(name).and_then(Value::as_str);
    let given = |name: &str| definition.get(name).and_then(Value::as_bool).unwrap_or_default();
    // A record that is left out is made of the defaults of its fields.
    let is_record = text("type").or_else(|| text("is")) == Some("record");
    let of_values = definition.get("values").and_then(|values| values.get("referenceable")?.as_bool());
    let marks = [
        (given("required") && default.is_none() && !is_record, "Required."),
        (given("referenceable"), "May be a reference to a vault."),
        (of_values.unwrap_or_default(), "Values may be references to a vault."),
        (given("encrypted"), "A secret."),
    ];
    let marks = marks.into_iter().filter_map(|(is_so, mark)| is_so.then_some(mark));
    let words: Vec<_> = text("description").into_iter().chain(marks).collect();
    format!(
        "| `{path}` | {} | {} | {} |\n",
        kind(definition),
        default.unwrap_or_default(),
        cell(&words.join(" "))
    )
}

/// `list of text`, `` one of `a`, `b` ``, `number, 0 to 5`.
fn kind(definition: &Map<String, Value>) -> String {
    let inner = |name: &str| definition.get(name).and_then(Value::as_object).map(kind).unwrap_or_default();
    let name = definition.get("type").or_else(|| definition.get("is")).and_then(Value::as_str);
    let name = match name.unwrap_or_default() {
        "array" => format!("list of {}", inner("elements")),
        "set" => format!("set of {}", inner("elements")),
        "map" => format!("map to {}", inner("values")),
        "string" => "text".to_owned(),
        other => other.replace('_', " "),
    };
    let values =
        |name: &str| definition.get(name).and_then(Value::as_array).filter(|values| !values.is_empty());
    if let Some(allowed) = values("one_of") {
        let allowed: Vec<_> = allowed.iter().map(|value| format!("`{}`", plain(value))).collect();
        return format!("one of {}", allowed.join(", "));
    }
    match (values("between").map(Vec::as_slice), definition.get("gt")) {
        (Some([least, most]), _) => format!("{name}, {least} to {most}"),
        (_, Some(least)) => format!("{name}, more than {least}"),
        _ => name,
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A bar would end the cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Members as YAML in blocks; lists of plain values, and texts, as JSON, which is YAML.
fn yaml(members: &Map<String, Value>, indent: usize) -> String {
    let line = |(name, value): (&String, &Value)| match value {
        Value::Object(inner) if !inner.is_empty() => {
            format!("{:indent$}{name}:\n{}", "", yaml(inner, indent + 2))
        }
        value => format!("{:indent$}{name}: {value}\n", ""),
    };
    members.iter().map(line).collect()
}
