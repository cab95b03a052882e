//! gRPC for browsers (gRPC-Web, PROTOCOL-WEB.md of gRPC): messages are those of gRPC, trailers are the last of them, and all
//! of it may be in Base64.

mod answer;
mod encoding;
#[cfg(test)]
mod tests;

use http::Method;
use polygate_chain::pdk::{Content, PdkError, grpc, request, response, service_request};
use polygate_chain::{BodyFilter, Exchange, Phase};
use serde::Deserialize;
use serde_json::Value;

use self::answer::Answer;
use self::encoding::Encoding;
use crate::plugin::{Bundled, Hooks, Outcome, configure};
use crate::reply::{line, refuse};

pub const PLUGIN: Bundled = Bundled {
    name: "grpc-web",
    priority: 3,
    phases: &[Phase::Access],
    schema: include_str!("grpc_web/schema.json"),
    checks: &[("grpc_web_proto", check)],
    configure: configure::<GrpcWeb>,
};

/// Bytes of a request in Base64, which is decoded whole.
const LARGEST: u64 = 16 << 20;

#[derive(Deserialize)]
struct GrpcWeb {
    pass_stripped_path: Option<bool>,
    allow_origin_header: Option<String>,
}

impl Hooks for GrpcWeb {
    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        if let Some(origin) = &self.allow_origin_header {
            response::set_header(exchange, line("Access-Control-Allow-Origin", origin.clone()))?;
        }
        if exchange.request.method == Method::OPTIONS {
            return preflight(exchange);
        }
        let Some(encoding) = Encoding::of(&exchange.request.headers) else {
            let message = "the request is none of gRPC-Web: Content-Type has to be application/grpc-web or \
                           application/grpc-web-text, with +proto or without";
            return refuse(exchange, 400, message);
        };
        if encoding.is_text {
            decode(exchange).await?;
        }
        if exchange.session.answer.is_some() {
            return Ok(());
        }
        // A method is called by its whole path.
        if !self.pass_stripped_path.unwrap_or_default() {
            let path = request::get_path(exchange).to_owned();
            service_request::set_path(exchange, path.as_bytes())?;
        }
        service_request::set_header(exchange, line("Content-Type", "application/grpc"))?;
        exchange.session.kept.put(encoding);
        Ok(())
    }

    /// What is no answer of gRPC stays as it is: error pages of the gateway, and of proxies before the upstream.
    fn header(&self, exchange: &mut Exchange) -> Outcome {
        let Some(encoding) = exchange.session.kept.take::<Encoding>() else { return Ok(()) };
        let is_grpc = exchange.session.answer.is_none() && grpc::has_grpc_type(&exchange.response.headers);
        if !is_grpc {
            return Ok(());
        }
        response::set_header(exchange, line("Content-Type", encoding.mime_type.clone()))?;
        exchange.session.kept.put(Answer::of(&mut exchange.response.headers, &encoding));
        Ok(())
    }

    fn body(&self, exchange: &mut Exchange) -> Option<Box<dyn BodyFilter>> {
        Some(Box::new(exchange.session.kept.take::<Answer>()?))
    }
}

/// What browsers ask before a call (CORS).
fn preflight(exchange: &mut Exchange) -> Outcome {
    let headers = vec![
        line("Content-Type", "application/grpc-web-text+proto"),
        line("Access-Control-Allow-Methods", "POST"),
        line("Access-Control-Allow-Headers", "content-type,x-grpc-web,x-user-agent"),
    ];
    response::exit(exchange, 200, Content::Text("OK".into()), headers)
}

/// Takes a body out of Base64. One that breaks off is refused where it is sent.
async fn decode(exchange: &mut Exchange) -> Outcome {
    if exchange.request_body.read().await.is_err() {
        return Ok(());
    }
    let Ok(body) = request::get_raw_body(exchange, Some(LARGEST)) else {
        return refuse(exchange, 413, &format!("a request in Base64 has {LARGEST} bytes at most"));
    };
    let text = body.bytes().map_err(|error| PdkError::thrown(error.to_string()))?;
    match encoding::from_text(&text) {
        Some(messages) => {
            service_request::set_raw_body(exchange, &messages.into());
            Ok(())
        }
        None => refuse(exchange, 400, "the request body is not in Base64"),
    }
}

fn check(_: &Value) -> Result<(), String> {
    Err("messages in JSON are not in polygate yet, and nothing else needs a proto: leave it out".to_owned())
}
