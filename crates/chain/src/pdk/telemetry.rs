//! `kong.telemetry`: log records for OpenTelemetry.

use crate::pdk::PdkError;
use crate::{Session, Value};

/// Says, as `(nil, message)`, that nothing collects such records.
pub fn log(_session: &Session, _record: &[Value]) -> Result<(), PdkError> {
    Err(PdkError::returned("Telemetry logging is disabled: log entry will not be recorded"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdk::fixture::{self, call};

    #[test]
    fn says_that_nothing_is_recorded() {
        let exchange = &mut fixture::exchange("GET", "/", &[]);
        let args = ["p".into(), Value::Map(Vec::new()), "type".into()];
        let error = PdkError::returned("Telemetry logging is disabled: log entry will not be recorded");
        assert_eq!(call(exchange, "kong.telemetry.log", &args), Err(error.clone()));
        assert_eq!(call(exchange, "kong.telemetry.log", &[Value::Int(5)]), Err(error));
    }
}
