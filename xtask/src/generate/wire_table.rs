//! How each protocol carries the arguments and results of each function.

use super::{header, variants};
use crate::description::{self, Function};

/// The methods of `MsgPack:1`.
pub fn step_methods(functions: &[Function]) -> String {
    let mut steps: Vec<&str> = vec![];
    for step in functions.iter().filter_map(|function| function.step.as_deref()) {
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    let answered_by = |step: &str| variants(functions, |f| f.step.as_deref() == Some(step));
    let steps: String = steps.iter().map(|step| format!("{} => {step:?},\n", answered_by(step))).collect();
    format!(
        "//! What answers a call of each PDK function over `MsgPack:1`.
//!
{}use polygate_chain::pdk::Function;

/// The method that answers a call of `function`. Go expects the type that belongs to it.
pub fn step_method(function: Function) -> &'static str {{
    match function {{ {steps} _ => \"plugin.Step\", }}
}}
",
        inner_header()
    )
}

/// The messages of `ProtoBuf:1`.
pub fn shapes(functions: &[Function]) -> String {
    let shapes: String = functions.iter().filter_map(shapes_of).collect();
    let without = variants(functions, |f| f.protobuf.is_none());
    format!(
        "//! The messages of each PDK function over `ProtoBuf:1`.
//!
{}use polygate_chain::pdk::Function;

use crate::wire::protobuf::shape::{{Argument, Returned}};

/// Those of `function`; `None` if it cannot be called there.
pub fn shapes(function: Function) -> Option<(Argument, Returned)> {{
    Some(match function {{ {shapes} {without} => return None, }})
}}
",
        inner_header()
    )
}

fn inner_header() -> String {
    header(description::FILE).replacen("// ", "//! ", 1)
}

fn shapes_of(function: &Function) -> Option<String> {
    let messages = function.protobuf.as_ref()?;
    let (argument, returned) = (&messages.argument, &messages.returns);
    Some(format!("Function::{} => (Argument::{argument}, Returned::{returned}),\n", function.variant()))
}
