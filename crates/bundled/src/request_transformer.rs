//! Changes of requests before they go upstream (bundled-plugins.md, section 5).

mod body;
mod template;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::Method;
use polygate_chain::pdk::headers::Change;
use polygate_chain::pdk::{request, service_request};
use polygate_chain::{Exchange, Handler, Phase, Value};
use serde::Deserialize;
use serde_json::Value as Json;

use self::template::{Template, Templates};
use crate::plugin::{self, Bundled, Hooks, Outcome};
use crate::shared::Shared;
use crate::transform::{Changes, Pair, check_header};

pub const PLUGIN: Bundled = Bundled {
    name: "request-transformer",
    priority: 801,
    phases: &[Phase::Access],
    schema: include_str!("request_transformer/schema.json"),
    checks: &[("header_pair", check_header)],
    configure,
};

#[derive(Deserialize)]
struct Config {
    http_method: Option<String>,
    remove: Parts<String>,
    rename: Parts<Pair>,
    replace: Replace,
    add: Parts<Pair>,
    append: Parts<Pair>,
}

/// By what is changed.
#[derive(Deserialize)]
struct Parts<T> {
    headers: Vec<T>,
    querystring: Vec<T>,
    body: Vec<T>,
}

#[derive(Deserialize)]
struct Replace {
    #[serde(flatten)]
    parts: Parts<Pair>,
    uri: Option<String>,
}

struct RequestTransformer {
    method: Option<String>,
    remove: Parts<String>,
    rename: Parts<Pair>,
    uri: Option<Template>,
    replace: Parts<Templated>,
    add: Parts<Templated>,
    append: Parts<Templated>,
    templates: Templates,
    changes_body: bool,
}

struct Templated {
    name: String,
    value: Template,
}

/// What templates gave for one request, by their number.
type Given = Vec<String>;

fn configure(plugin: &Arc<polygate_model::Plugin>, _: &Arc<Shared>) -> Result<Arc<dyn Handler>, String> {
    let config: Config = plugin::config(plugin)?;
    let mut templates = template::Collector::default();
    let replace = config.replace;
    let mut parts = |parts: Parts<Pair>| {
        let mut list = |pairs: Vec<Pair>| -> Vec<_> {
            let templated = |Pair { name, value }| Templated { name, value: templates.add(&value) };
            pairs.into_iter().map(templated).collect()
        };
        Parts { headers: list(parts.headers), querystring: list(parts.querystring), body: list(parts.body) }
    };
    let (replaced, add, append) = (parts(replace.parts), parts(config.add), parts(config.append));
    let uri = replace.uri.map(|uri| templates.add(&uri));
    let templated = [&replaced.body, &add.body, &append.body];
    let changes_body = !config.remove.body.is_empty()
        || !config.rename.body.is_empty()
        || templated.iter().any(|list| !list.is_empty());
    plugin::handler(RequestTransformer {
        method: config.http_method,
        remove: config.remove,
        rename: config.rename,
        uri,
        replace: replaced,
        add,
        append,
        templates: templates.finish()?,
        changes_body,
    })
}

impl Hooks for RequestTransformer {
    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        let moves_body = self.moves_body(exchange);
        if self.changes_body || moves_body {
            // One that breaks off is found out by whoever sends it on.
            let _ = exchange.request_body.read().await;
        }
        let given = self.templates.evaluate(exchange)?;
        if let Some(uri) = &self.uri {
            service_request::set_path(exchange, uri.text(&given).as_bytes())?;
        }
        if self.changes_body {
            body::change(exchange, self.body_changes(&given))?;
        }
        self.change_headers(exchange, &given)?;
        self.change_query(exchange, &given, moves_body)?;
        match &self.method {
            Some(method) => service_request::set_method(exchange, method),
            None => Ok(()),
        }
    }
}

impl RequestTransformer {
    fn change_headers(&self, exchange: &mut Exchange, given: &Given) -> Outcome {
        for name in &self.remove.headers {
            service_request::clear_header(exchange, name);
        }
        for Pair { name, value: new } in &self.rename.headers {
            let values = exchange.request.headers.get_all(name);
            let change =
                Change { name: new.into(), values: values.map(|value| value.to_vec().into()).collect() };
            if !change.values.is_empty() {
                service_request::set_header(exchange, change)?;
                service_request::clear_header(exchange, name);
            }
        }
        for Templated { name, value } in &self.replace.headers {
            if exchange.request.headers.contains(name) {
                service_request::set_header(exchange, Change::line(name, value.text(given)))?;
            }
        }
        for Templated { name, value } in &self.add.headers {
            // There is one host, and it is replaced only.
            if !exchange.request.headers.contains(name) && !name.eq_ignore_ascii_case("host") {
                service_request::set_header(exchange, Change::line(name, value.text(given)))?;
            }
        }
        for Templated { name, value } in &self.append.headers {
            if !name.eq_ignore_ascii_case("host") {
                service_request::add_header(exchange, Change::line(name, value.text(given)))?;
            }
        }
        Ok(())
    }

    fn change_query(&self, exchange: &mut Exchange, given: &Given, takes_body: bool) -> Outcome {
        let changes = self.changes(
            given,
            |parts| &parts.querystring,
            |parts| &parts.querystring,
            |parts| &parts.querystring,
        );
        if changes.is_empty() && !takes_body {
            return Ok(());
        }
        let mut arguments = body::members(&request::get_query(exchange, None));
        if takes_body && let Some(form) = body::form(exchange) {
            arguments.extend(form);
        }
        changes.apply(&mut arguments);
        service_request::set_query(exchange, &Value::from(&Json::Object(arguments)))
    }

    /// A form becomes a query where the new method has no body.
    fn moves_body(&self, exchange: &Exchange) -> bool {
        let is_bodiless = |method: &str| matches!(method, "GET" | "HEAD" | "TRACE");
        self.method.as_deref().is_some_and(is_bodiless)
            && exchange.request.method != Method::GET
            && body::Kind::of(exchange) == Some(body::Kind::Form)
    }

    fn body_changes<'c>(&'c self, given: &Given) -> Changes<'c> {
        self.changes(given, |parts| &parts.body, |parts| &parts.body, |parts| &parts.body)
    }

    fn changes<'c>(
        &'c self,
        given: &Given,
        names: fn(&Parts<String>) -> &Vec<String>,
        pairs: fn(&Parts<Pair>) -> &Vec<Pair>,
        templated: fn(&Parts<Templated>) -> &Vec<Templated>,
    ) -> Changes<'c> {
        let values = |parts: &'c Parts<Templated>| -> Vec<_> {
            let value = |it: &'c Templated| (&*it.name, Json::String(it.value.text(given)));
            templated(parts).iter().map(value).collect()
        };
        Changes {
            remove: names(&self.remove),
            rename: pairs(&self.rename),
            replace: values(&self.replace),
            add: values(&self.add),
            append: values(&self.append),
        }
    }
}
