//! What plugins that send records away have in common.

use polygate_chain::{Exchange, Session};

use crate::custom_fields::CustomFields;
use crate::plugin::{Hooks, Outcome};
use crate::queue::Queue;
use crate::record::{record, record_of_stream};

/// Puts a record of each request and each stream into a queue.
pub struct Logging {
    pub queue: Queue,
    pub fields: CustomFields,
}

impl Hooks for Logging {
    async fn log(&self, exchange: &mut Exchange) -> Outcome {
        self.fields.set(&mut *exchange)?;
        self.queue.push(record(exchange));
        Ok(())
    }

    async fn log_stream(&self, session: &mut Session) -> Outcome {
        self.fields.set(&mut *session)?;
        self.queue.push(record_of_stream(session));
        Ok(())
    }
}
