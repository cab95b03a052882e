//! Who is let in by `User-Agent` (bundled-plugins.md, section 4).

use polygate_chain::{Exchange, Phase};
use regex::bytes::{RegexSet, RegexSetBuilder};
use serde::{Deserialize, Deserializer};

use crate::plugin::{Bundled, Hooks, Outcome, configure};
use crate::reply;

pub const PLUGIN: Bundled = Bundled {
    name: "bot-detection",
    priority: 2500,
    phases: &[Phase::Access],
    schema: include_str!("bot_detection/schema.json"),
    checks: &[],
    configure: configure::<BotDetection>,
};

/// What crawlers call themselves, and some that do not say what they are. Letters count.
const CRAWLERS: [&str; 12] = [
    "[Bb]ot(?:[^a-z]|$)",
    "[Cc]rawl",
    "[Ss]pider",
    "[Ss]lurp",
    "[Ss]crap[ey]",
    "Ask Jeeves|Teoma",
    "facebookexternalhit|WhatsApp",
    "Feedfetcher|FeedBurner|Mediapartners-Google|AdsBot",
    "Pingdom|StatusCake|ScoutJet",
    "ia_archiver|heritrix|Nutch",
    "Twiceler|Charlotte|boitho\\.com|yahoo-",
    "archive\\.org|Google-Site|BingPreview",
];

#[derive(Deserialize)]
struct BotDetection {
    allow: Patterns,
    deny: Patterns,
    #[serde(skip, default = "Patterns::crawlers")]
    crawlers: Patterns,
}

impl Hooks for BotDetection {
    async fn access(&self, exchange: &mut Exchange) -> Outcome {
        match self.refusal(exchange) {
            Some((status, message)) => reply::refuse(exchange, status, message),
            None => Ok(()),
        }
    }
}

impl BotDetection {
    fn refusal(&self, exchange: &Exchange) -> Option<(u16, &'static str)> {
        let mut agents = exchange.request.headers.get_all("User-Agent");
        match (agents.next(), agents.next()) {
            (Some(_), Some(_)) => Some((400, "Only one User-Agent header allowed")),
            (Some(agent), None) if self.is_bot(agent) => Some((403, "Forbidden")),
            _ => None,
        }
    }

    fn is_bot(&self, agent: &[u8]) -> bool {
        !self.allow.0.is_match(agent) && (self.deny.0.is_match(agent) || self.crawlers.0.is_match(agent))
    }
}

struct Patterns(RegexSet);

impl Patterns {
    fn new(texts: &[impl AsRef<str>]) -> Result<Self, regex::Error> {
        RegexSetBuilder::new(texts).unicode(false).build().map(Self)
    }

    fn crawlers() -> Self {
        Self::new(&CRAWLERS).expect("patterns of our own are patterns")
    }
}

impl<'de> Deserialize<'de> for Patterns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = Option::<Vec<String>>::deserialize(deserializer)?.unwrap_or_default();
        Self::new(&texts).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use polygate_chain::pdk::fixture;
    use serde_json::json;

    use crate::tests::{access, handler};

    fn status(config: serde_json::Value, agents: &[&str]) -> u16 {
        let lines: Vec<_> = agents.iter().map(|agent| ("user-agent", *agent)).collect();
        let mut exchange = fixture::exchange("GET", "/", &lines);
        access(&*handler("bot-detection", config), &mut exchange);
        exchange.response.status
    }

    #[test]
    fn crawlers_are_known() {
        let browser = "Mozilla/5.0 (X11; Linux x86_64; CUBOT) AppleWebKit/537.36 Chrome/130.0 Safari/537.36";
        for agents in [&[][..], &[""], &[browser], &["curl/8.0"], &["robotics-app/1"]] {
            assert_eq!(status(json!({}), agents), 0, "{agents:?}");
        }
        for agent in [
            "bingbot/2.0",
            "Googlebot",
            "Mozilla/5.0 (compatible; Baiduspider/2.0)",
            "facebookexternalhit/1.1",
        ] {
            assert_eq!(status(json!({}), &[agent]), 403, "{agent}");
        }
    }

    #[test]
    fn lists_come_first() {
        let config = json!({"allow": ["Googlebot"], "deny": ["^curl/"]});
        assert_eq!(status(config.clone(), &["Googlebot/2.1"]), 0);
        assert_eq!(status(config.clone(), &["curl/8.0"]), 403);
        assert_eq!(status(config.clone(), &["a", "b"]), 400);
        assert_eq!(status(config, &["bingbot"]), 403);
    }
}
