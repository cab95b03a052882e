//! What kong.conf says about the HTTP data plane.

use std::time::Duration;

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
    /// Bytes of request line and headers together.
    pub header_limit: usize,
    pub client_header_timeout: Duration,
    pub client_body_timeout: Duration,
    /// Requests per downstream connection.
    pub keepalive_requests: u64,
    pub keepalive_timeout: Duration,
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
            header_limit: 33 * 1024,
            client_header_timeout: Duration::from_secs(60),
            client_body_timeout: Duration::from_secs(60),
            keepalive_requests: 10_000,
            keepalive_timeout: Duration::from_secs(75),
            upstream_pool_size: 512,
            upstream_max_requests: 10_000,
            upstream_idle: Duration::from_secs(60),
            debug_header: false,
            charset: Some("UTF-8".into()),
        }
    }
}
