//! The shell around the PDK's functions: values in, a typed call, a reply out.

use super::header;
use crate::description::{self, Arg, Function};

pub fn text(functions: &[Function]) -> String {
    let calls: String =
        functions.iter().map(|f| format!("Function::{} => {},\n", f.variant(), reply(f))).collect();
    header(description::FILE)
        + &format!(
            "use super::{{args as take, reply, *}};
use crate::Value;

impl Function {{
    /// Runs the function, which must work in the phase that the context is in.
    pub(super) fn call<'a>(self, context: Context<'a>, args: &[Value]) -> Result<Reply<'a>, PdkError> {{
        Ok(match self {{ {calls} }})
    }}
}}
"
        )
}

fn reply(function: &Function) -> String {
    let (kind, or_nil) = match function.returns.strip_suffix(" or nil") {
        Some(kind) => (kind, true),
        None => (function.returns.as_str(), false),
    };
    // What the reference of the PDK has more names for than there are forms.
    let (form, or_nil) = match kind {
        "string, true" => ("any", false),
        "table" => ("any", or_nil),
        "consumer" | "route" | "service" => ("entity", or_nil),
        "never" => ("nil", or_nil),
        "true" => ("yes", or_nil),
        other => (other, or_nil),
    };
    let call = call(function);
    // A type without values is no argument.
    if matches!(form, "nil" | "yes") {
        return format!("{{ {call}; reply::{form}() }}");
    }
    if or_nil { format!("reply::optional({call}, reply::{form})") } else { format!("reply::{form}({call})") }
}

fn call(function: &Function) -> String {
    let (path, args) = (function.path(), args(&function.args));
    let fails = if function.fails { "?" } else { "" };
    if function.both {
        return format!(
            "match context {{
                Context::Session(session) => {path}_of_session(session, {args}){fails},
                Context::Exchange(exchange) => {path}(exchange, {args}){fails},
            }}"
        );
    }
    let on = if function.is_of_session() { "context.session()" } else { "context.exchange(self)?" };
    format!("{path}({on}, {args}){fails}")
}

fn args(args: &[Arg]) -> String {
    let mut at = 0;
    let mut texts = String::new();
    for arg in args {
        texts += &taken(arg, at);
        texts += ", ";
        // Name and values.
        at += if arg.kind == "header" { 2 } else { 1 };
    }
    texts
}

/// The expression that makes an argument of the values from position `at` on.
fn taken(arg: &Arg, at: usize) -> String {
    let Arg { name, kind, optional, called, low, high } = arg;
    let called = called.as_ref().unwrap_or(name);
    let bounds: Vec<_> = [low, high].into_iter().flatten().cloned().collect();
    let take = match bounds.as_slice() {
        [] => format!("take::{kind}"),
        bounds => format!("take::{kind}({})", bounds.join(", ")),
    };
    match kind.as_str() {
        "any" => format!("take::any(args, {at})"),
        "any..." => "args".to_owned(),
        "header" => format!("take::header(args, {at})?"),
        _ if *optional => format!("take::optional(take::any(args, {at}), {called:?}, {take})?"),
        _ => format!("{take}(take::any(args, {at}), {called:?})?"),
    }
}
