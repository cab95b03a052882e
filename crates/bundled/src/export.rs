//! Batches of spans to an HTTP server.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri};
use polygate_chain::services::Services;
use serde::Deserialize;

use crate::http_client::{Endpoint, HttpClient};
use crate::shared::Shared;

/// How long an idle connection stays open.
const KEEP: Duration = Duration::from_secs(60);

/// Members of configurations, milliseconds.
#[derive(Deserialize, Debug)]
pub struct Timeouts {
    connect_timeout: Option<u64>,
    send_timeout: Option<u64>,
    read_timeout: Option<u64>,
}

impl Timeouts {
    /// For connecting, sending and the answer together.
    fn together(&self) -> Duration {
        let times = [self.connect_timeout, self.send_timeout, self.read_timeout];
        Duration::from_millis(times.into_iter().flatten().sum())
    }
}

/// Sends each batch with the same headers.
pub struct Exporter {
    client: HttpClient,
    services: Arc<dyn Services>,
    target: Uri,
    headers: HeaderMap,
}

impl Exporter {
    pub fn new(url: &str, timeouts: &Timeouts, headers: HeaderMap, shared: &Shared) -> Result<Self, String> {
        let endpoint = Endpoint::parse(url)?;
        let query = url.parse::<Uri>().ok().and_then(|uri| uri.query().map(|query| format!("?{query}")));
        let target = format!("{}{}", endpoint.path, query.unwrap_or_default());
        Ok(Self {
            client: HttpClient::new(endpoint, timeouts.together(), KEEP),
            services: shared.services.clone(),
            target: target.parse().map_err(|_| "something is wrong in the URL of a server")?,
            headers,
        })
    }

    /// The error is for the log.
    pub async fn post(&self, body: Bytes) -> Result<(), String> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.clone();
        request.headers_mut().clone_from(&self.headers);
        match self.client.send(&*self.services, request).await? {
            200..300 => Ok(()),
            status => Err(format!("the server answered {status}")),
        }
    }
}
