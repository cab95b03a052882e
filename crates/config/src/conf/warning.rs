//! What the operator should know although the start goes on.

use crate::settings::LogLevel;

/// Something that was noticed when a configuration was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// `Notice` or `Warn`.
    pub level: LogLevel,
    pub message: String,
}

impl Warning {
    pub(crate) fn warn(message: impl Into<String>) -> Warning {
        Warning { level: LogLevel::Warn, message: message.into() }
    }

    pub(crate) fn notice(message: impl Into<String>) -> Warning {
        Warning { level: LogLevel::Notice, message: message.into() }
    }
}
