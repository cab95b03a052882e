//! Of whom a request is counted.

use polygate_chain::Exchange;
use polygate_chain::exchange::{Authenticated, AuthenticatedBy};
use serde::Deserialize;

#[derive(Deserialize)]
pub struct LimitBy {
    limit_by: Option<By>,
    header_name: Option<String>,
    path: Option<String>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
pub enum By {
    Consumer,
    Credential,
    Ip,
    Service,
    Header,
    Path,
}

impl LimitBy {
    /// What a request lacks is replaced by the address of the client.
    pub fn identifier(&self, exchange: &Exchange) -> String {
        let own = match self.limit_by {
            Some(By::Service) => exchange.session.service().map(|service| service.id.to_string()),
            Some(By::Header) => {
                let value = exchange.request.headers.get(self.header_name.as_deref().unwrap_or_default());
                value.map(|value| String::from_utf8_lossy(value).into_owned())
            }
            Some(By::Path) => self.path.clone().filter(|path| *path == exchange.request.path),
            by => return identifier_of(by, exchange),
        };
        own.unwrap_or_else(|| exchange.session.client_ip().into_owned())
    }
}

/// By consumer, credential or address.
pub fn identifier_of(by: Option<By>, exchange: &Exchange) -> String {
    let credential = || exchange.credential.as_ref().and_then(AuthenticatedBy::id).map(|id| id.into_owned());
    let consumer = || exchange.consumer.as_ref().and_then(Authenticated::id).map(|id| id.to_string());
    let own = match by {
        Some(By::Ip) => None,
        Some(By::Credential) => credential(),
        _ => consumer().or_else(credential),
    };
    own.unwrap_or_else(|| exchange.session.client_ip().into_owned())
}
