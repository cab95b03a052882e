//! Changes of responses (bundled-plugins.md, section 5).

mod body;
mod config;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use polygate_chain::{BodyFilter, Exchange, Handler};

use self::body::Rewriter;
use self::config::Config;
use crate::plugin::{self, Bundled, Hooks, Outcome};
use crate::shared::Shared;

pub const PLUGIN: Bundled = Bundled {
    name: "response-transformer",
    priority: 800,
    phases: &[],
    schema: include_str!("response_transformer/schema.json"),
    checks: &[],
    configure,
};

struct ResponseTransformer(Arc<Config>);

fn configure(plugin: &Arc<polygate_model::Plugin>, _: &Arc<Shared>) -> Result<Arc<dyn Handler>, String> {
    plugin::handler(ResponseTransformer(Arc::new(plugin::config(plugin)?)))
}

impl Hooks for ResponseTransformer {
    fn header(&self, exchange: &mut Exchange) -> Outcome {
        self.0.change_headers(&mut exchange.response.headers);
        Ok(())
    }

    fn body(&self, exchange: &mut Exchange) -> Option<Box<dyn BodyFilter>> {
        let kind = exchange.response.headers.text("Content-Type")?.to_ascii_lowercase();
        let is_json = kind.contains("application/json") || kind.contains("+json");
        (is_json && !self.0.json().is_empty())
            .then(|| Box::new(Rewriter::new(self.0.clone())) as Box<dyn BodyFilter>)
    }
}
