//! What the published SDKs do wrong, and what the gateway makes of it: one named test for each case.
//!
//! Each case is a defect or a sharp edge that was seen in an unmodified SDK. The plugins of fixtures/*/faults produce
//! them; where a case has its test elsewhere, the table says where.
//!
//! | case | what happens | test |
//! |---|---|---|
//! | R-1, R-2, R-7 | clients that leave or come all at once | `clients` |
//! | R-3, R-4, R-6, R-8 | handlers that never end | `hangs`, with default settings `wedged` |
//! | R-5 | header lines and bodies that are not UTF-8 | `headers::bytes_that_are_not_utf8_reach_every_language_and_the_upstream`, `bodies` |
//! | R-9 to, R-30 | what servers print, leave behind and forget | `processes` |
//! | R-12, R-20 to R-22 | processes that end | `crashes` |
//! | R-13 | memory statistics must be complete | `pdk::pdk_go`, `memory_stats_are_always_complete` in plugin-host |
//! | R-14 | a ProtoBuf server that forgot an instance | also `an_end_before_the_first_call_starts_the_instance_again_once` in plugin-host |
//! | R-16 to to R-28 | values and calls that an SDK cannot deal with | `values` |
//! | R-23, R-24 | the gateway as process 1, and killed | `pid1`, `killed` |
//! | R-27 | bodies of 10 MiB in every language, both ways | also `bodies` |
//!
//! Beyond the cases, `phases` has a handler fail in every phase, and `gates` shows that no failure lets anybody in.

mod clients;
mod crashes;
mod gates;
mod hangs;
mod phases;
mod processes;
pub mod site;
mod values;
mod wedged;
