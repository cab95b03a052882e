//! An id for each request, told to the upstream and to the client (bundled-plugins.md, section 5).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use polygate_chain::pdk::headers::Change;
use polygate_chain::pdk::{log, response, service_request};
use polygate_chain::{Exchange, Handler, Phase, Value};
use serde::Deserialize;
use uuid::Uuid;

use crate::plugin::{self, Bundled, Hooks, Outcome};
use crate::shared::Shared;

pub const PLUGIN: Bundled = Bundled {
    name: "correlation-id",
    priority: 100_001,
    phases: &[Phase::Access],
    schema: include_str!("correlation_id/schema.json"),
    checks: &[],
    configure,
};

#[derive(Deserialize)]
struct Config {
    header_name: Option<String>,
    generator: Generator,
    echo_downstream: bool,
}

#[derive(Deserialize)]
enum Generator {
    #[serde(rename = "uuid")]
    Uuid,
    #[serde(rename = "uuid#counter")]
    Counter,
    #[serde(rename = "tracker")]
    Tracker,
}

struct CorrelationId {
    header: String,
    generator: Generator,
    echo: bool,
    /// What counted ids begin with.
    prefix: Uuid,
    count: AtomicU64,
}

fn configure(plugin: &Arc<polygate_model::Plugin>, _: &Arc<Shared>) -> Result<Arc<dyn Handler>, String> {
    let Config { header_name, generator, echo_downstream } = plugin::config(plugin)?;
    plugin::handler(CorrelationId {
        header: header_name.unwrap_or_default(),
        generator,
        echo: echo_downstream,
        prefix: Uuid::new_v4(),
        count: AtomicU64::new(0),
    })
}

impl Hooks for CorrelationId {
    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        if self.header.is_empty() {
            return Ok(());
        }
        let id = match self.given(exchange) {
            Some(id) => id,
            None => {
                let id = self.generate(exchange);
                service_request::set_header(exchange, Change::raw_line(&self.header, &id))?;
                id
            }
        };
        log::set_serialize_value(&mut exchange.session, "correlation_id", &Value::str(&id), None)
    }

    fn header(&self, exchange: &mut Exchange) -> Outcome {
        match self.given(exchange).filter(|_| self.echo) {
            Some(id) => response::set_header(exchange, Change::raw_line(&self.header, id)),
            None => Ok(()),
        }
    }
}

impl CorrelationId {
    /// The first that the request has.
    fn given(&self, exchange: &Exchange) -> Option<Vec<u8>> {
        let id = exchange.request.headers.get(&self.header)?;
        (!id.trim_ascii().is_empty()).then(|| id.to_vec())
    }

    fn generate(&self, exchange: &Exchange) -> Vec<u8> {
        let id = match self.generator {
            Generator::Uuid => Uuid::new_v4().to_string(),
            Generator::Counter => format!("{}#{}", self.prefix, self.count.fetch_add(1, Relaxed) + 1),
            Generator::Tracker => {
                let connection = &exchange.session.connection;
                let (ip, port) = (connection.local.ip().to_canonical(), connection.local.port());
                let (serial, requests) = (connection.serial, exchange.request.serial);
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                format!("{ip}-{port}-{}-{serial}-{requests}-{:.3}", std::process::id(), now.as_secs_f64())
            }
        };
        id.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use polygate_chain::pdk::fixture;
    use serde_json::json;

    use crate::tests::{access, handler, header};

    #[test]
    fn ids_are_counted_over_all_requests() {
        let handler = handler("correlation-id", json!({}));
        let mut ids = (0..3).map(|_| {
            let mut exchange = fixture::exchange("GET", "/", &[]);
            access(&*handler, &mut exchange);
            exchange.request.headers.text("Kong-Request-ID").unwrap().to_owned()
        });
        let first = ids.next().unwrap();
        let prefix = first.strip_suffix("#1").unwrap().to_owned();
        assert_eq!(ids.collect::<Vec<_>>(), [format!("{prefix}#2"), format!("{prefix}#3")]);
    }

    #[test]
    fn the_clients_own_is_kept_and_shown_where_that_is_wanted() {
        for echo in [true, false] {
            let handler = handler("correlation-id", json!({"header_name": "X-Id", "echo_downstream": echo}));
            let mut exchange = fixture::exchange("GET", "/", &[("x-id", "mine")]);
            access(&*handler, &mut exchange);
            header(&*handler, &mut exchange);
            assert_eq!(exchange.request.headers.text("X-Id"), Some("mine"));
            assert_eq!(exchange.response.headers.text("X-Id"), echo.then_some("mine"));
        }
    }
}
