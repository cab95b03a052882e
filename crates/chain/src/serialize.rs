//! The log record: what `kong.log.serialize` answers and what log plugins send away.
//!
//! Field names and units are Kong's, so that dashboards and parsers built on them go on working.

use bytes::Bytes;
use polygate_model::entities::DEFAULT_WORKSPACE;
use polygate_telemetry::log;
use serde_json::{Map, Value as Json, json};

use crate::pdk::{headers, query, request};
use crate::session::{LogEdit, LogEditMode, Stream, Tls, Transport, Try};
use crate::{Exchange, Phase, Session, Source, forwarded};

const REDACTED: [&str; 2] = ["authorization", "proxy-authorization"];

/// The record of the request as it stands, with the plugins' edits applied.
pub fn record(exchange: &Exchange) -> Json {
    let session = &exchange.session;
    let mut record = http_record(exchange);
    add_tries(session, &mut record);
    if let Some(credential) = &exchange.credential {
        let credential = credential.to_value();
        let members = ["id", "consumer_id"].map(|name| (name.to_owned(), credential.get(name).to_json()));
        let members = members.into_iter().filter(|(_, value)| !value.is_null()).collect();
        record.insert("authenticated_entity".to_owned(), members);
    }
    add_route(session, &mut record);
    if let Some(consumer) = &exchange.consumer {
        record.insert("consumer".to_owned(), consumer.to_value().to_json());
    }
    add_common(session, &mut record);
    edited(record, &session.log_edits)
}

/// [`record`] of a stream.
pub fn record_of_session(session: &Session) -> Json {
    let mut record = stream_record(session);
    add_tries(session, &mut record);
    add_route(session, &mut record);
    add_common(session, &mut record);
    edited(record, &session.log_edits)
}

fn edited(mut record: Map<String, Json>, edits: &[LogEdit]) -> Json {
    for edit in edits {
        apply(&mut record, edit);
    }
    Json::Object(record)
}

/// One status per try, as `502, 200`; empty if nothing was tried.
pub(crate) fn upstream_status(exchange: &Exchange) -> String {
    let failed = exchange.session.tries.iter().filter_map(|attempt| Some(attempt.failure?.1));
    let answered = exchange.service_response.as_ref().map(|response| response.status);
    failed.chain(answered).map(|status| status.to_string()).collect::<Vec<_>>().join(", ")
}

/// Path and query as sent upstream, or as they were to be sent; empty before routing. The query is added when the access
/// phase has ended, as in the reference.
pub(crate) fn upstream_uri(exchange: &Exchange) -> Bytes {
    let query = exchange.request.query.as_ref().filter(|_| exchange.session.phase > Phase::Access);
    match (&exchange.session.upstream.sent, &exchange.session.upstream.path, query) {
        (Some(sent), ..) => sent.uri.clone(),
        (None, Some(path), Some(query)) => [path.as_bytes(), b"?", query].concat().into(),
        (None, Some(path), None) => path.clone().into(),
        (None, None, _) => Bytes::new(),
    }
}

/// What was found about the client's certificate, unless a plugin said otherwise. The gateway asks for one when a plugin
/// wants it, and leaves it to plugins whom to believe; the text is the reference's then.
pub(crate) fn client_verify<'a>(session: &'a Session, tls: &Tls) -> &'a str {
    let found =
        if tls.client_chain.is_some() { "FAILED:unable to verify the first certificate" } else { "NONE" };
    session.client_verify.as_deref().unwrap_or(found)
}

/// The first certificate of a chain in PEM.
pub(crate) fn leaf_certificate(chain: &str) -> Option<&str> {
    const END: &str = "-----END CERTIFICATE-----\n";
    chain.find(END).map(|at| &chain[..at + END.len()])
}

fn http_record(exchange: &Exchange) -> Map<String, Json> {
    let buffered = exchange.service_response.as_ref().filter(|response| response.body.is_some());
    let upstream_status = match buffered {
        Some(response) => json!(response.status),
        None => json!(upstream_status(exchange)),
    };
    let limit = exchange.session.environment.limits.response_headers;
    object(json!({
        "request": request_record(exchange),
        "upstream_uri": String::from_utf8_lossy(&upstream_uri(exchange)),
        "upstream_status": upstream_status,
        "response": {
            "status": exchange.response.status,
            "headers": headers::all(&exchange.response.headers, limit).to_json(),
            "size": exchange.bytes_sent,
        },
        "latencies": latencies(exchange),
        "source": if exchange.source() == Source::Service { "upstream" } else { "kong" },
    }))
}

