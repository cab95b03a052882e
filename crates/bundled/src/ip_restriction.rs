//! Who is let in by address (bundled-plugins.md, section 4).

use std::net::IpAddr;

use ipnet::IpNet;
use polygate_chain::pdk::PdkError;
use polygate_chain::{Exchange, Phase};
use serde::{Deserialize, Deserializer};

use crate::plugin::{Bundled, Hooks, Outcome, configure};
use crate::reply;

pub const PLUGIN: Bundled = Bundled {
    name: "ip-restriction",
    priority: 990,
    phases: &[Phase::Access],
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
        let is_allowed =
            !self.deny.contain(client) && (self.allow.0.is_empty() || self.allow.contain(client));
        match is_allowed {
            true => Ok(()),
            false => self.refuse(exchange, client),
        }
    }
}

impl IpRestriction {
    fn refuse(&self, exchange: &mut Exchange, client: IpAddr) -> Outcome {
        let status = self.status.unwrap_or(403.0);
        // The schema lets any number pass, as the reference does.
        if !(100.0..=599.0).contains(&status) {
            return Err(PdkError::thrown(format!("status {status}: a response has one from 100 to 599")));
        }
        let told = || format!("IP address not allowed: {client}");
        reply::refuse(exchange, status as u16, &self.message.clone().unwrap_or_else(told))
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
    use polygate_chain::pdk::fixture;
    use serde_json::json;

    use crate::tests::{access, handler};

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
