//! What plugins that send records away have in common.

use polygate_chain::Exchange;

use crate::custom_fields::CustomFields;
use crate::plugin::{Hooks, Outcome};
use crate::queue::Queue;
use crate::record::record;

/// Puts a record of each request into a queue.
pub struct Logging {
    pub queue: Queue,
    pub fields: CustomFields,
}

impl Hooks for Logging {
    async fn log(&self, exchange: &mut Exchange) -> Outcome {
        self.fields.set(exchange)?;
        self.queue.push(record(exchange).to_string());
        Ok(())
    }
}
