//! Changes of responses (bundled-plugins.md, section 5).

mod body;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use polygate_chain::{BodyFilter, Exchange, Handler};
use polygate_http1::Headers;
use serde::Deserialize;
use serde_json::{Number, Value};

use self::body::Rewriter;
use crate::plugin::{self, Bundled, Hooks, Outcome};
use crate::shared::Shared;
use crate::transform::{Changes, Pair};

pub const PLUGIN: Bundled = Bundled {
    name: "response-transformer",
    priority: 800,
    phases: &[],
    schema: include_str!("response_transformer/schema.json"),
    checks: &[],
    configure,
};

#[derive(Deserialize)]
struct Config {
    remove: Remove,
    rename: Rename,
    replace: Values,
    add: Values,
    append: Values,
}

#[derive(Deserialize)]
struct Remove {
    /// Names; what stands behind a colon makes no difference.
    headers: Vec<Pair>,
    json: Vec<String>,
}

#[derive(Deserialize)]
struct Rename {
    headers: Vec<Pair>,
    json: Vec<Pair>,
}

#[derive(Deserialize)]
struct Values {
    headers: Vec<Pair>,
    json: Vec<Pair>,
    json_types: Vec<Kind>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Boolean,
    Number,
    String,
}

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

impl Config {
    /// Whether a header is there is judged by the head as it came.
    fn change_headers(&self, headers: &mut Headers) {
        let before: HashSet<_> = headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        let was_there = |name: &str| before.contains(&name.to_ascii_lowercase());
        for Pair { name, .. } in &self.remove.headers {
            headers.remove(name);
        }
        for Pair { name, value: new } in &self.rename.headers {
            let values: Vec<_> = headers.get_all(name).map(<[u8]>::to_vec).collect();
            if !values.is_empty() {
                headers.remove(name);
                headers.remove(new);
                values.iter().for_each(|value| headers.append(new, value));
            }
        }
        for Pair { name, value } in self.replace.headers.iter().filter(|pair| was_there(&pair.name)) {
            headers.insert(name, value);
        }
        for Pair { name, value } in self.add.headers.iter().filter(|pair| !was_there(&pair.name)) {
            headers.insert(name, value);
        }
        for Pair { name, value } in &self.append.headers {
            headers.append(name, value);
        }
    }

    fn json(&self) -> Changes<'_> {
        Changes {
            remove: &self.remove.json,
            rename: &self.rename.json,
            replace: self.replace.typed(),
            add: self.add.typed(),
            append: self.append.typed(),
        }
    }
}

impl Values {
    /// What is no value of its type is left out.
    fn typed(&self) -> Vec<(&str, Value)> {
        let kinds = self.json_types.iter().copied().chain(std::iter::repeat(Kind::String));
        let values = self.json.iter().zip(kinds);
        values.filter_map(|(pair, kind)| Some((&*pair.name, kind.value(&pair.value)?))).collect()
    }
}

impl Kind {
    fn value(self, text: &str) -> Option<Value> {
        match self {
            Self::String => Some(text.into()),
            Self::Boolean => Some((text == "true").into()),
            Self::Number => {
                let whole = text.parse::<i64>().ok().map(Number::from);
                whole.or_else(|| Number::from_f64(text.parse().ok()?)).map(Value::Number)
            }
        }
    }
}
