//! Asks every server which plugins it holds, by running its query command.

use std::process::{ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use polygate_plugin_proto::dump::{Dump, DumpError, parse_dump, parse_single_dump, strip_ansi};
use polygate_telemetry::log;
use polygate_telemetry::log::shortened;

use crate::process::{describe, shell};
use crate::settings::{Query, ServerSettings};

/// A JavaScript query takes 2 to 4 seconds of processor time.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// Bytes of standard error that an error shows from each end.
const SIDE: usize = 1000;

/// What one server answered.
#[derive(Debug)]
pub struct Discovery {
    pub server: String,
    pub took: Duration,
    pub outcome: Result<Dump, QueryError>,
    /// How its last command ended and what that printed; `None` when it had to be ended.
    pub output: Option<Output>,
}

/// A query that gave no dump; the text holds what is needed to find out why.
#[derive(Debug, thiserror::Error)]
#[error("query command `{command}`: {why}; {details}")]
pub struct QueryError {
    pub command: String,
    pub why: QueryFailure,
    /// How the command ended and what it wrote to standard error.
    pub details: String,
}

#[derive(Debug, thiserror::Error)]
pub enum QueryFailure {
    #[error("cannot run /bin/sh: {0}")]
    Spawn(std::io::Error),
    #[error("no answer within {} s", TIME_LIMIT.as_secs())]
    TimedOut,
    #[error(transparent)]
    Dump(#[from] DumpError),
}

/// Asks all servers at once; answers in their order. Servers without a query command are left out.
pub async fn discover(servers: &[ServerSettings]) -> Vec<Discovery> {
    let asked = servers.iter().filter(|server| server.query != Query::None);
    let tasks: Vec<_> = asked.map(|server| tokio::spawn(ask(server.clone()))).collect();
    let mut answers = Vec::new();
    for task in tasks {
        match task.await {
            Ok(answer) => answers.push(answer),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    answers
}

async fn ask(server: ServerSettings) -> Discovery {
    let start = Instant::now();
    let mut output = None;
    let outcome = match &server.query {
        Query::All(command) => query(command, parse_dump, &mut output).await,
        Query::Each(commands) => each(commands, &mut output).await,
        Query::None => unreachable!("servers without a query command are not asked"),
    };
    Discovery { server: server.name, took: start.elapsed(), outcome, output }
}

/// One dump made of the answers for each plugin. A plugin that the server does not hold is not an
/// error: another server may.
async fn each(commands: &[String], printed: &mut Option<Output>) -> Result<Dump, QueryError> {
    let mut all = Dump {
        protocol: polygate_plugin_proto::Protocol::MsgPack,
        plugins: vec![],
        refused: vec![],
        warnings: vec![],
    };
    for command in commands {
        match query(command, parse_single_dump, printed).await {
            Ok(dump) => {
                all.plugins.extend(dump.plugins);
                all.refused.extend(dump.refused);
                all.warnings.extend(dump.warnings);
            }
            Err(error @ QueryError { why: QueryFailure::Dump(_), .. }) => {
                log!(Info, "[pluginserver] {error}")
            }
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

async fn query(
    command: &str,
    parse: fn(&[u8]) -> Result<Dump, DumpError>,
    printed: &mut Option<Output>,
) -> Result<Dump, QueryError> {
    *printed = None;
    let fail = |why, details: String| QueryError { command: command.to_owned(), why, details };
    let mut shell = shell(command);
    let child = shell
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| fail(QueryFailure::Spawn(error), String::new()))?;
    let group = child.id();
    match tokio::time::timeout(TIME_LIMIT, child.wait_with_output()).await {
        Ok(Ok(output)) => {
            let output = printed.insert(output);
            parse(&output.stdout)
                .map_err(|error| fail(error.into(), details(Some(output.status), &output.stderr)))
        }
        Ok(Err(error)) => Err(fail(QueryFailure::Spawn(error), String::new())),
        Err(_) => {
            end_group(group);
            Err(fail(QueryFailure::TimedOut, details(None, b"")))
        }
    }
}

/// The command itself was killed when its future was dropped; this ends what it started.
fn end_group(leader: Option<u32>) {
    use rustix::process::{Pid, Signal, kill_process_group};
    if let Some(group) = leader.and_then(|pid| Pid::from_raw(pid.try_into().ok()?)) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

fn details(status: Option<ExitStatus>, stderr: &[u8]) -> String {
    let ended = status.map_or("killed".into(), describe);
    let stderr = String::from_utf8_lossy(stderr);
    let stderr = strip_ansi(&stderr);
    let stderr = stderr.trim();
    match stderr {
        "" => format!("{ended}, nothing on standard error"),
        _ => format!("{ended}, standard error: {}", shortened(stderr, SIDE)),
    }
}

#[cfg(test)]
mod tests;
