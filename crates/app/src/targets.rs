//! Keeps the addresses of balancer targets up to date: one task per target that is a name.

use std::sync::Arc;
use std::time::Duration;

use polygate_balancer::{Balancer, TargetAddress, UnresolvedTarget};
use polygate_net::dns::{DnsError, Resolver};
use polygate_telemetry::log;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// How long a new configuration waits for the names in it; what comes later is used when it comes.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);
/// Names are not asked for more often, whatever their records say.
const SHORTEST: Duration = Duration::from_secs(1);
/// After a failed query.
const RETRY: Duration = Duration::from_secs(5);

/// The tasks, which end with this value.
pub struct Targets {
    _tasks: JoinSet<()>,
}

impl Targets {
    /// Answers when all names were asked for once.
    pub async fn follow(balancers: Vec<Arc<Balancer>>, resolver: Resolver) -> Self {
        let mut tasks = JoinSet::new();
        let (first, mut pending) = mpsc::channel::<()>(1);
        for balancer in balancers {
            for target in balancer.names() {
                tasks.spawn(follow(balancer.clone(), target, resolver.clone(), first.clone()));
            }
        }
        // The channel closes when every task has let go of its end.
        drop(first);
        if timeout(FIRST_PATIENCE, pending.recv()).await.is_err() {
            log!(
                Warn,
                "some balancer targets do not resolve within {} s, going on",
                FIRST_PATIENCE.as_secs()
            );
        }
        Self { _tasks: tasks }
    }
}

async fn follow(
    balancer: Arc<Balancer>,
    target: UnresolvedTarget,
    resolver: Resolver,
    first: mpsc::Sender<()>,
) {
    let mut failure = None;
    let mut pause = refresh(&balancer, &target, &resolver, &mut failure).await;
    drop(first);
    while let Some(time) = pause {
        sleep(time).await;
        pause = refresh(&balancer, &target, &resolver, &mut failure).await;
    }
}

/// Answers when to ask again; never for names whose addresses do not change. `failure` is that of the query before: only
/// changes are logged.
async fn refresh(
    balancer: &Balancer,
    target: &UnresolvedTarget,
    resolver: &Resolver,
    failure: &mut Option<DnsError>,
) -> Option<Duration> {
    let (upstream, host) = (&balancer.upstream().name, &target.host);
    match resolver.resolve(host, target.port).await {
        Ok(addresses) => {
            if failure.take().is_some() {
                log!(Notice, "upstream '{upstream}': target {host} resolves again");
            }
            let ttl = addresses.iter().filter_map(|address| address.ttl).min();
            let addresses: Vec<_> = addresses
                .into_iter()
                .map(|it| TargetAddress { addr: it.addr, weight: it.weight, srv_target: it.srv_target })
                .collect();
            balancer.set_addresses(target.id, &addresses);
            ttl.map(|ttl| ttl.max(SHORTEST))
        }
        Err(error) => {
            // What is known stays in use when the servers cannot be asked.
            let is_kept = matches!(error, DnsError::Other(_));
            if failure.as_ref() != Some(&error) {
                let addresses = if is_kept { "it keeps the addresses it had" } else { "it has no address" };
                log!(Warn, "upstream '{upstream}': target {host} does not resolve, {addresses}: {error}");
            }
            if !is_kept {
                balancer.set_addresses(target.id, &[]);
            }
            *failure = Some(error);
            Some(RETRY)
        }
    }
}
