//! Plugins made of closures.

use std::sync::Arc;

use polygate_chain::pdk::{Context, Function, Reply, dispatch};
use polygate_chain::{Exchange, Failure, Handler, LocalFuture, Phase, Phases, Plugin, Value};

pub struct Closure<F> {
    name: &'static str,
    phases: Phases,
    run: Arc<F>,
}

/// One that does the same in each of its phases; `exchange.session.phase` tells them apart.
pub fn plugin<F>(name: &'static str, phases: &[Phase], run: F) -> Arc<dyn Plugin>
where
    F: AsyncFn(&mut Exchange) -> Result<(), Failure> + Send + Sync + 'static,
{
    Arc::new(Closure { name, phases: Phases::of(phases), run: Arc::new(run) })
}

/// One for which responses are held back.
pub fn holding() -> Arc<dyn Plugin> {
    plugin("holding", &[Phase::Response], async |_| Ok(()))
}

impl<F> Plugin for Closure<F>
where
    F: AsyncFn(&mut Exchange) -> Result<(), Failure> + Send + Sync + 'static,
{
    fn name(&self) -> &str {
        self.name
    }

    fn priority(&self) -> i64 {
        1
    }

    fn phases(&self) -> Phases {
        self.phases
    }

    fn configure(&self, _: &Arc<polygate_model::Plugin>) -> Arc<dyn Handler> {
        Arc::new(Running(self.run.clone()))
    }
}

struct Running<F>(Arc<F>);

impl<F> Handler for Running<F>
where
    F: AsyncFn(&mut Exchange) -> Result<(), Failure> + Send + Sync,
{
    fn run<'a>(&'a self, _: Phase, context: Context<'a>) -> LocalFuture<'a, Result<(), Failure>> {
        let Context::Exchange(exchange) = context else { panic!("a handshake is no request") };
        Box::pin((self.0)(exchange))
    }
}

/// Calls a function of the PDK, which must not fail.
pub async fn pdk(exchange: &mut Exchange, name: &str, args: &[Value]) -> Value {
    let function = Function::from_name(name).unwrap();
    match dispatch(exchange, function, args).await {
        Ok(Reply::Bytes(bytes)) => Value::str(bytes),
        Ok(Reply::Value(value)) => value.into_owned(),
        other => panic!("{name}: {other:?}"),
    }
}

/// What a plugin that broke down answers with.
pub fn broken() -> Failure {
    Failure { status: 500, reason: "plugin_error", is_shown: true, message: "boom".into(), is_known: false }
}
