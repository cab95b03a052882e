//! The state of one request, owned in one place from accept to log.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Version};
use polygate_http1::Headers;
use polygate_model::{Consumer, Credential, Id};
use serde::Serialize;

use crate::{RequestBody, Session, Source, Value, forwarded};

/// A request and its response, within a session. The PDK's functions are in [`crate::pdk`].
pub struct Exchange {
    pub session: Session,
    /// The request as it stands: plugins change it in place, the gateway's own headers are added
    /// when it goes upstream.
    pub request: Request,
    /// What the client said of the way so far.
    pub arrival: Arrival,
    /// The client sent HEAD: whatever a plugin makes of the method, the response has no body.
    pub head_only: bool,
    pub request_body: RequestBody,
    /// The client asks to go on as a WebSocket (RFC 6455, section 4.1). Known from routing on: what plugins do to the
    /// headers then makes no difference, as in the reference.
    pub websocket: bool,
    /// What the upstream is told of the way so far: see [`crate::forwarded`]. `None` before routing.
    pub forwarded: Option<Headers>,
    pub consumer: Option<Authenticated>,
    /// The credential that authentication set.
    pub credential: Option<AuthenticatedBy>,
    /// The head of the response to the client; before proxying only what plugins set.
    pub response: Head,
    /// Whether the request went (or was about to go) to the upstream.
    pub proxied: bool,
    /// What the upstream sent.
    pub service_response: Option<ServiceResponse>,
    /// A plugin asked for `kong.service.request.enable_buffering`.
    pub buffering: bool,
    pub bytes_sent: u64,
    pub body_bytes_sent: u64,
}

impl Exchange {
    /// A request whose session is in the phase rewrite.
    pub fn new(session: Session, request: Request, request_body: RequestBody) -> Self {
        Self {
            session,
            arrival: Arrival::of(&request.headers),
            head_only: request.method == Method::HEAD,
            request,
            request_body,
            websocket: false,
            forwarded: None,
            consumer: None,
            credential: None,
            response: Head::default(),
            proxied: false,
            service_response: None,
            buffering: false,
            bytes_sent: 0,
            body_bytes_sent: 0,
        }
    }

    /// Whether the request, as it stands, asks for a WebSocket. A body would be its first bytes, so it has none.
    pub fn asks_for_websocket(&self) -> bool {
        let headers = &self.request.headers;
        let is_websocket = |value: &str| value.eq_ignore_ascii_case("websocket");
        self.request.version == Version::HTTP_11
            && headers.lists("Connection", "upgrade")
            && headers.text("Upgrade").is_some_and(is_websocket)
            && self.request_body.length() == Some(0)
    }

    /// The authenticated consumer, if it is one of the configuration's.
    pub fn known_consumer(&self) -> Option<&Arc<Consumer>> {
        match self.consumer.as_ref()? {
            Authenticated::Known(consumer) => Some(consumer),
            given => self.session.environment.consumer(given.id()?),
        }
    }

    /// Who made the response that goes to the client.
    pub fn source(&self) -> Source {
        match &self.session.answer {
            Some(answer) => answer.source,
            None if self.proxied => Source::Service,
            None => Source::Error,
        }
    }
}
/// The request line and headers. The `Host` line is the one home of the request's host: an absolute target's authority
/// has taken its place (RFC 9112, section 3.2.2).
#[derive(Debug)]
pub struct Request {
    pub method: Method,
    /// Path and query as received, without the authority that an absolute target has; never changes.
    pub target: Bytes,
    /// The path in the form that routes match: see the router's normalisation.
    pub path: String,
    /// Without `?`; `None` when there is no `?`.
    pub query: Option<Bytes>,
    pub version: Version,
    pub headers: Headers,
    /// Bytes received: the head, and the body as far as it was read.
    pub size: u64,
    /// How many requests the connection has carried, this one included.
    pub serial: u64,
}

/// Of the request's headers as the client sent them: plugins that run before routing may have changed those, but the
/// upstream is told the client's way and not theirs.
#[derive(Debug, Default)]
pub struct Arrival {
    pub forwarded_for: Option<Bytes>,
    pub via: Option<Bytes>,
}

impl Arrival {
    fn of(headers: &Headers) -> Self {
        let first = |name| headers.get(name).map(Bytes::copy_from_slice);
        Self { forwarded_for: first(forwarded::FOR), via: first(forwarded::VIA) }
    }
}

/// Who the client was found to be.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Authenticated {
    Known(Arc<Consumer>),
    /// As a plugin in another process gave it; it may be in no configuration.
    Given(Value),
}

impl Authenticated {
    /// `None` when a plugin gave no UUID.
    pub fn id(&self) -> Option<Id> {
        match self {
            Self::Known(consumer) => Some(consumer.id),
            Self::Given(consumer) => consumer.get("id").as_str()?.parse().ok(),
        }
    }

    /// As plugins see it.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Known(consumer) => entity(consumer),
            Self::Given(consumer) => consumer.clone(),
        }
    }
}

/// What the client showed of itself.
#[derive(Debug, Clone, PartialEq)]
pub enum AuthenticatedBy {
    Known(Arc<Credential>),
    /// As a plugin in another process gave it, or made by a plugin of this one.
    Given(Value),
}

impl AuthenticatedBy {
    pub fn id(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Known(credential) => Some(credential.id.to_string().into()),
            Self::Given(credential) => credential.get("id").as_str().map(Cow::from),
        }
    }

    /// As plugins see it.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Known(credential) => {
                let mut fields = credential.fields.clone();
                fields.insert("id".to_owned(), credential.id.to_string().into());
                fields.insert("consumer".to_owned(), serde_json::json!({ "id": credential.consumer }));
                Value::from(&serde_json::Value::Object(fields))
            }
            Self::Given(credential) => credential.clone(),
        }
    }
}

impl From<Value> for AuthenticatedBy {
    fn from(credential: Value) -> Self {
        Self::Given(credential)
    }
}

/// An entity as plugins see it: unset members are left out.
pub fn entity<T: Serialize>(entity: &T) -> Value {
    serde_json::to_value(entity).map_or(Value::Nil, |json| Value::from(&json))
}

#[derive(Debug, Default)]
pub struct Head {
    /// 0 until somebody set it.
    pub status: u16,
    pub headers: Headers,
}

#[derive(Debug)]
pub struct ServiceResponse {
    pub status: u16,
    pub headers: Headers,
    /// The whole body, when proxying is buffered.
    pub body: Option<Bytes>,
}
