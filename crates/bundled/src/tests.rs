//! What the tests of the plugins share.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use polygate_chain::pdk::{Context as Place, fixture};
use polygate_chain::services::{Job, Remote, Services, Stream};
use polygate_chain::{Environment, Exchange, Failure, Handler, LocalFuture, Phase};
use polygate_entities::declarative::load_document;
use polygate_model::Id;
use polygate_model::schema::Schema;
use serde_json::{Value, json};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

use crate::{PLUGINS, Shared};

/// The handler of a configuration, checked and completed as one of a declarative file is.
pub fn handler(name: &str, config: Value) -> Arc<dyn Handler> {
    handler_with(name, config, &outside())
}

/// There is no outside, but jobs run on the test's own thread.
pub fn outside() -> Arc<Shared> {
    Shared::new(Arc::new(Nowhere))
}

pub fn handler_with(name: &str, config: Value, shared: &Arc<Shared>) -> Arc<dyn Handler> {
    let bundled = PLUGINS.iter().find(|plugin| plugin.name == name).expect("one of the list");
    let config = bundled.schema().unwrap().config(config).unwrap_or_else(|errors| panic!("{errors}"));
    let plugin = json!({
        "id": Id::from_u128(1), "created_at": 0, "updated_at": 0, "name": name, "config": config,
        "protocols": ["http"], "enabled": true,
    });
    (bundled.configure)(&Arc::new(serde_json::from_value(plugin).unwrap()), shared).unwrap()
}

/// A request of fixture's with the entities of a declarative document.
pub fn with_entities(method: &str, target: &str, fields: &[(&str, &str)], mut document: Value) -> Exchange {
    document["_format_version"] = json!("3.0");
    let plugins = HashMap::<String, Schema>::new();
    let set = load_document(document.as_object().unwrap().clone(), &plugins, 1.0).unwrap();
    let mut exchange = fixture::exchange(method, target, fields);
    let node = exchange.session.environment.node.clone();
    exchange.session.environment = Arc::new(Environment::new(Arc::new(set.entities().clone()), node));
    exchange
}

/// Runs what waits for nothing but its own clocks.
pub fn access(handler: &dyn Handler, exchange: &mut Exchange) {
    run(handler, Phase::Access, exchange).unwrap();
}

pub fn run(handler: &dyn Handler, phase: Phase, exchange: &mut Exchange) -> Result<(), Failure> {
    exchange.session.phase = phase;
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    LocalSet::new().block_on(&runtime, handler.run(phase, Place::Exchange(exchange)))
}

pub fn header(handler: &dyn Handler, exchange: &mut Exchange) {
    exchange.session.phase = Phase::Response;
    handler.header(exchange).unwrap();
}

pub struct Nowhere;

impl Services for Nowhere {
    fn connect<'a>(&'a self, _: &'a Remote) -> LocalFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
    }

    fn encrypt<'a>(
        &'a self,
        _: Box<dyn Stream>,
        _: &'a Remote,
    ) -> LocalFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
    }

    fn send_datagram<'a>(&'a self, _: &'a str, _: u16, _: &'a [u8]) -> LocalFuture<'a, io::Result<()>> {
        Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
    }

    fn send_local_datagram<'a>(&'a self, _: &'a str, _: &'a [u8]) -> LocalFuture<'a, io::Result<()>> {
        Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
    }

    fn spawn(&self, job: Job) {
        // Tests without a runtime have nobody to run it.
        if tokio::runtime::Handle::try_current().is_ok() {
            tokio::task::spawn_local(job());
        }
    }
}

#[test]
fn examples_are_valid() {
    for plugin in PLUGINS {
        let document: Value = serde_json::from_str(plugin.schema).unwrap();
        assert!(document["doc"].is_string(), "{}: no doc", plugin.name);
        handler(plugin.name, document["example"].clone());
    }
}
