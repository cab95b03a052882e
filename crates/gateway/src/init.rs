//! The first process of a container.
//!
//! A plugin server takes the process id 1 of its parent as the sign that the gateway died: go-pluginserver and
//! gevent Python look once a second and end. The kernel also makes process 1 the parent of every orphan, which
//! stays a zombie until somebody waits for it. So the program does not serve as process 1: it runs itself as a
//! child, hands signals on, waits for whatever ends, and ends as the child does.

use std::env;
use std::future::poll_fn;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitCode, ExitStatus};
use std::task::Poll;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, wait};
use tokio::runtime;
use tokio::signal::unix::{self, SignalKind};

use crate::command::Outcome;

/// What the gateway acts on, and what would otherwise end process 1 without it.
const FORWARDED: [(SignalKind, Signal); 6] = [
    (SignalKind::terminate(), Signal::TERM),
    (SignalKind::interrupt(), Signal::INT),
    (SignalKind::quit(), Signal::QUIT),
    (SignalKind::hangup(), Signal::HUP),
    (SignalKind::user_defined1(), Signal::USR1),
    (SignalKind::user_defined2(), Signal::USR2),
];

/// Whether this is the first process of its PID namespace.
pub fn is_first_process() -> bool {
    getpid().as_raw_nonzero().get() == 1
}

/// Runs this program with the same arguments as a child, and answers how that ended: its exit code, or 128 and
/// the number of the signal.
pub fn run() -> Outcome<ExitCode> {
    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    let status = runtime.block_on(supervise())?;
    Ok(ExitCode::from(code(status)))
}

async fn supervise() -> io::Result<ExitStatus> {
    // Before the child is there, so that no signal and no end is missed.
    let mut ends = unix::signal(SignalKind::child())?;
    let mut arrivals = FORWARDED
        .map(|(kind, forwarded)| Ok((unix::signal(kind)?, forwarded)))
        .into_iter()
        .collect::<io::Result<Vec<_>>>()?;
    let child = Command::new(env::current_exe()?).args(env::args_os().skip(1)).spawn()?;
    let child = Pid::from_raw(child.id().cast_signed()).ok_or(io::ErrorKind::NotFound)?;
    loop {
        tokio::select! {
            _ = ends.recv() => {
                if let Some(status) = reap(child)? {
                    return Ok(status);
                }
            }
            signal = next(&mut arrivals) => {
                // It may have ended this moment; its end is next then.
                let _ = kill_process(child, signal);
            }
        }
    }
}

/// The next signal to hand on.
async fn next(arrivals: &mut [(unix::Signal, Signal)]) -> Signal {
    poll_fn(|context| {
        let arrived = arrivals
            .iter_mut()
            .find_map(|(source, signal)| source.poll_recv(context).is_ready().then_some(*signal));
        arrived.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

/// Waits for all that has ended, children and orphans. One signal may stand for many ends.
fn reap(child: Pid) -> io::Result<Option<ExitStatus>> {
    let mut ended = None;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == child => ended = Some(ExitStatus::from_raw(status.as_raw())),
            Ok(Some(_)) => {}
            Ok(None) | Err(Errno::CHILD) => return Ok(ended),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_a_shell() {
        for (raw, expected) in [(0, 0), (3 << 8, 3), (255 << 8, 255), (9, 137), (15, 143)] {
            assert_eq!(code(ExitStatus::from_raw(raw)), expected, "of {raw:#x}");
        }
    }
}
