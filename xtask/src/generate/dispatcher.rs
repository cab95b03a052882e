//! The enum of all PDK functions and the way from it to the code of each.

use super::{header, variants};
use crate::description::{self, Function, PHASES};

pub fn text(functions: &[Function]) -> String {
    let each = |line: &dyn Fn(&Function) -> String| functions.iter().map(line).collect::<String>();
    let count = functions.len();
    let listed = each(&|f| format!("/// `{}`: {}\n{},\n", f.name, f.doc, f.variant()));
    let all = each(&|f| format!("Function::{},\n", f.variant()));
    let names = each(&|f| format!("Function::{} => {:?},\n", f.variant(), f.name));
    let from_names = each(&|f| format!("{:?} => Function::{},\n", f.name, f.variant()));
    let calls = each(&|f| format!("Function::{} => super::{}(context, args),\n", f.variant(), f.path()));
    let sets = sets(functions);
    let constants: String = sets.iter().map(|set| constant(set)).collect();
    let phases: String = sets
        .iter()
        .map(|set| format!("{} => {set},\n", variants(functions, |f| f.phases == **set)))
        .collect();
    let bodies = variants(functions, |f| f.body);
    let terminal = variants(functions, |f| f.terminal);
    header(description::FILE)
        + &format!(
            "use super::PdkResult;
use crate::{{Phase, Phases, RequestContext, Value}};

/// A function that plugins can call, by its name on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {{ {listed} }}

{constants}

impl Function {{
    pub const ALL: [Function; {count}] = [ {all} ];

    /// The name in both protocols, which is that of Kong's Lua PDK.
    pub const fn name(self) -> &'static str {{ match self {{ {names} }} }}

    pub fn from_name(name: &str) -> Option<Self> {{
        Some(match name {{ {from_names} _ => return None, }})
    }}

    /// Where the function works; elsewhere it raises an error.
    pub const fn phases(self) -> Phases {{ match self {{ {phases} }} }}

    /// Whether the request's body must have been read before the call.
    pub const fn reads_body(self) -> bool {{ matches!(self, {bodies}) }}

    /// Whether the function ends the request: the plugin gets no answer.
    pub const fn is_terminal(self) -> bool {{ matches!(self, {terminal}) }}

    pub(super) fn call(self, context: &mut RequestContext, args: &[Value]) -> PdkResult {{
        match self {{ {calls} }}
    }}
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
