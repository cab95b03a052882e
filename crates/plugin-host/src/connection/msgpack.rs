//! Calls over MessagePack-RPC.

use polygate_plugin_proto::msgpack::{Frame, StepData, Value, write_request};

use crate::connection::{CallError, Connection};
use crate::server::Flavor;

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

    /// Goes on with a request that was not waited for to its end.
    async fn answer(&mut self) -> Result<Value, CallError> {
        loop {
            self.flush().await?;
            match self.messages.decode(&mut self.input) {
                Ok(Some(Frame::Response { id, outcome })) if id == self.next_id => {
                    self.busy = false;
                    self.reused = true;
                    return outcome.map_err(|error| CallError::Remote(error.preview()));
                }
                Ok(Some(Frame::Response { id, .. })) => {
                    let expected = self.next_id;
                    return Err(
                        self.refuse(format!("expected the answer to request {expected}, got that to {id}"))
                    );
                }
                // `serverPid` of Go servers; the kernel tells the same.
                Ok(Some(Frame::Notification { .. })) => {}
                Ok(Some(Frame::Request { .. })) => return Err(self.refuse("the server sent a request")),
                Ok(None) => self.fill().await?,
                Err(error) => return Err(self.refuse(error)),
            }
        }
    }

    /// Finds out whose server it is: each answers a method that it does not have in its own words.
    pub(crate) async fn greet(&mut self) -> Result<Flavor, CallError> {
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
