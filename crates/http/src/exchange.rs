//! One request, from its head to the end of its way: the list of steps.
//!
//! The reading order of the files is that of the list: `server`, `client`, here, `receive`, `routing`, `upstream`
//! (`tries`, `head`, `upload`, `connection`, `pool`), `response`, `relay`, `end`.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use polygate_chain::{Collected, Failure as PluginFailure, RequestContext, Source};
use polygate_http1::RequestHead;
use polygate_telemetry::log;

use crate::failure::{Blame, Failure};
use crate::relay::relay;
use crate::server::{After, Downstream};
use crate::upstream::{self, Exchanged};
use crate::{Gateway, Worker, end, receive, respond, response, routing};

/// A request on its way, and all that the steps need of its surroundings.
pub struct Way<'d> {
    pub context: Box<RequestContext>,
    pub collected: Collected,
    pub downstream: &'d Downstream,
    pub worker: &'d Rc<Worker>,
    pub gateway: Arc<Gateway>,
    /// The client means to send more requests.
    pub keep_alive: bool,
    /// Bytes that the connection had carried before, in and out.
    pub traffic_before: (u64, u64),
    /// The upstream's reason phrase, and the status that it belongs to.
    pub reason: Option<(u16, Vec<u8>)>,
    /// As received: plugins may have it sent on with another one.
    pub method: Method,
    /// The line of a request whose head was refused, as received.
    pub refused_line: Option<Vec<u8>>,
}

/// Why the list ended before the upstream answered.
pub enum Early {
    /// The context holds the response.
    Answered,
    /// Nobody is there to read one.
    Left,
}

/// What is sent behind the head of the response.
pub enum Content {
    Bytes(Bytes),
    Upstream(Box<Exchanged>),
}

/// Takes a request whose head was read along its whole way. `serial` counts the requests of the connection.
pub async fn run(head: RequestHead, serial: u64, downstream: &Downstream, gateway: Arc<Gateway>) -> After {
    let mut way = receive::receive(head, serial, downstream, gateway);
    let content = match way.steps().await {
        Ok(content) => content,
        Err(Early::Answered) => way.answer(),
        Err(Early::Left) => return end::left(way),
    };
    way.finish(content).await
}

impl Way<'_> {
    /// The list of steps up to the response.
    async fn steps(&mut self) -> Result<Content, Early> {
        receive::check(self)?;
        self.rewrite().await?;
        routing::route(self)?;
        self.access().await?;
        let picked = upstream::pick(self).await.map_err(|failure| self.failed(failure))?;
        self.body_ahead().await?;
        let exchanged = upstream::send(self, picked).await.map_err(|failure| self.failed(failure))?;
        let is_buffered = self.context.buffering || self.collected.wants_response();
        let exchanged = response::take_head(self, exchanged, is_buffered);
        if !is_buffered {
            return Ok(Content::Upstream(exchanged));
        }
        let body = self.buffer(exchanged).await?;
        self.response().await?;
        Ok(Content::Bytes(body))
    }

    async fn rewrite(&mut self) -> Result<(), Early> {
        let context = &mut *self.context;
        context.timings.rewrite.begin();
        let outcome = self.gateway.plan.rewrite(context).await;
        context.timings.rewrite.finish();
        self.settle(outcome)
    }

    async fn access(&mut self) -> Result<(), Early> {
        let context = &mut *self.context;
        context.timings.access.begin();
        let (collected, outcome) = self.gateway.plan.access(context).await;
        context.timings.access.finish();
        self.collected = collected;
        self.settle(outcome)?;
        if self.context.service().is_none() {
            respond::decide(&mut self.context, Source::Exit, 503, "no Service found with those values");
            return Err(Early::Answered);
        }
        Ok(())
    }

    /// What plugins made of the request: it goes on, or is decided.
    fn settle(&mut self, outcome: Result<(), PluginFailure>) -> Result<(), Early> {
        if let Err(failure) = outcome {
            respond::plugin_failure(&mut self.context, &failure);
        }
        if self.context.answer.is_some() {
            return Err(Early::Answered);
        }
        // A plugin saw a body that broke off; nobody else is to see the rest.
        if let Some(error) = self.context.request_body.failure() {
            return Err(self.failed(error.clone().into()));
        }
        Ok(())
    }

    /// Reads the body to its end, unless it is to be sent on as it comes.
    async fn body_ahead(&mut self) -> Result<(), Early> {
        let context = &mut *self.context;
        let buffered = context.route().is_some_and(|route| route.request_buffering);
        if buffered || context.buffering {
            context.request_body.read().await.map_err(|error| self.failed(error.into()))?;
        }
        Ok(())
    }

    /// Holds the whole response back.
    async fn buffer(&mut self, mut exchanged: Box<Exchanged>) -> Result<Bytes, Early> {
        match exchanged.body.collect(&self.downstream.client).await {
            Ok(body) => {
                exchanged.give_back(self.worker);
                let body = Bytes::from(body);
                if let Some(response) = &mut self.context.service_response {
                    response.body = Some(body.clone());
                }
                Ok(body)
            }
            Err(failure) => {
                upstream::log_failure(&self.context, &failure, exchanged.address());
                self.context.response.headers.clear();
                Err(self.failed(failure))
            }
        }
    }

    async fn response(&mut self) -> Result<(), Early> {
        let context = &mut *self.context;
        context.timings.response.begin();
        let outcome = self.collected.response(context).await;
        context.timings.response.finish();
        self.settle(outcome)
    }

    /// Turns a failure into the response, and logs it where its cause has to be looked for.
    pub fn failed(&mut self, failure: Failure) -> Early {
        let context = &mut *self.context;
        let id = &context.request_id;
        let client = context.client.ip();
        match failure.blame() {
            Blame::Client => log!(Info, "client {client}: {failure}, request_id: \"{id}\""),
            Blame::Upstream => {}
            Blame::Gateway => log!(Error, "{failure}, client: {client}, request_id: \"{id}\""),
        }
        match failure {
            Failure::NoPeer(status, message) => respond::decide(context, Source::Error, status, &message),
            failure if failure.status() == 499 => return Early::Left,
            failure => return self.refuse(failure.status()),
        }
        Early::Answered
    }

    /// An error of HTTP or of the proxy as the response.
    pub fn refuse(&mut self, status: u16) -> Early {
        // After these the reference takes the connection for unusable.
        self.keep_alive &= !matches!(status, 400 | 405 | 408 | 413 | 414 | 494 | 500 | 501 | 505);
        respond::proxy_error(&mut self.context, status);
        Early::Answered
    }

    /// The body of a response that the gateway or a plugin made.
    pub fn answer(&self) -> Content {
        Content::Bytes(self.context.answer.as_ref().map(|answer| answer.body.clone()).unwrap_or_default())
    }

    /// Sends the response and ends the way.
    pub async fn finish(mut self, content: Content) -> After {
        let (framing, head_end) = response::finish_head(&mut self, &content);
        let sent = relay(&mut self, content, framing).await;
        end::end(self, head_end, sent)
    }
}
