//! What `protocol/pdk.toml` says; the comment at its top explains the members.

use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;

pub const FILE: &str = "protocol/pdk.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    function: Vec<Function>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    pub name: String,
    #[serde(default)]
    pub args: Vec<Arg>,
    /// What a function of chain's `pdk/reply.rs` answers, `or nil`.
    pub returns: String,
    #[serde(default)]
    pub fails: bool,
    /// Letters of [`PHASES`], in their order.
    pub phases: String,
    #[serde(default)]
    pub stream: bool,
    #[serde(default)]
    pub both: bool,
    #[serde(default)]
    pub body: bool,
    #[serde(default)]
    pub effect: Effect,
    #[serde(default)]
    pub raw: bool,
    pub step: Option<String>,
    pub protobuf: Option<Messages>,
    pub doc: String,
}

/// What a call does besides answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    #[default]
    Read,
    Write,
    Log,
    End,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arg {
    pub name: String,
    #[serde(rename = "type")]
    /// A function of chain's `pdk/args.rs`.
    pub kind: String,
    #[serde(default)]
    pub optional: bool,
    pub called: Option<String>,
    pub low: Option<String>,
    pub high: Option<String>,
}

/// Variants of plugin-host's `Argument` and `Returned`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Messages {
    pub argument: String,
    pub returns: String,
}

pub const PHASES: [(char, &str); 6] = [
    ('C', "Certificate"),
    ('R', "Rewrite"),
    ('A', "Access"),
    ('S', "Response"),
    ('P', "Preread"),
    ('L', "Log"),
];

impl Function {
    /// The name without `kong.`, in parts.
    fn parts(&self) -> Vec<&str> {
        self.name.split('.').skip(1).collect()
    }

    /// `kong.client.tls` of `kong.client.tls.set_client_verify`; `kong.log`, a function as well as an
    /// area, is its own.
    pub fn area(&self) -> &str {
        match self.name.rsplit_once('.') {
            Some((area, _)) if area != "kong" => area,
            _ => &self.name,
        }
    }

    /// `ClientTlsSetClientVerify`.
    pub fn variant(&self) -> String {
        self.parts().iter().flat_map(|part| part.split('_')).map(capitalised).collect()
    }

    /// Whether it works on a connection without a request.
    pub fn is_of_session(&self) -> bool {
        self.stream || self.phases.contains(['C', 'P'])
    }

    /// `client_tls::set_client_verify`, which serves the call.
    pub fn path(&self) -> String {
        match &self.parts()[..] {
            ["log"] => "log::notice".to_owned(),
            [area @ .., function] => format!("{}::{function}", area.join("_")),
            [] => unreachable!("names were checked when they were read"),
        }
    }
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    first.to_uppercase() + rest
}

pub fn read(root: &Path) -> Result<Vec<Function>, String> {
    parse(&crate::read(&root.join(FILE))?).map_err(|error| format!("{FILE}: {error}"))
}

fn parse(text: &str) -> Result<Vec<Function>, String> {
    let File { function: functions } = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut seen = HashSet::new();
    for Function { name, phases, .. } in &functions {
        let is_wire_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._".contains(c);
        if !name.starts_with("kong.") || !name.chars().all(is_wire_name) {
            return Err(format!("name must be kong. and lower-case words: {name}"));
        }
        if !seen.insert(name) {
            return Err(format!("function is described twice: {name}"));
        }
        let in_order: String = PHASES.iter().map(|(c, _)| c).filter(|c| phases.contains(**c)).collect();
        if phases.is_empty() || *phases != in_order {
            return Err(format!("phases of {name} must be letters of CRASPL in this order: {phases}"));
        }
    }
    Ok(functions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(name: &str, phases: &str) -> String {
        format!("[[function]]\nname = '{name}'\nreturns = 'nil'\nphases = '{phases}'\ndoc = ''\n")
    }

    fn function(name: &str) -> Function {
        parse(&described(name, "A")).expect("a description").remove(0)
    }

    #[test]
    fn names_follow_from_the_wire_name() {
        let nested = function("kong.client.tls.set_client_verify");
        assert_eq!(nested.area(), "kong.client.tls");
        assert_eq!(nested.variant(), "ClientTlsSetClientVerify");
        assert_eq!(nested.path(), "client_tls::set_client_verify");
        let log = function("kong.log");
        assert_eq!((log.area(), log.variant(), log.path()), ("kong.log", "Log".into(), "log::notice".into()));
    }

    #[test]
    fn wrong_descriptions_are_refused() {
        let refusal = |text: &str| parse(text).expect_err("a wrong description");
        assert!(refusal(&described("client.get_ip", "A")).contains("client.get_ip"));
        assert!(refusal(&described("kong.node.get_id", "AX")).contains("AX"));
        assert!(refusal(&described("kong.node.get_id", "LA")).contains("LA"));
        assert!(refusal(&described("kong.node.get_id", "")).contains("phases of"));
        assert!(refusal(&described("kong.node.get_id", "A").repeat(2)).contains("twice"));
        assert!(refusal(&(described("kong.node.get_id", "A") + "phase = 'A'")).contains("phase"));
    }
}
