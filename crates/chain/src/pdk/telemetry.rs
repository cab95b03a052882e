//! `kong.telemetry`: log records for OpenTelemetry.

use crate::pdk::{PdkError, PdkResult};
use crate::{Exchange, Value};

/// Says, as `(nil, message)`, that nothing collects such records.
pub fn log(_context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Err(PdkError::returned("Telemetry logging is disabled: log entry will not be recorded"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdk::fixture;

    #[test]
    fn says_that_nothing_is_recorded() {
        let context = &mut fixture::context("GET", "/", &[]);
        let args = ["p".into(), Value::Map(Vec::new()), "type".into()];
        let error = PdkError::returned("Telemetry logging is disabled: log entry will not be recorded");
        assert_eq!(log(context, &args), Err(error.clone()));
        assert_eq!(log(context, &[Value::Int(5)]), Err(error));
    }
}
