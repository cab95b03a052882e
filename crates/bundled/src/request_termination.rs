//! Answers in place of the upstream (bundled-plugins.md, section 4).

use polygate_chain::exchange::entity;
use polygate_chain::pdk::headers::Change;
use polygate_chain::pdk::{Content, node, request, response};
use polygate_chain::{Exchange, Key, Phase, Value};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::plugin::{Bundled, Hooks, Outcome, configure};

pub const PLUGIN: Bundled = Bundled {
    name: "request-termination",
    priority: 2,
    phases: &[Phase::Access],
    schema: include_str!("request_termination/schema.json"),
    checks: &[("request_termination", check)],
    configure: configure::<RequestTermination>,
};

#[derive(Deserialize)]
struct RequestTermination {
    status_code: u16,
    message: Option<String>,
    content_type: Option<String>,
    body: Option<String>,
    echo: bool,
    trigger: Option<String>,
}

impl Hooks for RequestTermination {
    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        if self.trigger.as_deref().is_some_and(|name| !has_trigger(exchange, name)) {
            return Ok(());
        }
        if self.echo {
            // One that breaks off is shown as far as it is known: not at all.
            let _ = exchange.request_body.read().await;
            let shown = self.echo(exchange).to_json().to_string();
            return response::exit(exchange, self.status_code, Content::Json(shown), Vec::new());
        }
        if let Some(body) = &self.body {
            let headers = self.content_type.iter().map(|kind| Change::line("Content-Type", kind)).collect();
            return response::exit(exchange, self.status_code, Content::Text(body.clone().into()), headers);
        }
        let content = match self.message() {
            Value::Nil => Content::Nothing,
            message => Content::Json(table([("message", message)]).to_json().to_string()),
        };
        response::exit(exchange, self.status_code, content, Vec::new())
    }
}

impl RequestTermination {
    /// What the answer says, or nil.
    fn message(&self) -> Value {
        let usual = match self.status_code {
            401 => "Unauthorized",
            404 => "Not found",
            405 => "Method not allowed",
            500 => "An unexpected error occurred",
            502 => "Bad Gateway",
            503 => "Service unavailable",
            _ => return self.message.as_deref().map_or(Value::Nil, Value::from),
        };
        self.message.as_deref().unwrap_or(usual).into()
    }

    fn echo(&self, exchange: &Exchange) -> Value {
        let body = request::get_body(exchange, None, None, None).unwrap_or_default();
        let raw_body = request::get_raw_body(exchange, None).ok().and_then(|body| body.bytes().ok());
        let session = &exchange.session;
        table([
            ("message", self.message()),
            (
                "kong",
                table([
                    ("node_id", node::get_id(session).into()),
                    ("worker_pid", Value::Int(std::process::id().into())),
                    ("hostname", node::get_hostname(session).into()),
                ]),
            ),
            (
                "request",
                table([
                    ("scheme", request::get_scheme(exchange).into()),
                    ("host", Value::str(request::get_host(exchange).as_bytes())),
                    ("port", Value::Int(request::get_port(session).into())),
                    ("headers", request::get_headers(exchange, None)),
                    ("query", request::get_query(exchange, None)),
                    ("body", body),
                    ("raw_body", Value::Str(raw_body.unwrap_or_default())),
                    ("method", request::get_method(exchange).into()),
                    ("path", request::get_path(exchange).into()),
                    ("uri_captures", captures(exchange)),
                ]),
            ),
            ("matched_route", session.route().map(entity).unwrap_or_default()),
            ("matched_service", session.service().map(entity).unwrap_or_default()),
        ])
    }
}

/// The groups of the route's pattern, without the whole match.
fn captures(exchange: &Exchange) -> Value {
    let captures = exchange.session.matched.as_ref().map(|matched| &matched.captures);
    let unnamed = captures.into_iter().flat_map(|it| it.unnamed.iter().skip(1));
    let named = captures.into_iter().flat_map(|it| &it.named);
    table([
        ("unnamed", Value::list(unnamed.map(|text| text.as_deref().unwrap_or_default().into()))),
        ("named", Value::table(named.map(|(name, text)| (Key::from(name.as_str()), text.as_str().into())))),
    ])
}

fn has_trigger(exchange: &Exchange, name: &str) -> bool {
    request::get_header(exchange, name.as_bytes()).is_some()
        || !request::get_query_arg(exchange, name.as_bytes()).is_nil()
}

fn table<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::table(members.map(|(name, value)| (Key::from(name), value)))
}

/// What does not go together.
fn check(config: &Json) -> Result<(), String> {
    let is_set = |name: &str| config.get(name).is_some_and(|value| !value.is_null());
    let message = match () {
        () if is_set("message") && (is_set("content_type") || is_set("body")) => {
            "message cannot be used with content_type or body"
        }
        () if is_set("content_type") && !is_set("body") => "content_type requires a body",
        () if config["echo"] == true && (is_set("content_type") || is_set("body")) => {
            "echo cannot be used with content_type and body"
        }
        () => return Ok(()),
    };
    Err(message.to_owned())
}
