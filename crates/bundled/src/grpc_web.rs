//! gRPC for browsers (gRPC-Web, PROTOCOL-WEB.md of gRPC): messages are those of gRPC, trailers are the last of them, and all
//! of it may be in Base64.

mod answer;
mod encoding;
mod frames;
mod json;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use http::Method as HttpMethod;
use polygate_chain::pdk::headers::Change;
use polygate_chain::pdk::{Content, PdkError, grpc, request, response, service_request};
use polygate_chain::{BodyFilter, Exchange, Handler, Phase};
use serde::Deserialize;

use self::answer::Answer;
use self::encoding::Encoding;
pub use self::encoding::{from_text, to_text};
use self::frames::LARGEST;
pub use self::frames::{Frames, write};
use self::json::{Method, Services};
use crate::plugin::{self, Bundled, Hooks, Outcome};
use crate::reply::refuse;
use crate::shared::Shared;

pub const PLUGIN: Bundled = Bundled {
    name: "grpc-web",
    priority: 3,
    phases: &[Phase::Access],
    schema: include_str!("grpc_web/schema.json"),
    checks: &[],
    configure,
};

#[derive(Deserialize)]
struct Config {
    proto: Option<String>,
    pass_stripped_path: Option<bool>,
    allow_origin_header: Option<String>,
}

struct GrpcWeb {
    config: Config,
    /// For messages in JSON.
    services: Option<Services>,
}

/// A call that goes upstream.
struct Call {
    encoding: Encoding,
    /// Of messages in JSON.
    method: Option<Method>,
}

fn configure(plugin: &Arc<polygate_model::Plugin>, _: &Arc<Shared>) -> Result<Arc<dyn Handler>, String> {
    let config: Config = plugin::config(plugin)?;
    let services = config.proto.as_ref().map(|file| Services::read(Path::new(file))).transpose()?;
    plugin::handler(GrpcWeb { config, services })
}

impl Hooks for GrpcWeb {
    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        if let Some(origin) = &self.config.allow_origin_header {
            response::set_header(exchange, Change::line("Access-Control-Allow-Origin", origin))?;
        }
        if exchange.request.method == HttpMethod::OPTIONS {
            return preflight(exchange);
        }
        // A method is called by its whole path.
        if !self.config.pass_stripped_path.unwrap_or_default() {
            let path = request::get_path(exchange).to_owned();
            service_request::set_path(exchange, path.as_bytes())?;
        }
        let call = match self.call(exchange) {
            Ok(call) => call,
            Err(why) => return refuse(exchange, 400, &why),
        };
        if call.encoding.is_text || call.encoding.is_json {
            translate(exchange, &call).await?;
        }
        if exchange.session.answer.is_some() {
            return Ok(());
        }
        service_request::set_header(exchange, Change::line("Content-Type", "application/grpc"))?;
        if call.encoding.is_json {
            // Answers have to be read.
            service_request::clear_header(exchange, "grpc-accept-encoding");
        }
        exchange.session.kept.put(call);
        Ok(())
    }

    /// What is no answer of gRPC stays as it is: error pages of the gateway, and of proxies before the upstream.
    fn header(&self, exchange: &mut Exchange) -> Outcome {
        let Some(Call { encoding, method }) = exchange.session.kept.take() else { return Ok(()) };
        let is_grpc = exchange.session.answer.is_none() && grpc::has_grpc_type(&exchange.response.headers);
        if !is_grpc {
            return Ok(());
        }
        response::set_header(exchange, Change::line("Content-Type", &encoding.mime_type))?;
        exchange.session.kept.put(Answer::of(&mut exchange.response.headers, encoding, method));
        Ok(())
    }

    fn body(&self, exchange: &mut Exchange) -> Option<Box<dyn BodyFilter>> {
        Some(Box::new(exchange.session.kept.take::<Answer>()?))
    }
}

impl GrpcWeb {
    /// The error says why the request is none.
    fn call(&self, exchange: &Exchange) -> Result<Call, String> {
        let encoding = Encoding::of(&exchange.request.headers)
            .ok_or("the request is none of gRPC-Web: Content-Type has to be application/grpc-web")?;
        if !encoding.is_json {
            return Ok(Call { encoding, method: None });
        }
        let services =
            self.services.as_ref().ok_or("messages in JSON need a proto that describes the service")?;
        let path = exchange.session.upstream.path.as_deref().unwrap_or_default();
        let method = services.method(path).ok_or_else(|| format!("the proto has no method {path}"))?;
        Ok(Call { encoding, method: Some(method) })
    }
}

/// What browsers ask before a call (CORS).
fn preflight(exchange: &mut Exchange) -> Outcome {
    let headers = vec![
        Change::line("Content-Type", "application/grpc-web-text+proto"),
        Change::line("Access-Control-Allow-Methods", "POST"),
        Change::line("Access-Control-Allow-Headers", "content-type,x-grpc-web,x-user-agent"),
    ];
    response::exit(exchange, 200, Content::Text("OK".into()), headers)
}

/// Makes a body one of gRPC. One that breaks off is refused where it is sent.
async fn translate(exchange: &mut Exchange, call: &Call) -> Outcome {
    if exchange.request_body.read().await.is_err() {
        return Ok(());
    }
    let Ok(body) = request::get_raw_body(exchange, Some(LARGEST as u64)) else {
        return refuse(exchange, 413, &format!("a request in Base64 or JSON has {LARGEST} bytes at most"));
    };
    let body = body.bytes().map_err(|error| PdkError::thrown(error.to_string()))?;
    match call.encoding.messages(&body, call.method.as_ref()) {
        Ok(messages) => {
            service_request::set_raw_body(exchange, &messages.into());
            Ok(())
        }
        Err(why) => refuse(exchange, 400, &why),
    }
}
