//! Calls over MessagePack-RPC.

use std::sync::Arc;

use polygate_chain::SpooledFile;
use polygate_plugin_proto::msgpack::{Frame, StepData, Value, write_request, write_request_head};

use crate::connection::{CallError, Connection};
use crate::generation::Flavor;

/// No server ever gives out this id.
pub(crate) const UNKNOWN_INSTANCE: i64 = -1;

impl Connection {
    /// Sends a request with one parameter and waits for its answer.
    pub(crate) async fn request(&mut self, method: &str, param: Value) -> Result<Value, CallError> {
        debug_assert!(!self.busy, "two requests on one connection kill a JavaScript server");
        self.next_id = self.next_id.wrapping_add(1);
        write_request(&mut self.output, self.next_id, method, &[param]);
        self.busy = true;
        self.answer().await
    }

    /// [`Connection::request`] with a map to which the content of a file, as text or as bytes, is added as member `name`.
    pub(crate) async fn request_with_file(
        &mut self,
        method: &str,
        members: &[(&str, Value)],
        name: &str,
        is_text: bool,
        file: Arc<SpooledFile>,
    ) -> Result<Value, CallError> {
        debug_assert!(!self.busy, "two requests on one connection kill a JavaScript server");
        self.next_id = self.next_id.wrapping_add(1);
        write_request_head(
            &mut self.output,
            self.next_id,
            method,
            members,
            (name, is_text, file.len() as u32),
        );
        self.send_file(file);
        self.busy = true;
        self.answer().await
    }

    /// Goes on with a request that was not waited for to its end.
    async fn answer(&mut self) -> Result<Value, CallError> {
        loop {
            self.flush().await?;
            match self.messages.decode(&mut self.input) {
                Ok(Some(Frame::Response { id, outcome })) if id == self.next_id => {
                    self.busy = false;
                    return outcome.map_err(|error| CallError::Remote(error.preview()));
                }
                Ok(Some(Frame::Response { id, .. })) => {
                    let expected = self.next_id;
                    return Err(
                        self.refuse(format!("expected the answer to request {expected}, got that to {id}"))
                    );
                }
                // Only Go servers send it. Which process it is the kernel tells as well.
                Ok(Some(Frame::Notification { label, .. })) => self.is_go |= label == "serverPid",
                Ok(Some(Frame::Request { .. })) => return Err(self.refuse("the server sent a request")),
                Ok(None) => self.fill().await?,
                Err(error) => return Err(self.refuse(error)),
            }
        }
    }

    /// Finds out whose server it is. Go says so itself; the two others list the members of a plugin
    /// in an order of their own. Failing that, each answers an unknown method in its own words, and
    /// writes a stack trace to its log.
    pub(crate) async fn greet(&mut self, plugin: &str) -> Result<Flavor, CallError> {
        let info = match self.request("plugin.GetPluginInfo", Value::str(plugin)).await {
            Err(CallError::Remote(_)) => Value::Nil,
            info => info?,
        };
        if self.is_go {
            return Ok(Flavor::Go);
        }
        let second = match &info {
            Value::Map(members) => members.get(1).and_then(|(name, _)| name.as_str()),
            _ => None,
        };
        match second {
            Some("Version") => return Ok(Flavor::JavaScript),
            Some("Phases") => return Ok(Flavor::Python),
            _ => {}
        }
        match self.request("plugin.WhoAreYou", Value::Nil).await {
            Err(CallError::Remote(text)) if text.contains("rpc: can't find") => Ok(Flavor::Go),
            Err(CallError::Remote(text)) if text.contains("not implemented") => Ok(Flavor::JavaScript),
            Err(CallError::Remote(text)) if text.contains("object has no attribute") => Ok(Flavor::Python),
            Ok(_) | Err(CallError::Remote(_)) => Ok(Flavor::Unknown),
            Err(error) => Err(error),
        }
    }

    /// Brings an event that nobody waits for any more to its end, so that the server can forget it:
    /// every further call is answered with an error. `event` is its id, if it is known yet.
    pub(super) async fn finish(&mut self, mut event: Option<i64>) {
        loop {
            let answer = match event {
                _ if self.busy => self.answer().await,
                None => return,
                Some(event) => {
                    let text = Value::str("the gateway gave up the event");
                    let data = Value::map([("EventId", Value::Int(event)), ("Data", text)]);
                    self.request("plugin.StepError", data).await
                }
            };
            let Some(Ok(step)) = answer.ok().map(StepData::from_value) else { return };
            if step.is_last() {
                return;
            }
            event = Some(step.event_id);
        }
    }
}
