//! One handler to be run, and the time it has.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use polygate_chain::Phase;
use polygate_net::clock::Clock;
use tokio::time::{Instant, sleep_until};

use crate::channel::CallError;
use crate::generation::Generation;
use crate::notice::Suspicion;
use crate::settings::ServerSettings;
use crate::wire::fault::Fault;

/// How much of a body a server is expected to take in per second, at the least.
const BYTES_PER_SECOND: u64 = 2 << 20;

/// After so long without a message the server is looked at, beside the event, again and again.
const SILENCE: Duration = Duration::from_secs(2);

/// What is known of a handler whose SDK does not say that it raised.
pub(super) const RAISED: &str = "the handler raised an exception, see the server's output";

/// What a wire has to know to run a handler.
pub(crate) struct Task<'a> {
    pub generation: &'a Generation,
    pub settings: &'a ServerSettings,
    pub phase: Phase,
    /// The instance's id in the generation's process.
    pub instance: u32,
    pdk_calls: &'a Cell<u32>,
    /// Python handlers that had raised before.
    raised: u64,
    /// The server owes a message.
    is_unanswered: bool,
    /// The end of its time, unless it has as long as it likes. What the gateway itself takes does not count.
    end: Option<Instant>,
    /// On top, for a body that the server has to take in first.
    allowance: Duration,
    clock: Clock,
}

impl<'a> Task<'a> {
    pub(crate) fn new(
        generation: &'a Generation,
        settings: &'a ServerSettings,
        phase: Phase,
        instance: u32,
        pdk_calls: &'a Cell<u32>,
    ) -> Self {
        let end = settings.event_timeout.map(|limit| Instant::now() + limit);
        Self {
            generation,
            settings,
            phase,
            instance,
            pdk_calls,
            raised: generation.begin(),
            is_unanswered: false,
            end,
            allowance: Duration::ZERO,
            clock: Clock::new(),
        }
    }

    pub(crate) fn count_call(&self) {
        self.pdk_calls.set(self.pdk_calls.get().saturating_add(1));
    }

    /// Waits for the server's next message.
    pub(crate) async fn wait<T>(
        &mut self,
        message: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, Fault> {
        self.is_unanswered = true;
        let message = self.message(pin!(message)).await?;
        self.is_unanswered = false;
        Ok(message?)
    }

    async fn message<T>(&mut self, mut message: Pin<&mut impl Future<Output = T>>) -> Result<T, Fault> {
        let allowance = std::mem::take(&mut self.allowance);
        let now = Instant::now();
        let step = now + self.settings.step_timeout + allowance;
        let deadline = self.end.map_or(step, |end| end.min(step));
        let patience = (SILENCE + allowance).min(deadline.saturating_duration_since(now));
        self.clock.restart(patience.max(Duration::from_nanos(1)));
        let in_time = poll_fn(|cx| match message.as_mut().poll(cx) {
            Poll::Ready(message) => Poll::Ready(Some(message)),
            Poll::Pending => self.clock.poll_expired(cx).map(|()| None),
        });
        if let Some(message) = in_time.await {
            return Ok(message);
        }
        while Instant::now() < deadline {
            if self.generation.is_condemned() {
                return Err(Fault::Wedged);
            }
            if self.generation.has_raised(self.raised) {
                return Err(Fault::Plugin(RAISED.into()));
            }
            self.generation.suspect(Suspicion::Silent);
            tokio::select! {
                biased;
                message = &mut message => return Ok(message),
                () = self.generation.condemned() => return Err(Fault::Wedged),
                () = sleep_until(deadline.min(Instant::now() + SILENCE)) => {}
            }
        }
        self.generation.suspect(Suspicion::Late);
        Err(Fault::Late)
    }

    /// Runs a part that is the gateway's own.
    pub(crate) async fn own<T>(&mut self, part: impl Future<Output = T>) -> T {
        let Some(end) = self.end else { return part.await };
        let start = Instant::now();
        let output = part.await;
        self.end = Some(end + start.elapsed());
        output
    }

    /// Gives the server time for a body that it has to take in.
    pub(crate) fn allow_for(&mut self, bytes: u64) {
        self.allowance = Duration::from_millis(bytes.saturating_mul(1000) / BYTES_PER_SECOND);
        self.end = self.end.map(|end| end + self.allowance);
    }
}

impl Drop for Task<'_> {
    fn drop(&mut self) {
        self.generation.end(self.is_unanswered.then_some(self.raised));
    }
}
