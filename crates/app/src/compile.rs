//! Settings, plugins and entities to what workers serve requests with: pure, and so on any thread.

use std::collections::HashMap;
use std::sync::Arc;

use polygate_balancer::Balancer;
use polygate_chain::{Environment, Plan};
use polygate_entities::EntitySet;
use polygate_http::Gateway;
use polygate_model::{Entities, Id, Target, Upstream};
use polygate_router::{Router, RouterError, ServedRoute, StreamRouter};
use polygate_tls::{Alpn, CertificateError, CertifiedKey, Names, Server, UpstreamDefaults, UpstreamTls};

use crate::servers::Servers;
use crate::{secrets, translate};

/// What comes of it.
pub struct Compiled {
    pub gateway: Gateway,
    pub streams: polygate_stream::Gateway,
    /// What of the entities cannot be used, one line each.
    pub problems: Vec<String>,
}

/// Asks no plugin server anything: what they announced is in `servers`.
pub fn compile(servers: &Servers, entities: &EntitySet) -> Result<Compiled, RouterError> {
    let settings = &servers.settings;
    let mut entities = entities.entities().clone();
    let (vaults, mut problems) = secrets::from_environment(&mut entities, settings, &servers.enabled.schemas);
    let entities = Arc::new(entities);
    let mut environment = Environment::new(entities.clone(), servers.node.clone());
    environment.trusted_ips = translate::trusted_ips(settings);
    environment.limits = translate::limits(settings);
    environment.port_maps = settings.port_maps.iter().map(|(inside, outside)| (*inside, *outside)).collect();
    environment.error_pages = servers.error_pages.clone();
    environment.vaults = vaults;

    let (names, upstream_tls, unusable) =
        certificates(&entities, servers.certificates.clone(), servers.upstream_tls.clone());
    problems.extend(unusable);
    let (environment, upstream_tls) = (Arc::new(environment), Arc::new(upstream_tls));
    let balancers = Arc::new(balancers(&entities, servers.seed));
    let configurations: Vec<_> = entities.plugins.values().cloned().collect();
    let routes = routes(&entities);
    let http2 = translate::http2(&settings.proxy_listen);
    let streams = polygate_stream::Gateway {
        plan: Plan::of_streams(&servers.plugins, &configurations),
        balancers: balancers.clone(),
        router: StreamRouter::build(&routes)?,
        server_tls: Server::new(names.clone(), &translate::tls(settings, Alpn::None)),
        upstream_tls: upstream_tls.clone(),
        environment: environment.clone(),
        settings: translate::streams(settings),
    };
    let gateway = Gateway {
        plan: Plan::new(&servers.plugins, &configurations),
        balancers,
        router: Router::build(&routes)?,
        server_tls: Server::new(names, &translate::tls(settings, Alpn::http(http2))),
        upstream_tls,
        environment,
        settings: translate::http(settings),
    };
    Ok(Compiled { gateway, streams, problems })
}

/// What clients are shown and how services are reached; also a line for each certificate that cannot be used.
pub fn certificates(
    entities: &Entities,
    default: Vec<Arc<CertifiedKey>>,
    defaults: UpstreamDefaults,
) -> (Arc<Names>, UpstreamTls, Vec<String>) {
    let (names, unshown) = Names::new(entities, default);
    let (upstream_tls, unusable) = UpstreamTls::new(entities, defaults);
    let told = |(id, why): (Id, CertificateError), so: &str| {
        let snis = entities.snis.values().filter(|sni| sni.certificate.id == id);
        let mut names: Vec<_> = snis.map(|sni| sni.name.as_str()).collect();
        names.sort_unstable();
        let of = if names.is_empty() { String::new() } else { format!(" of {}", names.join(", ")) };
        format!(
            "the certificate {id}{of} cannot be used: {why}; {so}; give it a certificate and its key as PEM"
        )
    };
    let unshown = unshown.into_iter().map(|it| told(it, "clients are shown another one for its names"));
    let unusable = unusable.into_iter().map(|it| told(it, "requests of services that need it fail"));
    (Arc::new(names), upstream_tls, unshown.chain(unusable).collect())
}

/// Whether the routes can be matched.
pub fn check_routes(entities: &Entities) -> Result<(), RouterError> {
    let routes = routes(entities);
    Router::build(&routes)?;
    StreamRouter::build(&routes)?;
    Ok(())
}

/// Routes with their services; those of a service that is switched off do not match.
fn routes(entities: &Entities) -> Vec<ServedRoute> {
    let routes = entities.routes.values().map(|route| {
        let service = route.service.and_then(|reference| entities.services.get(&reference.id));
        (route.clone(), service.cloned())
    });
    routes.filter(|(_, service)| service.as_ref().is_none_or(|service| service.enabled)).collect()
}

/// By the name of the upstream.
pub fn balancers(entities: &Entities, seed: u64) -> HashMap<String, Arc<Balancer>> {
    let mut targets: HashMap<_, Vec<Arc<Target>>> = HashMap::new();
    for target in entities.targets.values() {
        targets.entry(target.upstream.id).or_default().push(target.clone());
    }
    let balancer = |upstream: &Arc<Upstream>| {
        let targets = targets.get(&upstream.id).map(Vec::as_slice).unwrap_or_default();
        let (own, _) = upstream.id.as_u64_pair();
        (upstream.name.clone(), Arc::new(Balancer::new(upstream.clone(), targets, seed ^ own)))
    };
    entities.upstreams.values().map(balancer).collect()
}

#[cfg(test)]
mod tests {
    use polygate_tls::generate;
    use serde_json::json;

    use super::*;
    use crate::plugins::Enabled;

    #[test]
    fn a_certificate_that_cannot_be_used_is_told_with_its_names_and_the_remedy() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        let of = |key: &str| {
            let snis = [json!({ "name": "b.test" }), json!({ "name": "a.test" })];
            let certificate = json!({ "cert": one.certificate, "key": key, "snis": snis });
            let text = json!({ "_format_version": "3.0", "certificates": [certificate] }).to_string();
            let set = crate::declarative::from_text(&text, &Enabled::default()).unwrap();
            certificates(set.entities(), Vec::new(), UpstreamDefaults::default()).2
        };
        assert_eq!(of(&one.key), [""; 0]);
        let told = of(&other.key).join("\n");
        assert!(told.starts_with("the certificate "), "{told}");
        assert!(
            told.ends_with(
                " of a.test, b.test cannot be used: certificate and key do not belong together; clients are shown another \
                 one for its names; give it a certificate and its key as PEM"
            ),
            "{told}"
        );
    }
}
