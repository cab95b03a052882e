//! How large bodies may be (bundled-plugins.md, section 4).

use polygate_chain::{Exchange, Phase};
use serde::Deserialize;

use crate::plugin::{Bundled, Hooks, Outcome, configure};
use crate::reply;

pub const PLUGIN: Bundled = Bundled {
    name: "request-size-limiting",
    priority: 951,
    phases: &[Phase::Access],
    schema: include_str!("request_size_limiting/schema.json"),
    checks: &[],
    configure: configure::<RequestSizeLimiting>,
};

#[derive(Deserialize)]
struct RequestSizeLimiting {
    allowed_payload_size: Option<i64>,
    size_unit: Unit,
    require_content_length: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Unit {
    Bytes,
    Kilobytes,
    Megabytes,
}

impl Hooks for RequestSizeLimiting {
    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        let headers = &exchange.request.headers;
        let is_chunked = headers.contains("Transfer-Encoding");
        if self.require_content_length && !is_chunked && !headers.contains("Content-Length") {
            return reply::refuse(exchange, 411, "A valid Content-Length header is required");
        }
        if exchange.request_body.length().is_none() {
            // Whether it broke off is found out by whoever reads it next.
            let _ = exchange.request_body.read().await;
        }
        match exchange.request_body.length().is_some_and(|length| length > self.limit()) {
            true => self.refuse(exchange),
            false => Ok(()),
        }
    }
}

impl RequestSizeLimiting {
    /// Bytes.
    fn limit(&self) -> u64 {
        let unit = match self.size_unit {
            Unit::Bytes => 1,
            Unit::Kilobytes => 1 << 10,
            Unit::Megabytes => 1 << 20,
        };
        let units = self.allowed_payload_size.unwrap_or_default();
        u64::try_from(units).unwrap_or_default().saturating_mul(unit)
    }

    fn refuse(&self, exchange: &mut Exchange) -> Outcome {
        let waits =
            exchange.request.headers.text("Expect").is_some_and(|it| it.eq_ignore_ascii_case("100-continue"));
        reply::refuse(exchange, if waits { 417 } else { 413 }, "Request size limit exceeded")
    }
}

#[cfg(test)]
mod tests {
    use polygate_chain::RequestBody;
    use polygate_chain::pdk::fixture;
    use serde_json::json;

    use crate::tests::{access, handler};

    #[test]
    fn what_comes_in_chunks_is_measured() {
        for (unit, size, piece, status) in [
            ("bytes", 3, "abc", 0),
            ("bytes", 2, "abc", 413),
            ("kilobytes", 1, "abc", 0),
            ("bytes", -1, "a", 413),
        ] {
            let config = json!({"allowed_payload_size": size, "size_unit": unit});
            let mut exchange = fixture::exchange("POST", "/", &[("transfer-encoding", "chunked")]);
            exchange.request_body = fixture::upload(piece, Ok(()));
            access(&*handler("request-size-limiting", config.clone()), &mut exchange);
            assert_eq!(exchange.response.status, status, "{config}");
        }
    }

    #[test]
    fn what_has_a_length_is_not_read() {
        let config = json!({"allowed_payload_size": 2, "size_unit": "bytes", "require_content_length": true});
        for (fields, body, status) in [
            (&[("content-length", "2")][..], "ab", 0),
            (&[("content-length", "3")], "abc", 413),
            (&[("content-length", "3"), ("expect", "100-continue")], "abc", 417),
            (&[], "", 411),
        ] {
            let mut exchange = fixture::exchange("POST", "/", fields);
            exchange.request_body = RequestBody::new(body);
            access(&*handler("request-size-limiting", config.clone()), &mut exchange);
            assert_eq!(exchange.response.status, status, "{fields:?}");
        }
    }
}
