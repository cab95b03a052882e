//! One language's gateway with its plugin, and the replay of the rows.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use polygate_testkit::Gateway;
use regex::Regex;
use serde_json::{Value, json};

use super::answers::comparable;
use super::compare;
use super::recorded::{Call, Corpus, Row};
use super::traffic::traffic;
use crate::reference::exchange::{CLOSES, Exchange, Piece};
use crate::reference::observed::Normal;
use crate::reference::recorded::Received;
use crate::reference::symbols::Symbols;
use crate::reference::upstreams::Upstreams;
use crate::reference::wire::{bytes, find};
use crate::scripts::{Language, Scripts, answer, expect_up, is_over};

/// The gateway, which listens on an address of its own, so that it cannot be mistaken for a client.
const GATEWAY: u16 = 29200;
const ADDRESS: [u8; 4] = [127, 0, 0, 2];
const UPSTREAMS: [u16; 2] = [29110, 29111];
/// Nothing listens there.
const CLOSED: u16 = 29119;

/// What the recorded vault references name.
const SECRETS: [(&str, &str); 4] = [
    ("DIFFV_SECRET", "s3cret"),
    ("DIFFV_JSON", r#"{"a":"b","n":5}"#),
    ("DIFFV_ODD_NAME", "odd"),
    ("PLAINV", "plain"),
];

/// How long to wait for notes that ought to come.
const NOTES: Duration = Duration::from_secs(2);
/// How many rows go on while it is seen whether the connection of one stays open.
const HELD: usize = 8;
const KEPT: Duration = Duration::from_millis(1);

/// The files of each language.
pub const SETS: [&str; 5] = ["get", "more", "scen", "set", "shapes"];

pub struct Site<'a> {
    language: &'a Language,
    symbols: Symbols,
    upstreams: Upstreams,
    scripts: Scripts,
    gateway: Gateway,
}

/// A row whose connection may still end.
struct Held<'a> {
    row: &'a Row,
    answers: Vec<Option<Value>>,
    exchange: Exchange,
    upstream: Vec<Received>,
}

impl<'a> Site<'a> {
    #[track_caller]
    pub fn start(language: &'a Language, corpus: &Corpus) -> Self {
        let symbols = Symbols::choose(&[GATEWAY, UPSTREAMS[0], UPSTREAMS[1], CLOSED]);
        let upstreams = Upstreams::start(&symbols, &UPSTREAMS, corpus.replies());
        let mut config = corpus.config().clone();
        config["plugins"] = json!([{ "name": language.plugin, "config": { "tag": language.name } }]);
        let builder = Gateway::builder()
            .proxy(SocketAddr::from((ADDRESS, symbols.port(GATEWAY))))
            .conf(&format!(
                "nginx_worker_processes = 1\nproxy_access_log = off\nlog_level = notice\n{}",
                language.conf()
            ))
            .declarative(&symbols.realise(&config.to_string()));
        let builder = SECRETS.iter().fold(builder, |builder, (name, value)| builder.environment(name, value));
        let gateway = builder.start();
        expect_up(&gateway, "/pdk");
        let scripts = Scripts::in_prefix(gateway.prefix());
        Self { language, symbols, upstreams, scripts, gateway }
    }

    /// What differs, a line for each difference.
    pub fn replay(&self, corpus: &Corpus) -> Vec<String> {
        let mut found = Vec::new();
        for set in SETS {
            let file = format!("{}-{set}", self.language.name);
            let rows = corpus.rows(&file);
            let mut held = VecDeque::new();
            for (number, row) in rows.iter().enumerate() {
                held.push_back(self.begin(&format!("{set}{number}"), row));
                if held.len() > HELD {
                    found.extend(held.pop_front().map(|held| self.end(&file, held)).unwrap_or_default());
                }
            }
            found.extend(held.into_iter().flat_map(|held| self.end(&file, held)));
        }
        found
    }

    fn begin<'r>(&self, id: &str, row: &'r Row) -> Held<'r> {
        let mut script: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for call in &row.calls {
            script.entry(&call.phase).or_default().push(&call.call);
        }
        let script = self.symbols.realise(&json!(script).to_string());
        let loaded = self.scripts.load(id, &script);
        let request = self.symbols.realise(&row.request);
        let (first, rest) = request.split_once("\r\n").expect("a request has lines");
        let request = format!("{first}\r\nX-S: {loaded}\r\n{rest}");
        drop(self.upstreams.take());
        let exchange = Exchange::make(self.gateway.proxy(), &[Piece::Bytes(bytes(&request))], 1)
            .expect("the gateway listens");
        let answers = self.answers(id, row);
        Held { row, answers, exchange, upstream: self.upstreams.take() }
    }

    /// What the plugin wrote down: all that the reference answered, as far as it comes.
    fn answers(&self, id: &str, row: &Row) -> Vec<Option<Value>> {
        let deadline = Instant::now() + NOTES;
        let notes = loop {
            let notes = self.scripts.notes(id);
            let is_there =
                |call: &Call| call.answer.is_none() || answer(&notes, &call.phase, call.at).is_some();
            if row.calls.iter().all(is_there) || is_over(&notes) || Instant::now() >= deadline {
                break notes;
            }
            thread::sleep(Duration::from_millis(1));
        };
        let comparable = |call: &Call| {
            let note = answer(&notes, &call.phase, call.at)?.as_object()?;
            Some(comparable(&call.call, note, &|text| self.named(text)))
        };
        row.calls.iter().map(comparable).collect()
    }

    /// What differs in a row.
    fn end(&self, file: &str, held: Held) -> Vec<String> {
        let closes = held.row.exchange.as_ref().and_then(|exchange| exchange.responses.last()?.message());
        let patience = if closes.is_some_and(|message| message.closed) { CLOSES } else { KEPT };
        let answers = held.exchange.end(patience).expect("the connection can be read");
        let http10 = find(held.row.request.as_bytes(), b" HTTP/1.0\r").is_some();
        let normal = Normal { symbols: &self.symbols, any_upstream: false, http10 };
        let exchange = traffic(normal.outcome(answers, held.upstream), &|text| self.named(text));
        compare::lines(file, held.row, &held.answers, &exchange)
    }

    /// A text with names for what is of this run alone.
    fn named(&self, text: &str) -> String {
        static NAMES: LazyLock<[(Regex, &str); 4]> = LazyLock::new(|| {
            [
                (r"\b[0-9a-f]{32}\b", "<id>"),
                (r"kong/\d+\.\d+\.\d+", "kong/V"),
                (r"\b[a-z]+\d+\|[a-z]+\d+", "<xs>"),
                (r"\b127\.0\.0\.2\b", "<gw>"),
            ]
            .map(|(pattern, name)| (Regex::new(pattern).expect("a pattern"), name))
        });
        // All of it has digits or slashes, and few texts have.
        if !text.bytes().any(|byte| byte.is_ascii_digit() || byte == b'/') {
            return text.to_owned();
        }
        let text =
            self.symbols.symbolise(text).replace(&self.gateway.prefix().display().to_string(), "<prefix>");
        NAMES.iter().fold(text, |text, (regex, name)| regex.replace_all(&text, *name).into_owned())
    }
}
