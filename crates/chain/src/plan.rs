//! Which plugin configurations run for a request, and in which order.
//!
//! One order for all plugins, built in or not: priority descending, then name descending. A plugin
//! runs at most once per request, with the most specific configuration whose scope matches.

mod span;

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use polygate_model::{Id, Plugin as Configuration, Protocol};

use crate::exchange::Authenticated;
use crate::pdk::Context;
use crate::{BodyFilter, Exchange, Failure, Handler, Phase, Phases, Plugin, Session};

/// Every enabled plugin with its configurations: part of one loaded configuration.
#[derive(Default)]
pub struct Plan {
    entries: Vec<Entry>,
}

struct Entry {
    /// A bit per rank of [`Scope::RANKS`] that some configuration has: most look-ups end here.
    ranks: u8,
    /// What is looked up are ids of the configuration, which no client chooses: hashing may be quick.
    configured: HashMap<Scope, Configured, RandomState>,
}

/// A configuration with its handler.
#[derive(Clone)]
pub struct Configured {
    pub configuration: Arc<Configuration>,
    phases: Phases,
    handler: Arc<dyn Handler>,
}

/// The configurations chosen for one request, in order.
#[derive(Clone, Default)]
pub struct Collected(Vec<Configured>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Scope {
    route: Option<Id>,
    service: Option<Id>,
    consumer: Option<Id>,
}

impl Plan {
    /// For requests. `plugins` are the enabled ones; configurations that are switched off, that are not for the protocols
    /// of requests, or whose plugin is not among `plugins`, are left out.
    pub fn new(plugins: &[Arc<dyn Plugin>], configurations: &[Arc<Configuration>]) -> Self {
        Self::of(plugins, configurations, Protocol::is_http)
    }

    /// The same for streams.
    pub fn of_streams(plugins: &[Arc<dyn Plugin>], configurations: &[Arc<Configuration>]) -> Self {
        Self::of(plugins, configurations, |protocol| !protocol.is_http())
    }

    fn of(
        plugins: &[Arc<dyn Plugin>],
        configurations: &[Arc<Configuration>],
        is_ours: fn(Protocol) -> bool,
    ) -> Self {
        let is_ours = |it: &&Arc<Configuration>| it.enabled && it.protocols.iter().copied().any(is_ours);
        let configurations: Vec<_> = configurations.iter().filter(is_ours).collect();
        let mut plugins: Vec<_> = plugins.iter().collect();
        plugins.sort_by(|a, b| b.priority().cmp(&a.priority()).then_with(|| b.name().cmp(a.name())));
        let entries =
            plugins.into_iter().filter_map(|plugin| Entry::new(&**plugin, &configurations)).collect();
        Self { entries }
    }

    /// Whether anybody takes part in handshakes.
    pub fn wants_certificate(&self) -> bool {
        self.globals().any(|configured| configured.phases.contains(Phase::Certificate))
    }

    /// Runs the global configurations' handlers of `certificate`. Stops at the first failure.
    pub async fn certificate(&self, session: &mut Session) -> Result<(), Failure> {
        session.phase = Phase::Certificate;
        for configured in self.globals() {
            configured.run(Phase::Certificate, &mut *session).await?;
        }
        Ok(())
    }

    /// Runs the global configurations' handlers of `rewrite`. Stops at the first answer.
    pub async fn rewrite(&self, exchange: &mut Exchange) -> Result<(), Failure> {
        exchange.session.phase = Phase::Rewrite;
        for configured in self.globals() {
            configured.run(Phase::Rewrite, &mut *exchange).await?;
            if exchange.session.answer.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Chooses the configurations for the request and runs their `access` handlers. After an answer
    /// or a failure no further handler runs, but the rest is still chosen: their `log` must run.
    pub async fn access(&self, exchange: &mut Exchange) -> (Collected, Result<(), Failure>) {
        exchange.session.phase = Phase::Access;
        let mut collected = Vec::new();
        let mut outcome = Ok(());
        for entry in &self.entries {
            let consumer = exchange.consumer.as_ref().and_then(Authenticated::id);
            let Some(configured) = entry.choose(&exchange.session, consumer) else { continue };
            if outcome.is_ok() && exchange.session.answer.is_none() {
                outcome = configured.run(Phase::Access, &mut *exchange).await;
            }
            collected.push(configured.clone());
        }
        (Collected(collected), outcome)
    }

    /// [`Plan::access`] of a stream: chooses its configurations and runs their `preread` handlers.
    pub async fn preread(&self, session: &mut Session) -> (Collected, Result<(), Failure>) {
        session.phase = Phase::Preread;
        let mut collected = Vec::new();
        let mut outcome = Ok(());
        for entry in &self.entries {
            let Some(configured) = entry.choose(session, None) else { continue };
            if outcome.is_ok() && session.answer.is_none() {
                outcome = configured.run(Phase::Preread, &mut *session).await;
            }
            collected.push(configured.clone());
        }
        (Collected(collected), outcome)
    }

    /// What takes part when a request or a stream ended before any choice was made.
    pub fn collect_globals(&self) -> Collected {
        Collected(self.globals().cloned().collect())
    }

    fn globals(&self) -> impl Iterator<Item = &Configured> {
        let has_global = |entry: &&Entry| entry.ranks & Scope::GLOBAL != 0;
        self.entries.iter().filter(has_global).filter_map(|entry| entry.configured.get(&Scope::default()))
    }
}

impl Collected {
    /// Whether the upstream's response must be held back for somebody.
    pub fn wants_response(&self) -> bool {
        self.0.iter().any(|configured| configured.phases.contains(Phase::Response))
    }

    pub fn wants_log(&self) -> bool {
        self.0.iter().any(|configured| configured.phases.contains(Phase::Log))
    }

    /// Runs the `response` handlers. Stops at the first answer.
    pub async fn response(&self, exchange: &mut Exchange) -> Result<(), Failure> {
        exchange.session.phase = Phase::Response;
        for configured in &self.0 {
            configured.run(Phase::Response, &mut *exchange).await?;
            if exchange.session.answer.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Lets all change the head of the response. Stops at the first answer or failure.
    pub fn header(&self, exchange: &mut Exchange) -> Result<(), Failure> {
        exchange.session.phase = Phase::Response;
        for configured in &self.0 {
            exchange.session.plugin = Some(configured.configuration.clone());
            let outcome = configured.handler.header(exchange);
            exchange.session.plugin = None;
            outcome?;
            if exchange.session.answer.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// What the body of the response passes through, the first first.
    pub fn body(&self, exchange: &mut Exchange) -> Vec<Box<dyn BodyFilter>> {
        self.0.iter().filter_map(|configured| configured.handler.body(exchange)).collect()
    }

    /// Runs all `log` handlers; a failure is logged and stops nobody.
    pub async fn log(&self, context: impl Into<Context<'_>>) {
        let mut context = context.into();
        context.reborrow().session().phase = Phase::Log;
        for configured in &self.0 {
            if let Err(failure) = configured.run(Phase::Log, context.reborrow()).await {
                failure.log(&context.reborrow().session().id);
            }
        }
    }
}

impl Configured {
    async fn run(&self, phase: Phase, context: impl Into<Context<'_>>) -> Result<(), Failure> {
        if !self.phases.contains(phase) {
            return Ok(());
        }
        let mut context = context.into();
        context.reborrow().session().plugin = Some(self.configuration.clone());
        if let Context::Exchange(exchange) = &mut context {
            span::begin(&self.configuration, phase, exchange);
        }
        let outcome = self.handler.run(phase, context.reborrow()).await;
        if let Context::Exchange(exchange) = &mut context {
            span::end(&outcome, exchange);
        }
        context.session().plugin = None;
        outcome
    }
}

impl Entry {
    fn new(plugin: &dyn Plugin, configurations: &[&Arc<Configuration>]) -> Option<Self> {
        let phases = plugin.phases();
        let mut configured = HashMap::default();
        for &configuration in configurations.iter().filter(|it| it.name == plugin.name()) {
            let handler = plugin.configure(configuration);
            let it = Configured { configuration: configuration.clone(), phases, handler };
            configured.insert(Scope::of(configuration), it);
        }
        let ranks = configured.keys().fold(0, |bits, scope| bits | 1 << scope.rank());
        (!configured.is_empty()).then_some(Self { ranks, configured })
    }

    fn choose(&self, session: &Session, consumer: Option<Id>) -> Option<&Configured> {
        let request = Scope {
            route: session.route().map(|route| route.id),
            service: session.service().map(|service| service.id),
            consumer,
        };
        let ranks = Scope::RANKS.iter().enumerate().filter(|(rank, _)| self.ranks & (1 << rank) != 0);
        ranks.filter_map(|(_, fields)| request.only(fields)).find_map(|scope| self.configured.get(&scope))
    }
}

impl Scope {
    /// Which of route, service and consumer a configuration names; the most specific first.
    const RANKS: [[bool; 3]; 8] = [
        [true, true, true],
        [true, false, true],
        [false, true, true],
        [true, true, false],
        [false, false, true],
        [true, false, false],
        [false, true, false],
        [false, false, false],
    ];
    /// The bit of the last one.
    const GLOBAL: u8 = 1 << (Self::RANKS.len() - 1);

    fn of(configuration: &Configuration) -> Self {
        let id = |reference: Option<polygate_model::Reference>| reference.map(|it| it.id);
        Self {
            route: id(configuration.route),
            service: id(configuration.service),
            consumer: id(configuration.consumer),
        }
    }

    fn rank(&self) -> usize {
        let fields = [self.route.is_some(), self.service.is_some(), self.consumer.is_some()];
        Self::RANKS.iter().position(|rank| *rank == fields).expect("the ranks list all combinations")
    }

    /// The same ids, cut down to `fields`; `None` when the request lacks one of them.
    fn only(&self, fields: &[bool; 3]) -> Option<Self> {
        let keep = |wanted: bool, id: Option<Id>| if wanted { id.map(Some) } else { Some(None) };
        Some(Self {
            route: keep(fields[0], self.route)?,
            service: keep(fields[1], self.service)?,
            consumer: keep(fields[2], self.consumer)?,
        })
    }
}
