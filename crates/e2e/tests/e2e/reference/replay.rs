//! Replays files: a gateway and upstreams for each, case after case.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use polygate_testkit::Gateway;
use tempfile::TempDir;

use crate::reference::compare::{Difference, differences};
use crate::reference::exchange::{self, exchange};
use crate::reference::observed::Normal;
use crate::reference::recorded::{Case, File, Message, Outcome, Piece};
use crate::reference::symbols::{CLOSED, GATEWAY, Symbols, UPSTREAMS};
use crate::reference::upstreams::Upstreams;
use crate::reference::wire::bytes;

/// How long to wait for requests that ought to reach an upstream.
const UPSTREAM: Duration = Duration::from_secs(1);
/// How long to wait for requests that ought not, after an answer and after an error, which a further try may follow.
const STRAY: Duration = Duration::from_millis(2);
const STRAY_TRY: Duration = Duration::from_millis(20);

/// How many cases one gateway gets. Nearly all of a case's time is waiting, which several gateways do at once.
const BATCH: usize = 40;

/// Replays the files at the same time and panics with what differs.
#[track_caller]
pub fn files(names: &[&str]) {
    let files: Vec<_> = names.iter().map(|name| (name, File::load(name))).collect();
    let complaints: Vec<String> = thread::scope(|scope| {
        let batches = files
            .iter()
            .flat_map(|(name, file)| file.cases.chunks(BATCH).map(move |cases| (name, file, cases)));
        let replays: Vec<_> =
            batches.map(|(name, file, cases)| scope.spawn(move || replay(name, file, cases))).collect();
        replays.into_iter().flat_map(|replay| replay.join().expect("a replay does not panic")).collect()
    });
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

/// What is wrong with some cases of a file.
fn replay(name: &str, file: &File, cases: &[Case]) -> Vec<String> {
    let site = Site::start(file);
    let complaints = cases.iter().filter_map(|case| site.complain(case));
    complaints.map(|complaint| format!("{name}: {complaint}")).collect()
}

struct Site {
    symbols: Symbols,
    upstreams: Upstreams,
    gateway: Gateway,
    /// Where the files are that the settings name.
    _folder: TempDir,
}

impl Site {
    fn start(file: &File) -> Self {
        let symbols = Symbols::choose(&[&[GATEWAY, CLOSED], &UPSTREAMS[..]].concat());
        let upstreams = Upstreams::start(&symbols, &UPSTREAMS, &file.replies);
        let folder = tempfile::tempdir().expect("a temporary directory");
        for (name, content) in &file.files {
            fs::write(folder.path().join(name), content).expect("the folder is writable");
        }
        let setting = |(name, value): (&String, &String)| {
            let value = value.replace("@DIR@", &folder.path().display().to_string());
            symbols.realise(&format!("{name} = {value}\n"))
        };
        let settings: String = file.settings.iter().map(setting).collect();
        let gateway = Gateway::builder()
            .proxy(symbols.address(GATEWAY))
            // One worker: what the cases say of kept connections is said of one.
            .conf(&format!(
                "nginx_worker_processes = 1\nproxy_access_log = off\nlog_level = notice\n{settings}"
            ))
            .declarative(&symbols.realise(&file.config.to_string()))
            .start();
        Self { symbols, upstreams, gateway, _folder: folder }
    }

    /// What is wrong with a case, if anything is.
    fn complain(&self, case: &Case) -> Option<String> {
        let found = differences(&case.expect, &self.run(case));
        match (case.mark(), &found[..]) {
            (None, []) => None,
            (None, found) => Some(list(case, found)),
            (Some(mark), []) if !case.unsteady => {
                Some(format!("{}: does not differ any more; take its mark off: {mark}", case.name))
            }
            (Some(_), _) => None,
        }
    }

    fn run(&self, case: &Case) -> Outcome {
        let realise = |piece| match piece {
            Piece::Pause(seconds) => exchange::Piece::Pause(Duration::from_secs_f64(seconds)),
            Piece::Bytes(text) => exchange::Piece::Bytes(bytes(&self.symbols.realise(&text.0))),
        };
        let pieces: Vec<_> = case.pieces().into_iter().map(realise).collect();
        let closes =
            case.expect.responses.last().and_then(|answer| answer.message()).is_some_and(|m| m.closed);
        drop(self.upstreams.take());
        let answers =
            exchange(self.gateway.proxy(), &pieces, case.count, closes).expect("the gateway listens");
        let failed = |message: Option<&Message>| message.is_none_or(|message| message.status >= 500);
        thread::sleep(if failed(answers.last().and_then(|a| a.message())) { STRAY_TRY } else { STRAY });
        let end = Instant::now() + UPSTREAM;
        while self.upstreams.count() < case.expect.upstream.len() && Instant::now() < end {
            thread::sleep(STRAY);
        }
        Normal::of(case, &pieces, &self.symbols).outcome(answers, self.upstreams.take())
    }
}

fn list(case: &Case, found: &[Difference]) -> String {
    let found: Vec<String> = found.iter().map(|difference| format!("{}: {difference}", case.name)).collect();
    found.join("\n    ")
}