fn request_record(exchange: &Exchange) -> Json {
    let (request, limits) = (&exchange.request, &exchange.session.environment.limits);
    let mut fields = headers::all(&request.headers, limits.request_headers).to_json();
    for name in REDACTED {
        if let Some(value) = fields.get_mut(name) {
            *value = json!("REDACTED");
        }
    }
    let (host, port) = (forwarded::host_name(exchange), forwarded::outside_port(exchange));
    let target = String::from_utf8_lossy(&request.target);
    let url = format!("{}://{host}:{port}{target}", exchange.session.scheme());
    let mut record = json!({
        "id": exchange.session.id,
        "method": request.method.as_str(),
        "uri": target,
        "url": url,
        "querystring": query::to_table(request::get_raw_query(exchange), limits.uri_args).to_json(),
        "headers": fields,
        "size": request.size,
    });
    if let Some(tls) = &exchange.session.connection.tls {
        record["tls"] = tls_record(&exchange.session, tls);
    }
    record
}

fn tls_record(session: &Session, tls: &Tls) -> Json {
    json!({"version": tls.version, "cipher": tls.cipher, "client_verify": client_verify(session, tls)})
}

/// Milliseconds. `kong` is the time until the upstream was chosen, or all of it when none was.
fn latencies(exchange: &Exchange) -> Json {
    let timings = &exchange.session.timings;
    let total = timings.total();
    json!({
        "kong": timings.until_proxied().unwrap_or(total).as_millis() as i64,
        "proxy": timings.upstream.duration().map_or(-1, |waiting| waiting.as_millis() as i64),
        "request": total.as_millis() as i64,
        "receive": timings.receive.duration().unwrap_or_default().as_millis() as i64,
    })
}

fn stream_record(session: &Session) -> Map<String, Json> {
    let stream = session.stream.clone().unwrap_or(Stream::new(Transport::Tcp));
    let mut own = json!({
        "received": stream.received,
        "sent": stream.sent,
        "status": stream.status,
        "server_port": session.environment.outside_port(session.connection.local.port()),
    });
    if let Some(tls) = &session.connection.tls {
        own["tls"] = tls_record(session, tls);
    }
    let total = session.timings.total();
    object(json!({
        "session": own,
        "upstream": {"received": stream.upstream_received, "sent": stream.upstream_sent},
        "latencies": {
            "kong": session.timings.until_proxied().unwrap_or(total).as_millis() as i64,
            "session": total.as_millis() as i64,
        },
    }))
}

/// Without a route there was nothing to try.
fn add_tries(session: &Session, record: &mut Map<String, Json>) {
    if session.matched.is_some() {
        record.insert("tries".to_owned(), session.tries.iter().map(try_record).collect());
    }
}

fn add_route(session: &Session, record: &mut Map<String, Json>) {
    if let Some(route) = session.route() {
        record.insert("route".to_owned(), json!(route));
    }
    if let Some(service) = session.service() {
        record.insert("service".to_owned(), json!(service));
    }
}

fn add_common(session: &Session, record: &mut Map<String, Json>) {
    let mut add = |name: &str, value: Json| drop(record.insert(name.to_owned(), value));
    add("client_ip", json!(session.client.ip().to_canonical()));
    add("started_at", json!(session.timings.unix_ms(session.timings.start)));
    add("workspace", json!(DEFAULT_WORKSPACE));
    add("workspace_name", json!("default"));
}

fn try_record(attempt: &Try) -> Json {
    let mut record = json!({
        "balancer_start": attempt.balancer_start_ns / 1_000_000,
        "balancer_start_ns": attempt.balancer_start_ns,
        "balancer_latency": attempt.balancer_latency_ns / 1_000_000,
        "balancer_latency_ns": attempt.balancer_latency_ns,
        "ip": attempt.address.ip(),
        "port": attempt.address.port(),
    });
    if let Some((state, code)) = attempt.failure {
        record["state"] = json!(state);
        record["code"] = json!(code);
    }
    record
}

/// An edit whose path leads through something that is no object is left out, with a line in the log.
fn apply(record: &mut Map<String, Json>, edit: &LogEdit) {
    if try_apply(record, edit).is_none() {
        log!(Warn, "[kong] no object on the way to the log value '{}': not set", edit.key);
    }
}

fn try_apply(record: &mut Map<String, Json>, edit: &LogEdit) -> Option<()> {
    let mut names = split_key(&edit.key);
    let last = names.pop()?;
    let creates = !edit.value.is_nil() && edit.mode != LogEditMode::Replace;
    let mut object = record;
    for name in names {
        if !creates && !object.contains_key(&name) {
            return Some(());
        }
        object = object.entry(name).or_insert_with(|| json!({})).as_object_mut()?;
    }
    let is_wanted = match edit.mode {
        LogEditMode::Set => true,
        LogEditMode::Add => !object.contains_key(&last),
        LogEditMode::Replace => object.contains_key(&last),
    };
    if is_wanted && edit.value.is_nil() {
        object.shift_remove(&last);
    } else if is_wanted {
        object.insert(last, edit.value.to_json());
    }
    Some(())
}

/// The names between the dots; `\.` is a dot that belongs to a name.
fn split_key(key: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut letters = key.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '.' => names.push(String::new()),
            '\\' if letters.next_if_eq(&'.').is_some() => names.last_mut().expect("never empty").push('.'),
            _ => names.last_mut().expect("never empty").push(letter),
        }
    }
    names
}

fn object(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(members) => members,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests;
