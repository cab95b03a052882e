//! The call of a function by a plugin of another process.

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
}
