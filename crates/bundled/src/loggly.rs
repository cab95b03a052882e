//! Records to Loggly, as messages of syslog over UDP (RFC 5424; bundled-plugins.md, section 7).

use std::sync::Arc;
use std::time::SystemTime;

use polygate_chain::pdk::node;
use polygate_chain::{Exchange, Handler, Phase, Session};
use serde::Deserialize;

use crate::custom_fields::{self, CustomFields};
use crate::plugin::{self, Bundled, Hooks, Outcome};
use crate::queue::{Queue, QueueConfig};
use crate::record::{record, record_of_stream};
use crate::severity::{Severities, Severity};
use crate::shared::Shared;
use crate::timestamp::rfc3339;
use crate::udp_log::Datagrams;

pub const PLUGIN: Bundled = Bundled {
    name: "loggly",
    priority: 6,
    phases: &[Phase::Log],
    schema: include_str!("loggly/schema.json"),
    checks: &[("lua", custom_fields::check)],
    configure,
};

/// Messages of the user level.
const FACILITY: u8 = 1;

#[derive(Deserialize)]
struct Config {
    host: Option<String>,
    port: Option<u16>,
    key: String,
    tags: Option<Vec<String>>,
    #[serde(flatten)]
    severities: Severities,
}

struct Loggly {
    severities: Severities,
    /// The structured data: the token, and the tags.
    data: String,
    queue: Queue,
    fields: CustomFields,
}

fn configure(plugin: &Arc<polygate_model::Plugin>, shared: &Arc<Shared>) -> Result<Arc<dyn Handler>, String> {
    let config: Config = plugin::config(plugin)?;
    let sink = Datagrams {
        host: config.host.unwrap_or_else(|| "logs-01.loggly.com".to_owned()),
        port: config.port.unwrap_or(514),
        services: shared.services.clone(),
    };
    let tags = config.tags.unwrap_or_default();
    let tags: String = tags.iter().map(|tag| format!(" tag=\"{tag}\"")).collect();
    plugin::handler(Loggly {
        severities: config.severities,
        data: format!("[{}@41058{tags}]", config.key),
        queue: Queue::start("loggly", &QueueConfig::plain(), sink, shared),
        fields: CustomFields::of(plugin, shared)?,
    })
}

impl Hooks for Loggly {
    async fn log(&self, exchange: &mut Exchange) -> Outcome {
        if let Some(severity) = self.severities.of(exchange) {
            self.fields.set(&mut *exchange)?;
            let record = record(exchange);
            self.queue.push(self.message(&exchange.session, severity, &record));
        }
        Ok(())
    }

    async fn log_stream(&self, session: &mut Session) -> Outcome {
        if let Some(severity) = self.severities.of_stream(session) {
            self.fields.set(&mut *session)?;
            let record = record_of_stream(session);
            self.queue.push(self.message(session, severity, &record));
        }
        Ok(())
    }
}

impl Loggly {
    fn message(&self, session: &Session, severity: Severity, record: &[u8]) -> Vec<u8> {
        let priority = FACILITY * 8 + severity as u8;
        let (time, host) = (rfc3339(SystemTime::now()), node::get_hostname(session));
        let start = format!("<{priority}>1 {time} {host} kong {} - {} ", std::process::id(), self.data);
        [start.as_bytes(), record].concat()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use polygate_chain::pdk::fixture;

    use super::*;

    #[test]
    fn messages_have_all_parts_and_low_ones_are_left_out() {
        let severities = |level| {
            Severities::deserialize(serde_json::json!({
                "log_level": level, "client_errors_severity": "warning", "server_errors_severity": "crit",
            }))
        };
        let mut exchange = fixture::routed("/");
        exchange.response.status = 404;
        assert_eq!(severities("err").unwrap().of(&exchange), None);
        let severity = severities("info").unwrap().of(&exchange).unwrap();
        let queue = Queue::start("loggly", &QueueConfig::plain(), NoSink, &crate::tests::outside());
        let loggly = Loggly {
            severities: severities("info").unwrap(),
            data: "[k@41058 tag=\"a\"]".to_owned(),
            queue,
            fields: CustomFields::default(),
        };
        let message = loggly.message(&exchange.session, severity, b"{}");
        let message = String::from_utf8(message).unwrap();
        assert!(
            message.starts_with("<12>1 20") && message.ends_with(" - [k@41058 tag=\"a\"] {}"),
            "{message}"
        );
        assert_eq!(message.split(' ').count(), 9, "{message}");
    }

    struct NoSink;

    impl crate::queue::Sink for NoSink {
        async fn send(&self, _: &[Bytes]) -> Result<(), String> {
            Ok(())
        }
    }
}
