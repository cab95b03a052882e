//! Batches in OTLP over HTTP, as protobuf (github.com/open-telemetry/opentelemetry-proto).

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

use super::trace::Tracing;
use crate::export::Exporter;
use crate::queue::Sink;

/// `ExportTraceServiceRequest`, and what is in it, with members that are encoded already.
#[derive(Message)]
struct Export {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Message)]
struct ResourceSpans {
    #[prost(bytes = "bytes", tag = "1")]
    resource: Bytes,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<InstrumentationScope>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    spans: Vec<Vec<u8>>,
}

/// Takes encoded spans.
pub struct Collector {
    exporter: Exporter,
    /// Encoded.
    resource: Bytes,
}

impl Collector {
    pub fn new(exporter: Exporter, resource: Resource) -> Self {
        Self { exporter, resource: resource.encode_to_vec().into() }
    }
}

impl Sink<Vec<u8>> for Collector {
    async fn send(&self, batch: &[Vec<u8>]) -> Result<(), String> {
        self.exporter.post(export(self.resource.clone(), batch.to_vec()).into()).await
    }
}

fn export(resource: Bytes, spans: Vec<Vec<u8>>) -> Vec<u8> {
    let scope = InstrumentationScope {
        name: "polygate".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..InstrumentationScope::default()
    };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans }];
    Export { resource_spans: vec![ResourceSpans { resource, scope_spans }] }.encode_to_vec()
}

/// The configuration's attributes go before our own.
pub fn resource(tracing: &Tracing, given: BTreeMap<String, String>) -> Resource {
    let own = [
        ("service.name", "kong".to_owned()),
        ("service.instance.id", tracing.node.to_string()),
        ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    let mut attributes: BTreeMap<_, _> = own.map(|(name, value)| (name.to_owned(), value)).into();
    attributes.extend(given);
    let attributes = attributes.into_iter().map(|(name, value)| attribute(&name, Value::StringValue(value)));
    Resource { attributes: attributes.collect(), ..Resource::default() }
}

pub fn headers(given: BTreeMap<String, String>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    for (name, value) in given {
        let line = (name.parse::<HeaderName>(), value.parse::<HeaderValue>());
        let (Ok(parsed), Ok(value)) = line else {
            return Err(format!("headers: '{name}' with this value is no header"));
        };
        headers.insert(parsed, value);
    }
    Ok(headers)
}

pub fn attribute(name: &str, value: Value) -> KeyValue {
    KeyValue { key: name.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::trace::v1::Span;

    use super::*;

    #[test]
    fn batches_are_what_collectors_read() {
        let span = Span { name: "kong".to_owned(), ..Span::default() };
        let given = [("service.name".to_owned(), "mine".to_owned()), ("env".to_owned(), "t".to_owned())];
        let resource = resource(&Tracing::default(), given.into());
        let batch = export(resource.encode_to_vec().into(), vec![span.encode_to_vec(), span.encode_to_vec()]);
        let read = ExportTraceServiceRequest::decode(&*batch).unwrap();
        let [spans] = &read.resource_spans[..] else { panic!("{read:?}") };
        assert_eq!(spans.resource.as_ref(), Some(&resource));
        assert_eq!(spans.scope_spans[0].spans, [span.clone(), span]);
        let names: Vec<_> = resource.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
        assert_eq!(names, ["env", "service.instance.id", "service.name", "service.version"]);
        assert_eq!(resource.attributes[2], attribute("service.name", Value::StringValue("mine".to_owned())));
    }

    #[test]
    fn headers_that_are_none_are_refused() {
        let one = |name: &str, value: &str| headers([(name.to_owned(), value.to_owned())].into());
        assert_eq!(one("X-Token", "t").unwrap()["x-token"], "t");
        assert_eq!(one("a b", "t"), Err("headers: 'a b' with this value is no header".to_owned()));
        assert!(one("a", "line\nbreak").is_err());
    }
}
