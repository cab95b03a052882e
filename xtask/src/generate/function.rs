//! The enum of all PDK functions, with what is to be known of each.

use super::{header, variants};
use crate::description::{self, Effect, Function, PHASES};

pub fn text(functions: &[Function]) -> String {
    let each = |line: &dyn Fn(&Function) -> String| functions.iter().map(line).collect::<String>();
    let count = functions.len();
    let listed = each(&|f| format!("/// `{}`: {}\n{},\n", f.name, f.doc, f.variant()));
    let all = each(&|f| format!("Function::{},\n", f.variant()));
    let names = each(&|f| format!("Function::{} => {:?},\n", f.variant(), f.name));
    let mut sorted: Vec<_> = functions.iter().collect();
    sorted.sort_by_key(|function| &function.name);
    let by_name: String =
        sorted.iter().map(|f| format!("({:?}, Function::{}),\n", f.name, f.variant())).collect();
    let sets = sets(functions);
    let constants: String = sets.iter().map(|set| constant(set)).collect();
    let phases: String = sets
        .iter()
        .map(|set| format!("{} => {set},\n", variants(functions, |f| f.phases == **set)))
        .collect();
    let bodies = variants(functions, |f| f.body);
    let raw = variants(functions, |f| f.raw);
    let writes = variants(functions, |f| f.effect == Effect::Write);
    let logs = variants(functions, |f| f.effect == Effect::Log);
    let ends = variants(functions, |f| f.effect == Effect::End);
    header(description::FILE)
        + &format!(
            "use super::Effect;
use crate::{{Phase, Phases}};

/// A function that plugins can call, by its name on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {{ {listed} }}

/// Sorted by name.
static BY_NAME: [(&str, Function); {count}] = [ {by_name} ];

{constants}

impl Function {{
    pub const ALL: [Function; {count}] = [ {all} ];

    /// The name in both protocols, which is that of Kong's Lua PDK.
    pub const fn name(self) -> &'static str {{ match self {{ {names} }} }}

    pub fn from_name(name: &str) -> Option<Self> {{
        BY_NAME.binary_search_by_key(&name, |(name, _)| name).ok().map(|at| BY_NAME[at].1)
    }}

    /// Where the function works; elsewhere it raises an error.
    pub const fn phases(self) -> Phases {{ match self {{ {phases} }} }}

    /// Whether the request's body must have been read before the call.
    pub const fn reads_body(self) -> bool {{ matches!(self, {bodies}) }}

    /// What a call does besides answering.
    pub const fn effect(self) -> Effect {{
        match self {{
            {writes} => Effect::Write,
            {logs} => Effect::Log,
            {ends} => Effect::End,
            _ => Effect::Read,
        }}
    }}

    /// Whether the result is a body: bytes, whatever is in them.
    pub const fn answers_raw_body(self) -> bool {{ matches!(self, {raw}) }}
}}
"
        )
}

/// The sets of phases in use, in the order in which they first appear.
fn sets(functions: &[Function]) -> Vec<&str> {
    let mut sets: Vec<&str> = vec![];
    for function in functions {
        if !sets.contains(&function.phases.as_str()) {
            sets.push(&function.phases);
        }
    }
    sets
}

fn constant(set: &str) -> String {
    let phases = PHASES.iter().filter(|(letter, _)| set.contains(*letter));
    let phases: String = phases.map(|(_, name)| format!("Phase::{name}, ")).collect();
    format!("const {set}: Phases = Phases::of(&[{phases}]);\n")
}
