//! Who is let in by address (bundled-plugins.md, section 4).

use std::net::IpAddr;

use ipnet::IpNet;
use polygate_chain::pdk::{PdkError, log};
use polygate_chain::{Answer, Exchange, Phase, Session, Source, Value};
use serde::{Deserialize, Deserializer};

use crate::plugin::{Bundled, Hooks, Outcome, configure};
use crate::reply;

pub const PLUGIN: Bundled = Bundled {
    name: "ip-restriction",
    priority: 990,
    phases: &[Phase::Access, Phase::Preread],
    schema: include_str!("ip_restriction/schema.json"),
    checks: &[],
    configure: configure::<IpRestriction>,
};

#[derive(Deserialize)]
struct IpRestriction {
    allow: Networks,
    deny: Networks,
    status: Option<f64>,
    message: Option<String>,
}

impl Hooks for IpRestriction {
    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        let client = exchange.session.client.ip().to_canonical();
        match self.lets_in(client) {
            true => Ok(()),
            false => self.refuse(exchange, client),
        }
    }

    /// Clients of streams are told in the clear, as in the reference: there is no status that they would see.
    async fn preread(&self, session: &mut Session) -> Outcome {
        let client = session.client.ip().to_canonical();
        if !self.lets_in(client) {
            let message = self.message(client);
            log::warn(session, &[Value::from(message.as_str())]);
            session.answer = Some(Answer { source: Source::Exit, status: 403, body: message.into() });
        }
        Ok(())
    }
}

impl IpRestriction {
    fn refuse(&self, exchange: &mut Exchange, client: IpAddr) -> Outcome {
        let status = self.status.unwrap_or(403.0);
        // The schema lets any number pass, as the reference does.
        if !(100.0..=599.0).contains(&status) {
            return Err(PdkError::thrown(format!("status {status}: a response has one from 100 to 599")));
        }
        reply::refuse(exchange, status as u16, &self.message(client))
    }

    fn message(&self, client: IpAddr) -> String {
        self.message.clone().unwrap_or_else(|| format!("IP address not allowed: {client}"))
    }

    fn lets_in(&self, client: IpAddr) -> bool {
        !self.deny.contain(client) && (self.allow.0.is_empty() || self.allow.contain(client))
    }
}

struct Networks(Vec<IpNet>);

impl Networks {
    fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl<'de> Deserialize<'de> for Networks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = Option::<Vec<String>>::deserialize(deserializer)?.unwrap_or_default();
        let network = |text: &String| {
            let single = text.parse::<IpAddr>().map(IpNet::from);
            text.parse()
                .or(single)
                .map_err(|_| serde::de::Error::custom(format!("no address or range: {text}")))
        };
        texts.iter().map(network).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use polygate_chain::Phase;
    use polygate_chain::pdk::fixture;
    use serde_json::json;

    use crate::tests::{access, handler};

    #[tokio::test]
    async fn streams_are_held_against_the_same_networks() {
        for (config, told) in [
            (json!({"allow": ["203.0.113.0/24"]}), None),
            (json!({"deny": ["203.0.113.9"]}), Some("IP address not allowed: 203.0.113.9")),
            (json!({"deny": ["203.0.113.9"], "message": "no"}), Some("no")),
        ] {
            let session = &mut fixture::session(Phase::Preread);
            handler("ip-restriction", config).run(Phase::Preread, (&mut *session).into()).await.unwrap();
            let answer = session.answer.take().map(|answer| (answer.status, answer.body));
            assert_eq!(answer, told.map(|told| (403, told.into())));
        }
    }

    #[test]
    fn what_is_denied_is_not_allowed() {
        for (config, client, status) in [
            (json!({"allow": ["10.0.0.0/8"]}), "10.1.2.3", 0),
            (json!({"allow": ["10.0.0.0/8"]}), "11.1.2.3", 403),
            (json!({"allow": ["10.0.0.0/8"], "deny": ["10.1.0.0/16"]}), "10.1.2.3", 403),
            (json!({"deny": ["10.1.2.3"]}), "10.1.2.4", 0),
            (json!({"deny": ["10.1.2.3"]}), "::ffff:10.1.2.3", 403),
            (json!({"deny": ["0.0.0.0/0"]}), "::1", 0),
            (json!({"allow": ["2001:db8::/33"]}), "2001:db8:8000::1", 403),
        ] {
            let mut exchange = fixture::routed("/");
            exchange.session.client.set_ip(client.parse().unwrap());
            access(&*handler("ip-restriction", config.clone()), &mut exchange);
            assert_eq!(exchange.response.status, status, "{client} of {config}");
        }
    }
}
