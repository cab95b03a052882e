//! What the reference answered to about 1,600 raw requests under 45 settings, and what polygate answers.
//!
//! The files of tests/reference are our own requests and configurations with the answers that Kong 3.9.3 gave and the
//! requests that its upstreams got. A file has `settings` (kong.conf), perhaps `files` for them, and `cases`; `config`
//! (kong.yml) and `replies` (what an upstream answers to an `X-Reply` line) are shared. Ports are symbols
//! ([`symbols`]), runs of header lines have names ([`recorded`]), a long run of one character is `[text, times]`.
//!
//! A case that is to stay different says why, and it must differ: one that no longer does fails, so that no mark
//! outlives its reason.
//!
//! | member | the case differs |
//! |---|---|
//! | `known` | on purpose (docs/compatibility.md has it), or because it recorded an accident of the reference |
//! | `open` | though it should not; at most one case in a hundred may |
//! | `unsteady` | or does not, as time or chance will have it; stands beside one of the others |

mod answers;
mod bundled;
mod compare;
mod exchange;
mod observed;
mod pdk;
mod recorded;
mod replay;
mod symbols;
mod upstreams;
pub mod wire;

use std::collections::BTreeSet;
use std::fs;

use recorded::File;

/// One test for each group of files. The files of a group are replayed at the same time, each on a gateway of its own.
macro_rules! replays {
    ($($test:ident: $($file:literal),+;)+) => {
        $(#[test]
        fn $test() {
            replay::files(&[$($file),+]);
        })+

        const REPLAYED: &[&str] = &[$($($file),+),+];
    };
}

replays! {
    bodies_over_a_limit: "set-mbs", "set-mbs0", "set-mbs_proxy";
    error_pages: "main-errors", "set-edt_html", "set-edt_json", "set-edt_plain", "set-edt_xml", "set-tmpl";
    hosts: "main-host", "main-nodns";
    kept_connections: "set-ka0", "set-ka2", "set-kr";
    limits: "set-lchb", "set-lmh";
    paths: "main-path";
    proxy_protocol: "set-t4", "set-t5", "set-t6", "set-t7";
    replies_of_upstreams: "main-reply", "set-cs_l", "set-cs_off", "set-cs_p", "set-nu";
    request_headers: "set-hu_id", "set-hu_off", "set-pm";
    requests: "main-request", "set-more";
    response_headers: "set-debug", "set-h_lat", "set-h_lc", "set-h_off", "set-h_one", "set-h_rl", "set-h_server",
        "set-h_st", "set-h_ups", "set-h_via";
    routing: "main-routing";
    trusted_addresses: "set-t0", "set-t1", "set-t2", "set-t3", "set-t3b";
}

#[test]
fn every_file_is_replayed() {
    let folder = fs::read_dir(recorded::folder()).expect("the recorded cases");
    let names = folder.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let recorded: BTreeSet<String> =
        names.filter(|name| name.ends_with(".json") && !name.starts_with('_')).collect();
    let replayed: BTreeSet<String> = REPLAYED.iter().map(|name| format!("{name}.json")).collect();
    assert_eq!(recorded, replayed);
}

#[test]
fn hardly_a_case_is_left_open() {
    let cases: Vec<_> = REPLAYED.iter().flat_map(|name| File::load(name).cases).collect();
    let open = cases.iter().filter(|case| case.open.is_some()).count();
    assert!(open * 100 <= cases.len(), "{open} of {} cases", cases.len());
    let marks = |case: &&recorded::Case| (case.known.is_some(), case.open.is_some(), case.unsteady);
    let wrong: Vec<_> =
        cases.iter().filter(|c| matches!(marks(c), (true, true, _) | (false, false, true))).collect();
    assert!(
        wrong.is_empty(),
        "marks contradict one another: {:?}",
        wrong.iter().map(|c| &c.name).collect::<Vec<_>>()
    );
}
