//! Routes that cannot be served.

/// What is wrong with a route; the configuration that holds it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RouterError {
    #[error("route {route}: paths: invalid regex '{pattern}', correct it or drop the leading '~'")]
    PathRegex { route: String, pattern: String, source: Box<regex::Error> },
    #[error(
        "route {route}: headers.{header}: invalid regex '{pattern}', correct it or drop the leading '~*'"
    )]
    HeaderRegex { route: String, header: String, pattern: String, source: Box<regex::Error> },
    #[error(
        "route {route}: {field}: '{value}' is no ip address or range, write it as 10.0.0.1 or 10.0.0.0/8"
    )]
    Address { route: String, field: &'static str, value: String },
}
