//! An event: pairs of name and argument, each answered by one frame.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use polygate_chain::pdk::{Context, Effect, Function, Reply};
use polygate_chain::{SpooledFile, Value};
use polygate_plugin_proto::protobuf::message::{Call, HandleEvent};
use polygate_plugin_proto::protobuf::{self as frames, Name, write_frame};

use crate::channel::CallError;
use crate::wire::fault::Fault;
use crate::wire::pdk::{self, Called};
use crate::wire::protobuf::answer;
use crate::wire::protobuf::argument::arguments;
use crate::wire::protobuf::connection::Connection;
use crate::wire::protobuf::shape::{Argument, Returned};
use crate::wire::protobuf::shapes::shapes;
use crate::wire::task::Task;

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
    is_suspicious: bool,
}

pub(crate) async fn event(
    connection: &mut Connection,
    task: &mut Task<'_>,
    context: &mut Context<'_>,
) -> Result<(), Fault> {
    let event = HandleEvent { instance_id: task.instance as i32, event_name: task.phase.as_str().to_owned() };
    connection.call(Call::HandleEvent(event));
    let first = match task.wait(connection.frame()).await {
        Err(Fault::Broken(error @ CallError::Reset)) => return Err(Fault::Unread(error)),
        // An instance that is unknown, or a handler that ended the process.
        Err(Fault::Broken(error)) if connection.channel.input.is_empty() => {
            return Err(Fault::Forgotten(Box::new(Fault::Broken(error))));
        }
        first => first?,
    };
    let dialogue = Dialogue { connection, task, context: context.reborrow(), latest: None, files: vec![] };
    if !matches!(dialogue.run(first).await?, Ended::Cleanly) {
        connection.channel.give_up();
    }
    Ok(())
}

struct Dialogue<'a, 't> {
    connection: &'a mut Connection,
    task: &'a mut Task<'t>,
    context: Context<'a>,
    latest: Option<Latest>,
    /// Those that the server was told of: it may open them until the event ends.
    files: Vec<Arc<SpooledFile>>,
}

impl Dialogue<'_, '_> {
    async fn run(mut self, first: Bytes) -> Result<Ended, Fault> {
        let mut frame = first;
        loop {
            match frames::name(&frame, self.connection.sequence()) {
                Ok(Name::Function(name)) => {
                    if let Some(ended) = self.call(name).await? {
                        return Ok(ended);
                    }
                }
                Ok(Name::End) => {
                    self.task.wait(self.connection.end()).await?;
                    return Ok(Ended::Cleanly);
                }
                Ok(Name::EndSlipped) => return self.slipped(),
                Err(error) => return Err(Fault::Protocol(error.to_string())),
            }
            // The place of what was read is free for what comes next.
            drop(frame);
            frame = self.frame().await?;
        }
    }

    /// Serves one call, whose name was read.
    async fn call(&mut self, mut name: Bytes) -> Result<Option<Ended>, Fault> {
        let argument = loop {
            match frames::argument(self.frame().await?) {
                frames::Argument::Message(message) => break message,
                frames::Argument::NextFunction(next) => name = next,
            }
        };
        let text = || String::from_utf8_lossy(&name);
        let unknown = || Fault::Plugin(format!("method \"{}\" not found", text()));
        let function = str::from_utf8(&name).ok().and_then(Function::from_name).ok_or_else(unknown)?;
        let (expected, returned) = shapes(function).ok_or_else(unknown)?;
        let is_suspicious = argument.is_empty() && expected != Argument::Empty;
        self.latest = Some(Latest { function, is_suspicious });
        let args = arguments(expected, argument)
            .map_err(|error| Fault::Protocol(format!("argument of {}: {error}", text())))?;
        self.task.count_call();
        let called = self.task.own(pdk::call(self.context.reborrow(), function, &args)).await;
        if function.effect() == Effect::End && !matches!(called, Called::Thrown(_)) {
            // The SDK waits for one frame, ignores it and closes.
            write_frame(self.connection.output(), &[]);
            let _ = self.task.wait(self.connection.channel.flush()).await;
            return Ok(Some(Ended::Exit));
        }
        let out = self.connection.output();
        match called {
            Called::Reply(reply) => {
                self.task.allow_for(pdk::length(&reply));
                match reply {
                    Reply::File(file) => {
                        let file = file.clone();
                        self.send_file(file);
                    }
                    reply => answer::write(out, returned, reply),
                }
            }
            Called::Failed(text) if returned == Returned::RawBody => answer::write_body_error(out, text),
            // Go cannot be told; it sees the zero value.
            Called::Failed(_) => answer::write(out, returned, Reply::Value(Cow::Owned(Value::Nil))),
            Called::Thrown(text) => return Err(Fault::Plugin(text)),
        }
        Ok(None)
    }

    /// A server that shares this machine's files reads the body itself; the others get a copy.
    fn send_file(&mut self, file: Arc<SpooledFile>) {
        if self.task.settings.start_cmd.is_some() && self.connection.channel.shares_files() {
            answer::write_body_path(self.connection.output(), &file.path());
            self.files.push(file);
        } else {
            answer::write(self.connection.output(), Returned::RawBody, Reply::File(&file));
            self.connection.channel.send_file(file);
        }
    }

    async fn frame(&mut self) -> Result<Bytes, Fault> {
        self.task.wait(self.connection.frame()).await
    }

    /// The end frame was taken for the argument of the latest call, which thus ran with an empty one
    /// although its plugin saw it fail. Harmless for a getter or a log line; a setter has left the
    /// request in a state that nobody wanted.
    fn slipped(&self) -> Result<Ended, Fault> {
        match &self.latest {
            Some(Latest { function, is_suspicious: true }) if function.effect() == Effect::Write => Err(
                Fault::Plugin(format!("the argument of {} was not UTF-8 and never arrived", function.name())),
            ),
            _ => Ok(Ended::Slipped),
        }
    }
}
