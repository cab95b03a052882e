//! What kong.conf says about the HTTP data plane.

use std::sync::Arc;
use std::time::Duration;

use polygate_chain::SpoolSettings;
use polygate_http1::Limits;

use crate::client::ClientTimeouts;

#[derive(Debug, Clone)]
pub struct HttpSettings {
    pub response_tokens: Tokens,
    /// Whether `X-Kong-Request-Id` goes upstream.
    pub request_id_upstream: bool,
    /// A header's name, or `proxy_protocol`.
    pub real_ip_header: String,
    pub real_ip_recursive: bool,
    /// Bytes; 0 = no limit.
    pub client_max_body_size: u64,
    /// Bytes of a request line, and of each header line.
    pub header_line_limit: usize,
    /// Bytes of all header lines together.
    pub header_limit: usize,
    pub client_header_timeout: Duration,
    /// Between two reads of a request's body.
    pub client_body_timeout: Duration,
    /// Between two writes of a response.
    pub client_send_timeout: Duration,
    /// Requests per downstream connection.
    pub keepalive_requests: u64,
    /// Zero = one request per connection.
    pub keepalive_timeout: Duration,
    /// Where request bodies are kept that are read before they are sent on.
    pub spool: Arc<SpoolSettings>,
    pub next_upstream: NextUpstream,
    /// Idle connections per peer; 0 = no reuse.
    pub upstream_pool_size: usize,
    /// Requests per upstream connection; 0 = no limit.
    pub upstream_max_requests: u64,
    /// 0 = no limit.
    pub upstream_idle: Duration,
    pub debug_header: bool,
    /// Appended to textual responses that name no charset.
    pub charset: Option<String>,
}

impl HttpSettings {
    pub(crate) fn head_limits(&self) -> Limits {
        Limits { line: self.header_line_limit, head: self.header_limit }
    }

    pub(crate) fn client_timeouts(&self) -> ClientTimeouts {
        ClientTimeouts {
            head: self.client_header_timeout,
            body: self.client_body_timeout,
            send: self.client_send_timeout,
        }
    }
}

/// When another peer is tried, as long as the service's `retries` allow it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextUpstream {
    /// Connecting, sending or waiting for a head failed.
    pub error: bool,
    pub timeout: bool,
    /// The head is malformed.
    pub invalid_header: bool,
    /// Of responses.
    pub statuses: Vec<u16>,
    /// Also for methods that are not idempotent, when some of the request was sent.
    pub non_idempotent: bool,
}

impl Default for NextUpstream {
    fn default() -> Self {
        Self {
            error: true,
            timeout: true,
            invalid_header: false,
            statuses: Vec::new(),
            non_idempotent: false,
        }
    }
}

/// Which headers the gateway adds to responses.
#[derive(Debug, Clone, Copy)]
pub struct Tokens {
    pub server: bool,
    pub via: bool,
    pub proxy_latency: bool,
    pub upstream_latency: bool,
    pub response_latency: bool,
    pub upstream_status: bool,
    pub request_id: bool,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            server: true,
            via: true,
            proxy_latency: true,
            upstream_latency: true,
            response_latency: true,
            upstream_status: false,
            request_id: true,
        }
    }
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            response_tokens: Tokens::default(),
            request_id_upstream: true,
            real_ip_header: "X-Real-IP".into(),
            real_ip_recursive: false,
            client_max_body_size: 0,
            header_line_limit: 8 * 1024,
            header_limit: 32 * 1024,
            client_header_timeout: Duration::from_secs(60),
            client_body_timeout: Duration::from_secs(60),
            client_send_timeout: Duration::from_secs(60),
            keepalive_requests: 10_000,
            keepalive_timeout: Duration::from_secs(75),
            spool: Arc::default(),
            next_upstream: NextUpstream::default(),
            upstream_pool_size: 512,
            upstream_max_requests: 10_000,
            upstream_idle: Duration::from_secs(60),
            debug_header: false,
            charset: Some("UTF-8".into()),
        }
    }
}
