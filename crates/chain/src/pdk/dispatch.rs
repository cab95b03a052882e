//! The call of a function by its number: from another process, or from Lua.

use crate::Value;
use crate::pdk::{Context, Function, PdkError, Reply};

/// Calls `function`, after checking the phase. The request's body is read first when the function looks at it.
pub async fn dispatch<'a>(
    exchange: impl Into<Context<'a>>,
    function: Function,
    args: &[Value],
) -> Result<Reply<'a>, PdkError> {
    let mut exchange = exchange.into();
    exchange.check(function)?;
    if function.reads_body()
        && let Context::Exchange(exchange) = &mut exchange
    {
        exchange.request_body.read().await.map_err(|error| PdkError::returned(error.to_string()))?;
    }
    function.call(exchange, args)
}

/// As [`dispatch`], for a caller that has read the body where the function looks at it.
pub fn call<'a>(context: Context<'a>, function: Function, args: &[Value]) -> Result<Reply<'a>, PdkError> {
    context.check(function)?;
    function.call(context, args)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Phase;
    use crate::pdk::fixture;

    #[test]
    fn functions_are_bound_to_phases() {
        const EXIT: &str = "kong.response.exit";
        const RAW_BODY: &str = "kong.request.get_raw_body";
        const SERIALIZE: &str = "kong.log.serialize";
        for (name, phase, refusal) in [
            (EXIT, Phase::Access, None),
            (
                EXIT,
                Phase::Log,
                Some("function cannot be called in log phase (only in: rewrite, access, response, preread)"),
            ),
            (RAW_BODY, Phase::Response, None),
            (SERIALIZE, Phase::Log, None),
            (SERIALIZE, Phase::Access, Some("function cannot be called in access phase (only in: log)")),
        ] {
            let exchange = &mut fixture::routed("/");
            exchange.session.phase = phase;
            let result = fixture::dispatched(exchange, name, &[Value::Int(200)]);
            assert_eq!(result.err(), refusal.map(PdkError::thrown), "of {name} in {phase}");
        }
    }

    #[test]
    fn a_connection_without_a_request_has_the_functions_of_its_phase() {
        for phase in [Phase::Certificate, Phase::Preread] {
            for function in Function::ALL {
                let session = &mut fixture::session(phase);
                // What the functions of these phases take, none of them more than two.
                let args: &[Value] = match function {
                    Function::ServiceSetTarget => &["host.test".into(), Value::Int(1)],
                    Function::ServiceSetTlsVerify => &[true.into()],
                    Function::ResponseExit => &[Value::Int(200)],
                    Function::NodeGetMemoryStats => &[],
                    Function::VaultGet | Function::VaultParseReference => &["{vault://env/path}".into()],
                    Function::ServiceSetTlsVerifyDepth => &[Value::Int(1)],
                    _ => &["name".into()],
                };
                let refusal = fixture::dispatched(session, function.name(), args).err();
                let is_refused = refusal.is_some_and(|it| it.to_string().contains("cannot be called in"));
                assert_eq!(is_refused, !function.phases().contains(phase), "{} in {phase}", function.name());
            }
        }
    }

    /// What plugins' own tests match.
    #[test]
    fn wrong_arguments_are_told_in_the_words_of_the_reference() {
        let text = || Value::from("x");
        for (name, args, words) in [
            ("kong.request.get_header", vec![], "header name must be a string"),
            ("kong.request.get_query_arg", vec![], "query argument name must be a string"),
            ("kong.request.get_query", vec![text()], "max_args must be a number"),
            ("kong.request.get_headers", vec![Value::Int(0)], "max_headers must be >= 1"),
            ("kong.request.get_headers", vec![Value::Int(1001)], "max_headers must be <= 1000"),
            ("kong.response.set_status", vec![text()], "code must be a number"),
            ("kong.response.set_status", vec![Value::Int(600)], "code must be a number between 100 and 599"),
            ("kong.response.clear_header", vec![], "header name must be a string"),
            ("kong.response.set_headers", vec![text()], "headers must be a table"),
            ("kong.response.exit", vec![Value::Int(200), true.into()], "body must be a nil, string or table"),
            (
                "kong.response.exit",
                vec![Value::Int(200), Value::Nil, text()],
                "headers must be a nil or table",
            ),
            ("kong.service.request.clear_header", vec![], "header must be a string"),
            ("kong.service.request.set_query", vec![text()], "args must be a table"),
            ("kong.service.request.set_query", vec![Value::List(vec![text()])], "arg keys must be strings"),
            ("kong.service.request.set_body", vec![text()], "args must be a table"),
            (
                "kong.service.request.set_header",
                vec![Value::Nil, text()],
                "invalid header name \"nil\": got nil, expected string",
            ),
            ("kong.service.response.get_header", vec![], "name must be a string"),
            ("kong.client.load_consumer", vec![], "consumer_id must be a string"),
            (
                "kong.client.load_consumer",
                vec![text()],
                "cannot load a consumer with an id that is not a uuid",
            ),
            (
                "kong.node.get_memory_stats",
                vec![text()],
                "invalid unit 'x' (expected 'k/K', 'm/M', 'g/G' or 'b/B')",
            ),
        ] {
            let got = fixture::call(&mut fixture::routed("/"), name, &args);
            assert_eq!(got, fixture::thrown(words), "of {name} {args:?}");
        }
    }
}
