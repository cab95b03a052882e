//! Who may read responses in a browser (Fetch, section 3.2; bundled-plugins.md, section 4).

mod origin;
#[cfg(test)]
mod tests;

use http::Method;
use polygate_chain::pdk::headers::Change;
use polygate_chain::pdk::response;
use polygate_chain::{Exchange, Phase};
use polygate_value::number;
use serde::Deserialize;

use self::origin::{Allowed, Origins};
use crate::plugin::{Bundled, Hooks, Outcome, configure};

pub const PLUGIN: Bundled = Bundled {
    name: "cors",
    priority: 2000,
    phases: &[Phase::Access],
    schema: include_str!("cors/schema.json"),
    checks: &[("origin", origin::check)],
    configure: configure::<Cors>,
};

const ALLOW_ORIGIN: &str = "Access-Control-Allow-Origin";
const ALLOW_CREDENTIALS: &str = "Access-Control-Allow-Credentials";

#[derive(Deserialize)]
struct Cors {
    origins: Origins,
    headers: Option<Vec<String>>,
    exposed_headers: Option<Vec<String>>,
    methods: Option<Vec<String>>,
    max_age: Option<f64>,
    credentials: bool,
    private_network: bool,
    preflight_continue: bool,
}

impl Hooks for Cors {
    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        if self.preflight_continue || !is_preflight(exchange) {
            return Ok(());
        }
        let request = &exchange.request.headers;
        let asked = request.get("Access-Control-Request-Headers").map(<[u8]>::to_vec);
        let allowed = self.headers.as_ref().filter(|names| !names.is_empty());
        let allowed = allowed.map(|names| names.join(",").into_bytes()).or(asked);
        let wants_private = request.text("Access-Control-Request-Private-Network") == Some("true");

        self.tell_origin(exchange)?;
        if let Some(allowed) = allowed {
            response::set_header(exchange, Change::raw_line("Access-Control-Allow-Headers", allowed))?;
        }
        let methods = self.methods.as_deref().unwrap_or_default().join(",");
        response::set_header(exchange, Change::line("Access-Control-Allow-Methods", methods))?;
        if let Some(seconds) = self.max_age {
            response::set_header(exchange, Change::line("Access-Control-Max-Age", number(seconds)))?;
        }
        if self.private_network && wants_private {
            response::set_header(exchange, Change::line("Access-Control-Allow-Private-Network", "true"))?;
        }
        response::exit(exchange, 200, polygate_chain::pdk::Content::Nothing, Vec::new())
    }

    /// Answers to preflight requests are made above, or by the upstream.
    fn header(&self, exchange: &mut Exchange) -> Outcome {
        if is_preflight(exchange) {
            return Ok(());
        }
        self.tell_origin(exchange)?;
        match self.exposed_headers.as_deref() {
            None | Some([]) => Ok(()),
            Some(names) => {
                response::set_header(exchange, Change::line("Access-Control-Expose-Headers", names.join(",")))
            }
        }
    }
}

impl Cors {
    fn tell_origin(&self, exchange: &mut Exchange) -> Outcome {
        let asking = exchange.request.headers.text("Origin").map(str::to_owned);
        let allowed = self.origins.allowed(asking.as_deref());
        let is_everybody = allowed == Allowed::Everybody;
        if self.origins.vary() {
            vary(exchange)?;
        }
        match (allowed, &asking) {
            // Credentials go to an origin that is named, never to everybody.
            (Allowed::Everybody, Some(asking)) if self.credentials => {
                response::set_header(exchange, Change::line(ALLOW_ORIGIN, asking.clone()))?;
                response::set_header(exchange, Change::line(ALLOW_CREDENTIALS, "true"))?;
                return vary(exchange);
            }
            (Allowed::Everybody, _) => response::set_header(exchange, Change::line(ALLOW_ORIGIN, "*"))?,
            (Allowed::One(origin), _) => {
                response::set_header(exchange, Change::line(ALLOW_ORIGIN, origin.into_owned()))?
            }
            (Allowed::Nobody, _) => response::clear_header(exchange, ALLOW_ORIGIN)?,
        }
        match self.credentials && !is_everybody {
            true => response::set_header(exchange, Change::line(ALLOW_CREDENTIALS, "true")),
            false => Ok(()),
        }
    }
}

/// A line of its own, beside what the upstream says.
fn vary(exchange: &mut Exchange) -> Outcome {
    response::add_header(exchange, Change::line("Vary", "Origin"))
}

fn is_preflight(exchange: &Exchange) -> bool {
    let request = &exchange.request;
    request.method == Method::OPTIONS
        && request.headers.contains("Origin")
        && request.headers.contains("Access-Control-Request-Method")
}
