//! Batches of OTLP as JSON: what of their spans is compared.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value as AnyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::{Map, Value, json};

/// One object for each span.
pub fn spans(batch: &[u8]) -> Vec<Value> {
    let batch = match ExportTraceServiceRequest::decode(batch) {
        Ok(batch) => batch,
        Err(error) => return vec![json!(format!("undecoded: {error}"))],
    };
    let of_resource = batch.resource_spans.iter().flat_map(|spans| {
        let resource = spans.resource.as_ref().map(|resource| attributes(&resource.attributes));
        spans.scope_spans.iter().flat_map(|scope| &scope.spans).map(move |it| span(it, resource.clone()))
    });
    of_resource.collect()
}

fn span(span: &Span, resource: Option<Map<String, Value>>) -> Value {
    json!({
        "name": span.name,
        "kind": span.kind,
        "trace_id": hex(&span.trace_id),
        "has_parent": !span.parent_span_id.is_empty(),
        "parent": hex(&span.parent_span_id),
        "attributes": attributes(&span.attributes),
        "resource": resource,
    })
}

fn attributes(attributes: &[KeyValue]) -> Map<String, Value> {
    let value = |attribute: &KeyValue| match attribute.value.as_ref().and_then(|it| it.value.as_ref()) {
        Some(AnyValue::StringValue(text)) => json!(text),
        Some(AnyValue::BoolValue(value)) => json!(value),
        Some(AnyValue::IntValue(number)) => json!(number),
        Some(AnyValue::DoubleValue(number)) => json!({ "double": number }),
        _ => Value::Null,
    };
    attributes.iter().map(|attribute| (attribute.key.clone(), value(attribute))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
