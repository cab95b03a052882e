//! What the reference has: the plugins that come with it.

/// Those that come with polygate, too.
pub const BUILT: &[&str] = &[
    "acl",
    "basic-auth",
    "bot-detection",
    "correlation-id",
    "cors",
    "datadog",
    "file-log",
    "grpc-web",
    "hmac-auth",
    "http-log",
    "ip-restriction",
    "jwt",
    "key-auth",
    "ldap-auth",
    "loggly",
    "oauth2",
    "opentelemetry",
    "post-function",
    "pre-function",
    "prometheus",
    "proxy-cache",
    "rate-limiting",
    "redirect",
    "request-size-limiting",
    "request-termination",
    "request-transformer",
    "response-ratelimiting",
    "response-transformer",
    "session",
    "statsd",
    "syslog",
    "tcp-log",
    "udp-log",
    "zipkin",
];

/// Those that do not yet.
const MISSING: &[&str] = &[
    "acme",
    "ai-prompt-decorator",
    "ai-prompt-guard",
    "ai-prompt-template",
    "ai-proxy",
    "ai-request-transformer",
    "ai-response-transformer",
    "aws-lambda",
    "azure-functions",
    "grpc-gateway",
    "standard-webhooks",
];

/// Why there is no plugin of this name, where the reference has one. Plugin servers may bring another one under the same
/// name.
pub fn missing(name: &str) -> Option<String> {
    MISSING.contains(&name).then(|| format!("is not in polygate yet; there are {}", BUILT.join(", ")))
}
