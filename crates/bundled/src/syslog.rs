//! Records to the system's logger (RFC 3164; bundled-plugins.md, section 7).

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use polygate_chain::services::Services;
use polygate_chain::{Exchange, Handler, Phase, Session};
use serde::Deserialize;

use crate::custom_fields::{self, CustomFields};
use crate::plugin::{self, Bundled, Hooks, Outcome};
use crate::queue::{Queue, QueueConfig, Sink};
use crate::record::{record, record_of_stream};
use crate::severity::{Severities, Severity};
use crate::shared::Shared;
use crate::timestamp::rfc3164;

pub const PLUGIN: Bundled = Bundled {
    name: "syslog",
    priority: 4,
    phases: &[Phase::Log],
    schema: include_str!("syslog/schema.json"),
    checks: &[("lua", custom_fields::check)],
    configure,
};

/// Where the system's logger listens.
const LOGGER: &str = "/dev/log";

/// By number: `<syslog.h>`.
const FACILITIES: [(&str, u8); 20] = [
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

#[derive(Deserialize)]
struct Config {
    facility: Option<String>,
    #[serde(flatten)]
    severities: Severities,
}

struct Syslog {
    severities: Severities,
    facility: u8,
    queue: Queue,
    fields: CustomFields,
}

struct Logger(Arc<dyn Services>);

fn configure(plugin: &Arc<polygate_model::Plugin>, shared: &Arc<Shared>) -> Result<Arc<dyn Handler>, String> {
    let config: Config = plugin::config(plugin)?;
    let name = config.facility.as_deref().unwrap_or("user");
    let facility = FACILITIES.iter().find(|(known, _)| *known == name);
    plugin::handler(Syslog {
        severities: config.severities,
        facility: facility.ok_or_else(|| format!("no such facility: {name}"))?.1,
        queue: Queue::start("syslog", &QueueConfig::plain(), Logger(shared.services.clone()), shared),
        fields: CustomFields::of(plugin, shared)?,
    })
}

impl Hooks for Syslog {
    async fn log(&self, exchange: &mut Exchange) -> Outcome {
        if let Some(severity) = self.severities.of(exchange) {
            self.fields.set(&mut *exchange)?;
            self.push(severity, &record(exchange));
        }
        Ok(())
    }

    async fn log_stream(&self, session: &mut Session) -> Outcome {
        if let Some(severity) = self.severities.of_stream(session) {
            self.fields.set(&mut *session)?;
            self.push(severity, &record_of_stream(session));
        }
        Ok(())
    }
}

impl Syslog {
    fn push(&self, severity: Severity, record: &[u8]) {
        let priority = self.facility * 8 + severity as u8;
        let time = rfc3164(SystemTime::now());
        let start = format!("<{priority}>{time} kong[{}]: ", std::process::id());
        self.queue.push([start.as_bytes(), record].concat());
    }
}

impl Sink for Logger {
    async fn send(&self, batch: &[Bytes]) -> Result<(), String> {
        for entry in batch {
            let sent = self.0.send_local_datagram(LOGGER, entry).await;
            sent.map_err(|error| format!("{LOGGER}: {error}"))?;
        }
        Ok(())
    }
}
