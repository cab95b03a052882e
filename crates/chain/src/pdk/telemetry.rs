//! `kong.telemetry`: log records for OpenTelemetry.

use crate::pdk::{PdkError, PdkResult, args};
use crate::{RequestContext, Value};

/// Checks its arguments and says, as `(nil, message)`, that nothing collects such records.
pub fn log(_context: &mut RequestContext, args: &[Value]) -> PdkResult {
    args::string(args, 0, "plugin_name")?;
    args::table(args::at(args, 1)).ok_or_else(|| args::wrong_type("plugin_config", "a table"))?;
    args::string(args, 2, "message_type")?;
    Err(PdkError::returned("Telemetry logging is disabled: log entry will not be recorded"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdk::fixture::{self, thrown};

    #[test]
    fn says_that_nothing_is_recorded() {
        let context = &mut fixture::context("GET", "/", &[]);
        let args = ["p".into(), Value::Map(Vec::new()), "type".into()];
        let error = PdkError::returned("Telemetry logging is disabled: log entry will not be recorded");
        assert_eq!(log(context, &args), Err(error));
        assert_eq!(log(context, &args[..1]), thrown("plugin_config must be a table"));
    }
}
