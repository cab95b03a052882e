//! How each protocol carries the arguments and results of each function.

use super::{header, variants};
use crate::description::{self, Function};

pub fn text(functions: &[Function]) -> String {
    let mut steps: Vec<&str> = vec![];
    for step in functions.iter().filter_map(|function| function.step.as_deref()) {
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    let answered_by = |step: &str| variants(functions, |f| f.step.as_deref() == Some(step));
    let steps: String = steps.iter().map(|step| format!("{} => {step:?},\n", answered_by(step))).collect();
    let shapes: String = functions.iter().filter_map(shapes).collect();
    let without = variants(functions, |f| f.protobuf.is_none());
    format!(
        "//! What the two protocols have for each PDK function.
//!
{}use polygate_chain::pdk::Function;

use crate::shape::{{Argument, Returned}};

/// The `MsgPack:1` method that answers a call of `function`. Go expects the type that belongs to it.
pub fn step_method(function: Function) -> &'static str {{
    match function {{ {steps} _ => \"plugin.Step\", }}
}}

/// The `ProtoBuf:1` messages of `function`; `None` if it cannot be called there.
pub fn shapes(function: Function) -> Option<(Argument, Returned)> {{
    Some(match function {{ {shapes} {without} => return None, }})
}}
",
        header(description::FILE).replacen("// ", "//! ", 1)
    )
}

fn shapes(function: &Function) -> Option<String> {
    let messages = function.protobuf.as_ref()?;
    let (argument, returned) = (&messages.argument, &messages.returns);
    Some(format!("Function::{} => (Argument::{argument}, Returned::{returned}),\n", function.variant()))
}
