//! Starting an instance in a server process.

use std::sync::Arc;

use bytes::Bytes;
use polygate_plugin_proto::Protocol;
use polygate_plugin_proto::msgpack::Value;
use polygate_plugin_proto::protobuf::message::{Call, StartInstance};
use tokio::time::{Instant, timeout_at};

use crate::connection::{CallError, Lease};
use crate::failure::{EventError, Reason};
use crate::generation::Generation;
use crate::instance::Instance;
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
    let mut outcome = call(replica.protocol, &mut lease, instance).await;
    if matches!(&outcome, Err(CallError::Reset)) {
        // The server may have closed a connection that lay idle.
        lease = Lease::take(replica, generation, true, deadline, None).await?;
        outcome = call(replica.protocol, &mut lease, instance).await;
    }
    let refused = |why: String| Reason::Instance.error(format!("starting instance: {why}"));
    match outcome {
        Ok(id) => u32::try_from(id).map_err(|_| refused(format!("the server gave it the id {id}"))),
        Err(error) if error.is_disconnect() && replica.protocol == Protocol::ProtoBuf => {
            Err(refused(format!("{error}; it may have refused the configuration, its own log tells")))
        }
        Err(error) => Err(refused(error.to_string())),
    }
}

async fn call(protocol: Protocol, lease: &mut Lease, instance: &Instance) -> Result<i64, CallError> {
    match protocol {
        Protocol::MsgPack => {
            let members = [("Name", Value::str(&instance.plugin)), ("Config", Value::str(&instance.json()))];
            let status = lease.request("plugin.StartInstance", Value::map(members)).await?;
            let id = status.get("Id").and_then(Value::as_int);
            id.ok_or_else(|| {
                CallError::Protocol(format!("the server's answer has no Id: {}", status.preview()))
            })
        }
        Protocol::ProtoBuf => {
            let config = Bytes::from(instance.json());
            let call = StartInstance { name: instance.plugin.clone(), config };
            Ok(lease.start_instance(Call::StartInstance(call)).await?.instance_id.into())
        }
    }
}
