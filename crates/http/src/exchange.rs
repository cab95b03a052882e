//! One request, from its head to the end of its way: the list of steps.
//!
//! The reading order of the files is that of the list: `server`, `http1` or `http2`, `client`, here, `receive`, `routing`, `upstream`
//! (`tries`, `head`, `upload`, `connection`, `pool`), `response`, `relay`, `end`.

use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use polygate_chain::{Failure as PluginFailure, Source};
use polygate_http1::RequestHead;

use crate::client::Client;
use crate::downstream::{After, Downstream};
use crate::flow::Filters;
use crate::relay::relay;
use crate::upstream::{self, Exchanged};
use crate::way::{Content, Early, Way};
use crate::{Gateway, end, receive, respond, response, routing, tunnel};

/// Takes a request whose head was read along its whole way. `serial` counts the requests of the connection.
pub async fn run(
    head: RequestHead,
    serial: u64,
    client: Rc<dyn Client>,
    downstream: &Downstream,
    gateway: Arc<Gateway>,
) -> After {
    let mut way = receive::receive(head, serial, client, downstream, gateway);
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
        let is_switched = exchanged.head.status == 101;
        let is_endless = response::is_endless(&exchanged.head);
        let is_held = !is_switched && (self.exchange.buffering || self.collected.wants_response());
        let exchanged = response::take_head(self, exchanged, is_held);
        if is_switched {
            return Ok(tunnel::content(self, exchanged));
        }
        if !is_held {
            return Ok(Content::Upstream(exchanged, Filters::default()));
        }
        if is_endless {
            self.response().await?;
            return Ok(Content::Upstream(exchanged, Filters::default()));
        }
        let body = self.buffer(exchanged).await?;
        self.response().await?;
        Ok(Content::Bytes(body))
    }

    async fn rewrite(&mut self) -> Result<(), Early> {
        let exchange = &mut *self.exchange;
        exchange.session.timings.rewrite.begin(exchange.session.timings.latest);
        let outcome = self.gateway.plan.rewrite(exchange).await;
        let now = exchange.session.timings.now();
        exchange.session.timings.rewrite.finish(now);
        self.settle(outcome)
    }

    async fn access(&mut self) -> Result<(), Early> {
        let exchange = &mut *self.exchange;
        exchange.session.timings.access.begin(exchange.session.timings.latest);
        let (collected, outcome) = self.gateway.plan.access(exchange).await;
        let now = exchange.session.timings.now();
        exchange.session.timings.access.finish(now);
        self.collected = collected;
        self.settle(outcome)?;
        if self.exchange.session.service().is_none() {
            respond::decide(&mut self.exchange, Source::Exit, 503, "no Service found with those values");
            return Err(Early::Answered);
        }
        Ok(())
    }

    /// What plugins made of the request: it goes on, or is decided.
    fn settle(&mut self, outcome: Result<(), PluginFailure>) -> Result<(), Early> {
        if let Err(failure) = outcome {
            respond::plugin_failure(&mut self.exchange, &failure);
        }
        if self.exchange.session.answer.is_some() {
            let charset = self.gateway.settings.charset.as_deref();
            response::add_charset(&mut self.exchange.response.headers, charset);
            return Err(Early::Answered);
        }
        // A plugin saw a body that broke off; nobody else is to see the rest.
        if let Some(error) = self.exchange.request_body.failure() {
            return Err(self.failed(error.clone().into()));
        }
        Ok(())
    }

    /// Reads the body to its end, unless it is to be sent on as it comes. One that is here already has a length and can
    /// be sent again, for nothing.
    async fn body_ahead(&mut self) -> Result<(), Early> {
        let exchange = &mut *self.exchange;
        // The end of a stream of gRPC may wait for the answer.
        let is_grpc =
            exchange.session.upstream.scheme.as_deref().is_some_and(|scheme| scheme.starts_with("grpc"));
        let buffered =
            exchange.buffering || exchange.session.route().is_some_and(|route| route.request_buffering);
        let body = &exchange.request_body;
        if body.held().is_none() && (buffered && !is_grpc || body.is_here()) {
            let read = exchange.request_body.read().await;
            exchange.session.timings.now();
            read.map_err(|error| self.failed(error.into()))?;
        }
        Ok(())
    }

    /// Holds the whole response back.
    async fn buffer(&mut self, mut exchanged: Exchanged) -> Result<Bytes, Early> {
        let collected = exchanged.body.collect(&*self.client).await;
        self.exchange.session.timings.now();
        match collected {
            Ok(body) => {
                exchanged.give_back(self.worker, &self.gateway.settings);
                let body = Bytes::from(body);
                if let Some(response) = &mut self.exchange.service_response {
                    response.body = Some(body.clone());
                }
                Ok(body)
            }
            Err(failure) => {
                exchanged.fail(&self.exchange, &failure);
                self.exchange.response.headers.clear();
                Err(self.failed(failure))
            }
        }
    }

    async fn response(&mut self) -> Result<(), Early> {
        let exchange = &mut *self.exchange;
        exchange.session.timings.response.begin(exchange.session.timings.latest);
        let outcome = self.collected.response(exchange).await;
        let now = exchange.session.timings.now();
        exchange.session.timings.response.finish(now);
        self.settle(outcome)
    }

    /// Lets plugins have the last word on the response; one that they answer with now takes the place of its body.
    fn filter(&mut self, mut content: Content) -> Content {
        let earlier = self.exchange.session.answer.take();
        if let Err(failure) = self.collected.header(&mut self.exchange) {
            respond::plugin_failure(&mut self.exchange, &failure);
        }
        if self.exchange.session.answer.is_some() {
            content = self.answer();
        } else {
            self.exchange.session.answer = earlier;
        }
        let filters = Filters::new(self.collected.body(&mut self.exchange));
        if !filters.keep_length() {
            self.exchange.response.headers.remove("Content-Length");
        }
        match content {
            Content::Bytes(body) if !filters.is_empty() => {
                Content::Bytes(filters.whole(&mut self.exchange, &body).into())
            }
            Content::Upstream(exchanged, _) => Content::Upstream(exchanged, filters),
            content => content,
        }
    }

    /// Sends the response and ends the way.
    pub async fn finish(mut self, content: Content) -> After {
        let content = self.filter(content);
        let (framing, head_end) = response::finish_head(&mut self, &content);
        let sent = relay(&mut self, content, framing).await;
        end::end(self, head_end, sent)
    }
}
