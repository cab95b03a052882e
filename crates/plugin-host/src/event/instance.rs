//! Starting an instance in a server process.

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};

use crate::channel::CallError;
use crate::generation::Generation;
use crate::instance::Instance;
use crate::pool::Lease;
use crate::reason::{EventError, Reason};
use crate::replica::Replica;

/// The instance's epoch and id in this generation; starts it if nobody has yet.
pub(crate) async fn start_instance(
    replica: &Arc<Replica>,
    generation: &Arc<Generation>,
    instance: &Instance,
    deadline: Instant,
) -> Result<(u32, u32), EventError> {
    let epoch = generation.epoch();
    if let Some(id) = instance.id(epoch) {
        return Ok((epoch, id));
    }
    if instance.is_fatal() {
        return Err(Reason::Instance.error(
            "starting instance: the process ended each time it was started with this configuration; correct the \
             configuration or the plugin and reload",
        ));
    }
    let start = async {
        let _only_one = instance.lock().await;
        let epoch = generation.epoch();
        if let Some(id) = instance.id(epoch) {
            return Ok((epoch, id));
        }
        let id = start(replica, generation, instance, deadline).await?;
        instance.set_started(epoch, id);
        Ok((epoch, id))
    };
    timeout_at(deadline, start).await.unwrap_or_else(|_| {
        Err(Reason::Deadline.error(format!(
            "plugin server \"{}\" did not start an instance of \"{}\" in time",
            replica.name, instance.plugin
        )))
    })
}

async fn start(
    replica: &Arc<Replica>,
    generation: &Arc<Generation>,
    instance: &Instance,
    deadline: Instant,
) -> Result<u32, EventError> {
    let mut lease = Lease::take(replica, generation, false, deadline, None).await?;
    let mut outcome = lease.start(&instance.plugin, instance.json()).await;
    if matches!(&outcome, Err(CallError::Reset)) {
        // The server may have closed a connection that lay idle.
        lease = Lease::take(replica, generation, true, deadline, None).await?;
        outcome = lease.start(&instance.plugin, instance.json()).await;
    }
    let refused = |why: String| Reason::Instance.error(format!("starting instance: {why}"));
    match outcome {
        Ok(id) => u32::try_from(id).map_err(|_| refused(format!("the server gave it the id {id}"))),
        Err(error) => Err(refused(error.to_string())),
    }
}
