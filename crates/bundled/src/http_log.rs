//! Records to an HTTP server (bundled-plugins.md, section 7).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use polygate_chain::services::Services;
use polygate_chain::{Handler, Phase};
use serde::Deserialize;

use crate::custom_fields::{self, CustomFields};
use crate::duration::milliseconds;
use crate::encoding::json_list;
use crate::http_client::{Endpoint, HttpClient};
use crate::logging::Logging;
use crate::plugin::{self, Bundled};
use crate::queue::{Queue, QueueConfig, Sink};
use crate::shared::Shared;

pub const PLUGIN: Bundled = Bundled {
    name: "http-log",
    priority: 12,
    phases: &[Phase::Log],
    schema: include_str!("http_log/schema.json"),
    checks: &[("lua", custom_fields::check)],
    configure,
};

#[derive(Deserialize)]
struct Config {
    http_endpoint: String,
    method: Option<String>,
    content_type: Option<String>,
    /// Milliseconds.
    timeout: Option<f64>,
    keepalive: Option<f64>,
    queue_size: Option<usize>,
    headers: Option<BTreeMap<String, String>>,
    queue: QueueConfig,
}

struct HttpLog {
    client: HttpClient,
    services: Arc<dyn Services>,
    method: Method,
    headers: HeaderMap,
    /// Whether several records may come together, in an array.
    is_list: bool,
}

fn configure(plugin: &Arc<polygate_model::Plugin>, shared: &Arc<Shared>) -> Result<Arc<dyn Handler>, String> {
    let config: Config = plugin::config(plugin)?;
    let endpoint = Endpoint::parse(&config.http_endpoint)?;
    let queue = config.queue.with_older_size(config.queue_size);
    let sink = HttpLog {
        client: HttpClient::new(
            endpoint,
            milliseconds(config.timeout.unwrap_or(10_000.0)),
            milliseconds(config.keepalive.unwrap_or(60_000.0)),
        ),
        services: shared.services.clone(),
        method: config.method.as_deref().unwrap_or("POST").parse().map_err(|_| "no such method")?,
        headers: headers(config.headers.unwrap_or_default(), config.content_type.as_deref())?,
        is_list: queue.batches(),
    };
    let queue = Queue::start("http-log", &queue, sink, shared);
    plugin::handler(Logging { queue, fields: CustomFields::of(plugin, shared)? })
}

fn headers(given: BTreeMap<String, String>, content_type: Option<&str>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let line = (name.parse::<HeaderName>(), value.parse::<HeaderValue>());
        let (Ok(parsed), Ok(value)) = line else {
            return Err(format!("headers: '{name}' with this value is no header"));
        };
        headers.insert(parsed, value);
    }
    let content_type = content_type.unwrap_or("application/json");
    headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type).map_err(|error| error.to_string())?);
    Ok(headers)
}

impl Sink for HttpLog {
    async fn send(&self, batch: &[Bytes]) -> Result<(), String> {
        let body = match (self.is_list, batch) {
            (false, [one]) => one.clone(),
            (_, several) => json_list(several),
        };
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.client.endpoint.path.parse().unwrap_or_default();
        request.headers_mut().clone_from(&self.headers);
        match self.client.send(&*self.services, request).await? {
            status if status < 300 => Ok(()),
            status => Err(format!("the server answered {status}")),
        }
    }
}

#[cfg(test)]
mod tests;
