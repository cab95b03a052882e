//! What answers a call of each PDK function over `MsgPack:1`.
//!
//! Written from protocol/pdk.toml by `cargo run -q -p xtask -- generate`; do not edit.

use polygate_chain::pdk::Function;

/// The method that answers a call of `function`. Go expects the type that belongs to it.
pub fn step_method(function: Function) -> &'static str {
    match function {
        Function::ClientGetCredential | Function::ClientAuthenticate => "plugin.StepCredential",
        Function::ClientLoadConsumer | Function::ClientGetConsumer => "plugin.StepConsumer",
        Function::NodeGetMemoryStats => "plugin.StepMemoryStats",
        Function::RequestGetQuery
        | Function::RequestGetHeaders
        | Function::ResponseGetHeaders
        | Function::ServiceResponseGetHeaders => "plugin.StepMultiMap",
        Function::RouterGetRoute => "plugin.StepRoute",
        Function::RouterGetService => "plugin.StepService",
        _ => "plugin.Step",
    }
}
