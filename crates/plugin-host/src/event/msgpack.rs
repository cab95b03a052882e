//! An event over MessagePack-RPC: `HandleEvent`, then a `Step` for each PDK call, until `"ret"`.

use std::sync::Arc;

use polygate_chain::SpooledFile;
use polygate_chain::pdk::{Context, Function};
use polygate_plugin_proto::msgpack::{Step, StepData, Value};

use crate::connection::{CallError, Lease};
use crate::convert;
use crate::event::call::{self, Called};
use crate::event::{Failed, TimeLeft, Try};
use crate::failure::{EventError, Reason};
use crate::output::Output;
use crate::replica::{Notice, Replica};
use crate::settings::BodyMode;
use crate::wire_table;

pub(super) async fn run(one_try: &Try<'_>, context: &mut Context<'_>) -> Result<(), Failed> {
    let mut time = TimeLeft::new(one_try.settings());
    let (epoch, id, mut lease) = one_try.prepare(&mut time).await?;
    let members = [("InstanceId", Value::Int(id.into())), ("EventName", Value::str(one_try.phase.as_str()))];
    let confessions = one_try.generation.confessions();
    let mark = confessions.map_or(0, Output::mark);
    let answer = time.wait(lease.request("plugin.HandleEvent", Value::map(members))).await;
    let first = match answer {
        Some(Err(CallError::Remote(text))) if text.to_ascii_lowercase().contains("no plugin instance") => {
            one_try.generation.forget_instances(epoch);
            return Err(Failed::same_process(Reason::Plugin.error(text)));
        }
        Some(Err(error @ CallError::Reset)) => return Err(one_try.unread(&error)),
        answer => read(answer, one_try, &lease).map_err(Failed::never)?,
    };
    lease.event = Some(first.event_id);
    let outcome = steps(one_try, context, &mut lease, &mut time, first).await;
    if !matches!(&outcome, Err(error) if error.reason == Reason::Deadline) {
        lease.event = None;
    }
    outcome.map_err(Failed::never)?;
    if context.reborrow().session().answer.is_none()
        && confessions.is_some_and(|it| it.has_raised(mark, id, one_try.phase))
    {
        let text = "the handler raised an exception, see the server's output";
        return Err(Failed::never(Reason::Plugin.error(text)));
    }
    Ok(())
}

/// Answers the PDK calls. On a deadline the event is still open in the server.
async fn steps(
    one_try: &Try<'_>,
    context: &mut Context<'_>,
    lease: &mut Lease,
    time: &mut TimeLeft,
    first: StepData,
) -> Result<(), EventError> {
    let event = first.event_id;
    let mut thrown = None;
    let mut step = first;
    loop {
        let last = step.is_last();
        let Step::Call { method, args } = step.step else {
            return thrown.map_or(Ok(()), Err);
        };
        let args = args.into_iter().map(convert::from_msgpack).collect();
        one_try.count_call();
        let called = time.stopped(call::call(context, &method, args)).await.in_a_frame();
        let error = match &called {
            Called::Thrown(text) => Some(Reason::Plugin.error(text.clone())),
            _ => None,
        };
        if last {
            // A request that was decided is decided, whatever went wrong before.
            return error.map_or(Ok(()), Err);
        }
        thrown = error.or(thrown);
        let event_id = ("EventId", Value::Int(event));
        let answer = match answer(one_try.replica, lease, time, called) {
            (step_method, Data::Value(data)) => {
                let members = [event_id].into_iter().chain(data.map(|data| ("Data", data)));
                let param = Value::Map(members.map(|(name, value)| (Value::str(name), value)).collect());
                time.wait(lease.request(step_method, param)).await
            }
            (step_method, Data::File { is_text, file }) => {
                time.wait(lease.request_with_file(step_method, &[event_id], "Data", is_text, file)).await
            }
        };
        step = read(answer, one_try, lease)?;
    }
}

/// What answers a PDK call.
enum Data {
    Value(Option<Value>),
    File { is_text: bool, file: Arc<SpooledFile> },
}

/// The method and the `Data` that answer a PDK call. Nil is told by leaving `Data` out: JavaScript
/// plugins compare with `undefined`.
fn answer(replica: &Replica, lease: &Lease, time: &mut TimeLeft, called: Called) -> (&'static str, Data) {
    match called {
        Called::Value(function, value) => {
            time.allow_for(value.as_bytes().map_or(0, |bytes| bytes.len() as u64));
            let step_method = wire_table::step_method(function);
            let data = convert::to_msgpack(
                function,
                step_method,
                value,
                lease.generation.flavor,
                replica.settings.body,
            );
            (step_method, Data::Value(data))
        }
        Called::File(file) => {
            time.allow_for(file.len());
            let is_text = replica.settings.body == BodyMode::Text && convert::is_text(&file);
            (wire_table::step_method(Function::RequestGetRawBody), Data::File { is_text, file })
        }
        Called::Unknown => ("plugin.Step", Data::Value(None)),
        Called::Failed(text) | Called::Thrown(text) => {
            ("plugin.StepError", Data::Value(Some(Value::str(&text))))
        }
    }
}

/// Makes the next step of an answer; `None` is a deadline.
fn read(
    answer: Option<Result<Value, CallError>>,
    one_try: &Try<'_>,
    lease: &Lease,
) -> Result<StepData, EventError> {
    match answer {
        Some(Ok(value)) => {
            StepData::from_value(value).map_err(|error| Reason::Protocol.error(error.to_string()))
        }
        Some(Err(CallError::Remote(text))) => Err(Reason::Plugin.error(text)),
        Some(Err(CallError::Protocol(text))) => Err(Reason::Protocol.error(text)),
        Some(Err(error)) => Err(one_try.crashed(&error)),
        None => {
            one_try.replica.notify(Notice::Suspect { generation: one_try.generation.number });
            Err(one_try.deadline_error(lease))
        }
    }
}
