//! What a function is called on.

use crate::pdk::{Function, PdkError};
use crate::{Exchange, Session};

/// A connection without a request, in the phases certificate and preread, or a request.
pub enum Context<'a> {
    Session(&'a mut Session),
    Exchange(&'a mut Exchange),
}

impl<'a> Context<'a> {
    /// Refuses a function that does not work in the present phase.
    pub fn check(&self, function: Function) -> Result<(), PdkError> {
        let phase = match self {
            Self::Session(session) => session.phase,
            Self::Exchange(exchange) => exchange.session.phase,
        };
        if function.phases().contains(phase) {
            return Ok(());
        }
        Err(PdkError::thrown(format!(
            "function cannot be called in {phase} phase (only in: {})",
            function.phases()
        )))
    }

    /// The same for a while.
    pub fn reborrow(&mut self) -> Context<'_> {
        match self {
            Self::Session(session) => Context::Session(session),
            Self::Exchange(exchange) => Context::Exchange(exchange),
        }
    }

    pub fn session(self) -> &'a mut Session {
        match self {
            Self::Session(session) => session,
            Self::Exchange(exchange) => &mut exchange.session,
        }
    }

    /// Refuses a function that needs a request.
    pub(super) fn exchange(self, function: Function) -> Result<&'a mut Exchange, PdkError> {
        match self {
            Self::Exchange(exchange) => Ok(exchange),
            Self::Session(_) => {
                let name = function.name();
                Err(PdkError::thrown(format!("{name} needs a request, and this connection has none")))
            }
        }
    }
}

impl<'a> From<&'a mut Session> for Context<'a> {
    fn from(session: &'a mut Session) -> Self {
        Self::Session(session)
    }
}

impl<'a> From<&'a mut Exchange> for Context<'a> {
    fn from(exchange: &'a mut Exchange) -> Self {
        Self::Exchange(exchange)
    }
}
