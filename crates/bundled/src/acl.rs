//! Who is let in by groups of consumers (bundled-plugins.md, section 3).

use polygate_chain::pdk::headers::Change;
use polygate_chain::pdk::service_request;
use polygate_chain::{Exchange, Phase};
use polygate_model::CredentialKind;
use serde::Deserialize;

use crate::auth;
use crate::plugin::{Bundled, Hooks, Outcome, configure};
use crate::reply::refuse;

pub const PLUGIN: Bundled = Bundled {
    name: "acl",
    priority: 950,
    phases: &[Phase::Access],
    schema: include_str!("acl/schema.json"),
    checks: &[],
    configure: configure::<Acl>,
};

#[derive(Deserialize)]
struct Acl {
    allow: Option<Vec<String>>,
    deny: Option<Vec<String>>,
    hide_groups_header: bool,
    always_use_authenticated_groups: bool,
}

/// Groups, and the header in which the upstream is told of them.
type Groups = (&'static str, Vec<String>);

impl Hooks for Acl {
    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        let groups = match self.always_use_authenticated_groups {
            true => authenticated_groups(exchange).or_else(|| consumer_groups(exchange)),
            false => consumer_groups(exchange).or_else(|| authenticated_groups(exchange)),
        };
        let Some((header, groups)) = groups else {
            return match exchange.credential {
                Some(_) => refuse(exchange, 403, "You cannot consume this service"),
                None => refuse(exchange, 401, "Unauthorized"),
            };
        };
        let is_in = |list: &[String]| groups.iter().any(|group| list.contains(group));
        let is_denied = self.deny.as_deref().is_some_and(is_in);
        if is_denied || !self.allow.as_deref().is_none_or(is_in) {
            return refuse(exchange, 403, "You cannot consume this service");
        }
        match self.hide_groups_header {
            true => Ok(()),
            false => service_request::set_header(exchange, Change::line(header, groups.join(", "))),
        }
    }
}

fn consumer_groups(exchange: &Exchange) -> Option<Groups> {
    let consumer = exchange.known_consumer()?;
    let entries =
        exchange.session.environment.entities.credentials.of_consumer(CredentialKind::Acl, consumer.id);
    let groups = entries.iter().filter_map(|entry| entry.fields.get("group")?.as_str());
    Some(("X-Consumer-Groups", groups.map(str::to_owned).collect()))
}

/// Those that a plugin found.
fn authenticated_groups(exchange: &Exchange) -> Option<Groups> {
    Some(("X-Authenticated-Groups", auth::groups(exchange)?))
}

#[cfg(test)]
mod tests {
    use polygate_chain::Value;
    use polygate_chain::exchange::Authenticated;
    use serde_json::json;

    use crate::tests::{access, handler, with_entities};

    #[test]
    fn groups_of_consumers_and_of_plugins() {
        let entities = json!({ "consumers": [{ "username": "ann", "acls": [{ "group": "gold" }] }] });
        for (config, consumer, found, expected) in [
            (json!({"allow": ["gold"]}), true, None, (0, Some("X-Consumer-Groups"))),
            (json!({"allow": ["gold"]}), false, Some("gold"), (0, Some("X-Authenticated-Groups"))),
            (json!({"allow": ["gold"]}), true, Some("tin"), (0, Some("X-Consumer-Groups"))),
            (
                json!({"allow": ["gold"], "always_use_authenticated_groups": true}),
                true,
                Some("tin"),
                (403, None),
            ),
            (json!({"deny": ["gold"]}), true, None, (403, None)),
            (json!({"deny": ["gold"]}), false, None, (401, None)),
            (json!({"deny": ["tin"], "hide_groups_header": true}), true, None, (0, None)),
        ] {
            let mut exchange = with_entities("GET", "/", &[], entities.clone());
            let ann = exchange.session.environment.consumer_by_username("ann").cloned();
            exchange.consumer = ann.filter(|_| consumer).map(Authenticated::Known);
            if let Some(group) = found {
                let groups = Value::list([group.into()]);
                exchange.session.shared.insert("authenticated_groups".to_owned(), groups);
            }
            access(&*handler("acl", config.clone()), &mut exchange);
            let headers = ["X-Consumer-Groups", "X-Authenticated-Groups"];
            let told = headers.into_iter().find(|name| exchange.request.headers.contains(name));
            assert_eq!((exchange.response.status, told), expected, "{config} {consumer} {found:?}");
        }
    }
}
