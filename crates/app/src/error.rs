//! Why the gateway does not start, or does not take a new configuration.

use std::io;
use std::path::PathBuf;

use polygate_config::conf::ConfError;
use polygate_net::dns::SetupError;
use polygate_router::RouterError;
use polygate_telemetry::trace::TracerError;
use polygate_tls::CertificateError;

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not open the log file {}: {cause}", path.display())]
    Log { path: PathBuf, cause: io::Error },
    #[error("could not listen on {address}: {cause}")]
    Listen { address: String, cause: io::Error },
    /// Threads, signals and the like, which only a system without resources refuses.
    #[error("could not set up {what}: {cause}")]
    System { what: &'static str, cause: io::Error },
    #[error("traces cannot go to '{url}'; name a collector by a URL such as http://127.0.0.1:4318/v1/traces")]
    TracingEndpoint { url: String },
    #[error(transparent)]
    Tracing(#[from] TracerError),
    #[error(transparent)]
    Dns(#[from] SetupError),
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// Why a configuration cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("{}", lines(.0))]
    Settings(Vec<ConfError>),
    #[error("error loading plugin schemas: {0}")]
    Plugins(String),
    #[error("plugin server {server}: {why}")]
    PluginServer { server: String, why: String },
    #[error("{property}: could not read {}: {cause}; name a file that the gateway may read", path.display())]
    Unreadable { property: &'static str, path: PathBuf, cause: io::Error },
    #[error("{property}: {why}")]
    Certificate { property: &'static str, why: CertificateError },
    #[error("could not write {}: {cause}; the gateway keeps the certificate there that it makes when ssl_cert names none", path.display())]
    Unwritable { path: PathBuf, cause: io::Error },
    #[error("error parsing declarative config {origin}:\n{why}")]
    Declarative { origin: String, why: String },
    #[error(transparent)]
    Router(#[from] RouterError),
}

fn lines(errors: &[ConfError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
