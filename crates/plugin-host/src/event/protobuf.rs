//! An event over `ProtoBuf:1`: pairs of name and argument, each answered by one frame.
//!
//! There is no way to tell the server of an error, so whatever goes wrong closes the connection: the
//! handler's further calls fail at once, and the server survives.

use std::sync::Arc;

use bytes::Bytes;
use polygate_chain::pdk::{Context, Function};
use polygate_chain::{SpooledFile, Value};
use polygate_plugin_proto::protobuf::message::{Call, HandleEvent, RawBody};
use polygate_plugin_proto::protobuf::{self as frames, Name};

use crate::connection::{CallError, Lease};
use crate::event::call::{self, Called};
use crate::event::{Failed, TimeLeft, Try};
use crate::failure::{EventError, Reason};
use crate::replica::Notice;
use crate::shape::{self, Argument, Returned};
use crate::wire_table;

/// How the exchange of frames ended.
enum Ended {
    /// The handler has finished and the connection is free again.
    Cleanly,
    /// It has finished, but the connection is of no further use.
    Slipped,
    /// The plugin called `kong.response.exit`; the SDK closes the connection itself.
    Exit,
}

/// The latest call of the event.
struct Latest {
    function: Function,
    /// Its argument frame had no bytes although a message was to be expected.
    suspicious: bool,
}

pub(super) async fn run(one_try: &Try<'_>, context: &mut Context<'_>) -> Result<(), Failed> {
    let mut time = TimeLeft::new(one_try.settings());
    let (epoch, id, mut lease) = one_try.prepare(&mut time).await?;
    let event = HandleEvent { instance_id: id as i32, event_name: one_try.phase.as_str().to_owned() };
    let sequence = lease.send_call(Call::HandleEvent(event));
    let first = match time.wait(lease.frame()).await {
        Some(Err(error @ CallError::Reset)) => return Err(one_try.unread(&error)),
        // An instance that is unknown, or a handler that ended the process.
        Some(Err(error)) if error.is_disconnect() && lease.incomplete() == 0 => {
            one_try.generation.forget_instances(epoch);
            return Err(Failed::same_process(one_try.crashed(&error)));
        }
        answer => read(answer, one_try, &lease).map_err(Failed::never)?,
    };
    let exchange = Dialogue {
        one_try,
        context: context.reborrow(),
        lease: &mut lease,
        time: &mut time,
        sequence,
        latest: None,
        files: vec![],
    };
    let ended = exchange.run(first).await.map_err(Failed::never)?;
    if !matches!(ended, Ended::Cleanly) {
        lease.close();
    }
    Ok(())
}

struct Dialogue<'a, 'b> {
    one_try: &'a Try<'b>,
    context: Context<'a>,
    lease: &'a mut Lease,
    time: &'a mut TimeLeft,
    sequence: i64,
    latest: Option<Latest>,
    /// Those that the server was told of: it may open them until the event ends.
    files: Vec<Arc<SpooledFile>>,
}

impl Dialogue<'_, '_> {
    async fn run(mut self, first: Bytes) -> Result<Ended, EventError> {
        let mut frame = first;
        loop {
            match frames::name(&frame, self.sequence) {
                Ok(Name::Function(name)) => {
                    if let Some(ended) = self.call(name).await? {
                        return Ok(ended);
                    }
                }
                Ok(Name::End) => {
                    let answer = self.time.wait(self.lease.read_return(self.sequence)).await;
                    read(answer, self.one_try, self.lease)?;
                    return Ok(Ended::Cleanly);
                }
                Ok(Name::EndSlipped) => return self.slipped(),
                Err(error) => return Err(Reason::Protocol.error(error.to_string())),
            }
            frame = self.frame().await?;
        }
    }

    /// Serves one call, whose name was read.
    async fn call(&mut self, mut name: String) -> Result<Option<Ended>, EventError> {
        let argument = loop {
            match frames::argument(self.frame().await?) {
                frames::Argument::Message(message) => break message,
                frames::Argument::NextFunction(next) => name = next,
            }
        };
        let unknown = || Reason::Plugin.error(format!("method \"{name}\" not found"));
        let function = call::function(&name).ok_or_else(unknown)?;
        let (expected, returned) = wire_table::shapes(function).ok_or_else(unknown)?;
        self.latest =
            Some(Latest { function, suspicious: argument.is_empty() && expected != Argument::Empty });
        let args = shape::arguments(expected, argument)
            .map_err(|error| Reason::Protocol.error(format!("argument of {name}: {error}")))?;
        self.one_try.count_call();
        let called = self.time.stopped(call::invoke(&mut self.context, function, args)).await.in_a_frame();
        let answer = match called {
            Called::Value(_, value) => value,
            Called::File(file) => {
                self.send_file(file);
                return Ok(None);
            }
            Called::Failed(text) if returned == Returned::RawBody => {
                self.lease.send_frame(&shape::raw_body_error(text));
                return Ok(None);
            }
            // Go cannot be told; it sees the zero value.
            Called::Failed(_) | Called::Unknown => Value::Nil,
            Called::Thrown(text) => return Err(Reason::Plugin.error(text)),
        };
        if expected == Argument::ExitArgs {
            // The SDK waits for one frame, ignores it and closes.
            self.lease.send_frame(&[]);
            let _ = self.time.wait(self.lease.send_last()).await;
            return Ok(Some(Ended::Exit));
        }
        self.time.allow_for(answer.as_bytes().map_or(0, |bytes| bytes.len() as u64));
        self.lease.send_frame(&shape::answer(returned, answer));
        Ok(None)
    }

    /// A server that shares this machine's files reads the body itself; the others get a copy.
    fn send_file(&mut self, file: Arc<SpooledFile>) {
        self.time.allow_for(file.len());
        if self.one_try.settings().start_cmd.is_some() && self.lease.shares_files() {
            self.lease.send_frame(&shape::raw_body_path(&file.path()));
            self.files.push(file);
        } else {
            self.lease.send_file_frame(RawBody::CONTENT, file);
        }
    }

    async fn frame(&mut self) -> Result<Bytes, EventError> {
        let answer = self.time.wait(self.lease.frame()).await;
        read(answer, self.one_try, self.lease)
    }

    /// The end frame was taken for the argument of the latest call, which thus ran with an empty one
    /// although its plugin saw it fail. Harmless for a getter or a log line; a setter has left the
    /// request in a state that nobody wanted.
    fn slipped(&self) -> Result<Ended, EventError> {
        match &self.latest {
            Some(Latest { function, suspicious: true }) if changes_the_request(*function) => {
                Err(Reason::Plugin
                    .error(format!("the argument of {} was not UTF-8 and never arrived", function.name())))
            }
            _ => Ok(Ended::Slipped),
        }
    }
}

fn changes_the_request(function: Function) -> bool {
    matches!(wire_table::shapes(function), Some((argument, Returned::Empty)) if argument != Argument::ListValue)
}

fn read<T>(answer: Option<Result<T, CallError>>, one_try: &Try<'_>, lease: &Lease) -> Result<T, EventError> {
    match answer {
        Some(Ok(answer)) => Ok(answer),
        Some(Err(CallError::Protocol(text) | CallError::Remote(text))) => Err(Reason::Protocol.error(text)),
        Some(Err(error)) => Err(one_try.crashed(&error)),
        None => {
            one_try.replica.notify(Notice::Suspect { generation: one_try.generation.number });
            Err(one_try.deadline_error(lease))
        }
    }
}
