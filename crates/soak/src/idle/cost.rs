//! What connections that lie idle cost the gateway.

use std::io;
use std::thread;
use std::time::Duration;

use polygate_testkit::Gateway;

use crate::descriptors;
use crate::holdings::Holdings;
use crate::report::Report;

/// KiB that have nothing to do with the number of connections.
const BASE: u64 = 8 * 1024;
const PAUSE: Duration = Duration::from_secs(1);

/// What idle connections of one kind cost.
pub struct Idle<'g> {
    pub gateway: &'g Gateway,
    pub what: &'static str,
    /// Bytes of the gateway's memory for each.
    pub most: u64,
    pub connections: usize,
}

impl Idle<'_> {
    /// Has connections that `open` makes lie idle, twice: an allocator may keep what it got, but needs no more for the
    /// same again. Some of them are asked for something afterwards, which `ask` answers with the status.
    pub fn lie_twice<C>(
        &self,
        report: &mut Report,
        open: impl Fn() -> io::Result<C>,
        ask: impl Fn(&mut C) -> io::Result<u16>,
    ) {
        descriptors::allow(self.connections + 1000);
        let fresh = Holdings::of(self.gateway.pid());
        let first = self.lie(report, &open, &ask);
        let again = first.and_then(|first| {
            let most = self.connections as u64 * self.most / 1024 + BASE;
            first.check_growth(fresh, most, self.what, report);
            self.lie(report, &open, &ask)?.check_growth(first, BASE, self.what, report);
            Ok(())
        });
        if let Err(error) = again {
            report.fail(format!("{}: {error}", self.what));
        }
    }

    /// What the gateway held meanwhile.
    fn lie<C>(
        &self,
        report: &mut Report,
        open: impl Fn() -> io::Result<C>,
        ask: impl Fn(&mut C) -> io::Result<u16>,
    ) -> io::Result<Holdings> {
        let &Self { gateway, what, connections, .. } = self;
        let before = Holdings::of(gateway.pid());
        let mut idle = (0..connections).map(|_| open()).collect::<io::Result<Vec<_>>>()?;
        thread::sleep(PAUSE);
        let during = Holdings::of(gateway.pid());
        for connection in idle.iter_mut().step_by(connections.div_ceil(100)) {
            let status = ask(connection)?;
            report.check(status == 200, format!("{what}: {status} after it lay idle"));
        }
        drop(idle);
        let after = Holdings::after(gateway.pid(), before, 0, what, report);
        let share = 1024 * during.grown(&before) / connections as u64;
        report.say(format!(
            "{what:<6} before {before}, {connections} idle {during} ({share} bytes each), after {after}"
        ));
        Ok(during)
    }
}

/// A connection that was used, and answered well.
pub fn used<C>(mut connection: C, ask: impl Fn(&mut C) -> io::Result<u16>) -> io::Result<C> {
    match ask(&mut connection)? {
        200 => Ok(connection),
        status => Err(io::Error::other(format!("{status} at first"))),
    }
}
