//! An event: `HandleEvent`, then a `Step` for each PDK call, until `"ret"`.

use bytes::{Bytes, BytesMut};
use polygate_chain::pdk::{Context, Effect, Function, Reply};
use polygate_plugin_proto::msgpack::{Step, write};
use polygate_telemetry::log;

use crate::channel::CallError;
use crate::output::Output;
use crate::wire::fault::Fault;
use crate::wire::msgpack::answer::{self, Packing};
use crate::wire::msgpack::connection::Connection;
use crate::wire::msgpack::step_method::step_method;
use crate::wire::pdk::{self, Called};
use crate::wire::task::{RAISED, Task};

pub(crate) async fn event(
    connection: &mut Connection,
    task: &mut Task<'_>,
    context: &mut Context<'_>,
) -> Result<(), Fault> {
    let confessions = task.generation.confessions();
    let mark = confessions.map_or(0, Output::mark);
    connection.handle_event(task.instance.into(), task.phase.as_str());
    let first = match task.wait(connection.answer()).await {
        Err(Fault::Plugin(text)) if text.to_ascii_lowercase().contains("no plugin instance") => {
            return Err(Fault::Forgotten(Box::new(Fault::Plugin(text))));
        }
        Err(Fault::Broken(error @ CallError::Reset)) => return Err(Fault::Unread(error)),
        first => first?,
    };
    let outcome = steps(connection, task, context, first).await;
    // One that has not answered is still open in the server.
    if !connection.is_busy() {
        connection.event = None;
    }
    outcome?;
    if context.reborrow().session().answer.is_none()
        && confessions.is_some_and(|it| it.has_raised(mark, task.instance, task.phase))
    {
        return Err(Fault::Plugin(RAISED.into()));
    }
    Ok(())
}

/// Answers the PDK calls. When the time is up the event is still open in the server.
async fn steps(
    connection: &mut Connection,
    task: &mut Task<'_>,
    context: &mut Context<'_>,
    first: Bytes,
) -> Result<(), Fault> {
    let mut thrown = None;
    let mut result = first;
    loop {
        let step = Step::read(&result).map_err(|error| Fault::Protocol(error.to_string()))?;
        let event = *connection.event.get_or_insert(step.event);
        let Some(call) = step.call else {
            return thrown.map_or(Ok(()), Err);
        };
        task.count_call();
        let function = function(call.method);
        let called = match function {
            Some(function) => Some(task.own(pdk::call(context.reborrow(), function, &call.args)).await),
            None => {
                log!(Error, "could not find pdk method: {}", call.method);
                None
            }
        };
        let raised = match &called {
            Some(Called::Thrown(text)) => Some(Fault::Plugin(text.clone())),
            _ => None,
        };
        if function.is_some_and(is_end) {
            // A request that was decided is decided, whatever went wrong before.
            return raised.map_or(Ok(()), Err);
        }
        thrown = raised.or(thrown);
        match (function, called) {
            (Some(function), Some(called)) => answer(connection, task, event, function, called),
            _ => {
                head(connection, "plugin.Step", event, false);
            }
        };
        // The place of what was read is free for what comes next.
        drop((call.args, result));
        result = task.wait(connection.answer()).await?;
    }
}

/// Writes the answer to a PDK call. Nil is told by leaving `Data` out: JavaScript plugins compare with
/// `undefined`.
fn answer(
    connection: &mut Connection,
    task: &mut Task<'_>,
    event: i64,
    function: Function,
    called: Called<'_>,
) {
    let packing = Packing { flavor: task.generation.flavor, body: task.settings.body };
    match called {
        Called::Reply(reply) => {
            task.allow_for(pdk::length(&reply));
            let is_something = !answer::is_nil(&reply);
            let out = head(connection, step_method(function), event, is_something);
            if is_something {
                answer::write(out, function, &reply, packing);
            }
            if let Reply::File(file) = reply {
                connection.channel.send_file(file.clone());
            }
        }
        Called::Failed(text) | Called::Thrown(text) => {
            write::text(head(connection, "plugin.StepError", event, true), text.as_bytes());
        }
    }
}

/// Begins the answer to a call; with `data` the value of `Data` has to follow.
fn head<'c>(connection: &'c mut Connection, method: &str, event: i64, data: bool) -> &'c mut BytesMut {
    let out = connection.request(method);
    write::map(out, 1 + usize::from(data));
    write::text(out, b"EventId");
    write::int(out, event);
    if data {
        write::text(out, b"Data");
    }
    out
}

/// Brings an event that nobody waits for any more to its end, so that the server can forget it: every
/// further call is answered with an error.
pub(crate) async fn abandon(mut connection: Connection) {
    loop {
        if !connection.is_busy() {
            let Some(event) = connection.event else { return };
            let out = head(&mut connection, "plugin.StepError", event, true);
            write::text(out, b"the gateway gave up the event");
        }
        let Ok(result) = connection.answer().await else { return };
        match Step::read(&result) {
            Ok(Step { event, call: Some(call) }) if !function(call.method).is_some_and(is_end) => {
                connection.event = Some(event);
            }
            _ => return,
        }
    }
}

/// Whether nothing may be sent for the event any more: the SDKs wait for no answer.
fn is_end(function: Function) -> bool {
    function.effect() == Effect::End
}

/// The function of a wire name. The JavaScript SDK derives names from camel case with a rule that
/// breaks on digits and on runs of capitals; two names come out wrong.
fn function(method: &str) -> Option<Function> {
    Function::from_name(match method {
        "kong.nginx.get_tls1Version_str" => "kong.nginx.get_tls1_version_str",
        "kong.request.get_uRICaptures" => "kong.request.get_uri_captures",
        other => other,
    })
}
