//! The limit to a wait, for waits that follow one another quickly.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A deadline that moves with every progress.
///
/// The timer behind it is only touched when the deadline comes before it: one that rings early looks at the deadline
/// and goes on. So what happens many times for each request costs a comparison, not a timer.
#[derive(Debug, Default)]
pub struct Clock {
    timer: Option<Pin<Box<Sleep>>>,
    deadline: Option<Instant>,
}

impl Clock {
    /// One that is not running.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on there is this long; zero is no limit.
    pub fn restart(&mut self, patience: Duration) {
        self.deadline = if patience.is_zero() { None } else { Instant::now().checked_add(patience) };
    }

    pub fn stop(&mut self) {
        self.deadline = None;
    }

    pub fn is_running(&self) -> bool {
        self.deadline.is_some()
    }

    /// Ready when `patience` is over, which begins now unless the clock runs already.
    pub fn poll_within(&mut self, cx: &mut Context<'_>, patience: Duration) -> Poll<()> {
        if !self.is_running() {
            self.restart(patience);
        }
        self.poll_expired(cx)
    }

    /// What comes of a step; `None` when `patience` is over before. Zero is no limit.
    pub async fn within<T>(&mut self, patience: Duration, step: impl Future<Output = T>) -> Option<T> {
        let mut step = pin!(step);
        self.restart(patience);
        poll_fn(|cx| match step.as_mut().poll(cx) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending => self.poll_expired(cx).map(|()| None),
        })
        .await
    }

    /// Ready when the time is up.
    pub fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if timer.deadline() > deadline {
            timer.as_mut().reset(deadline);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= deadline {
                return Poll::Ready(());
            }
            timer.as_mut().reset(deadline);
        }
    }
}

/// [`Clock::within`] for a step that is the only one.
pub async fn within<T>(patience: Duration, step: impl Future<Output = T>) -> Option<T> {
    Clock::new().within(patience, step).await
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn expired(clock: &mut Clock) -> Duration {
        let start = Instant::now();
        poll_fn(|cx| clock.poll_expired(cx)).await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn deadlines_move_both_ways() {
        let mut clock = Clock::new();
        clock.restart(Duration::from_secs(10));
        assert_eq!(expired(&mut clock).await.as_secs(), 10);
        clock.restart(Duration::from_secs(60));
        assert!(poll_fn(|cx| Poll::Ready(clock.poll_expired(cx))).await.is_pending());
        clock.restart(Duration::from_secs(5));
        assert_eq!(expired(&mut clock).await.as_secs(), 5, "earlier than the timer");
        clock.restart(Duration::from_secs(5));
        assert!(poll_fn(|cx| Poll::Ready(clock.poll_expired(cx))).await.is_pending());
        tokio::time::advance(Duration::from_secs(3)).await;
        clock.restart(Duration::from_secs(5));
        assert_eq!(expired(&mut clock).await.as_secs(), 5, "progress restarts it");
    }

    #[tokio::test(start_paused = true)]
    async fn steps_one_after_the_other_have_a_limit_each() {
        let (mut clock, begun) = (Clock::new(), Instant::now());
        let seconds = Duration::from_secs;
        assert_eq!(clock.within(seconds(10), tokio::time::sleep(seconds(9))).await, Some(()));
        assert_eq!(clock.within(seconds(3), tokio::time::sleep(seconds(9))).await, None);
        assert_eq!(begun.elapsed(), seconds(12));
    }

    #[tokio::test(start_paused = true)]
    async fn zero_is_no_limit() {
        let mut clock = Clock::new();
        clock.restart(Duration::ZERO);
        let waited = tokio::time::timeout(Duration::from_secs(1_000_000), expired(&mut clock)).await;
        assert!(waited.is_err());
        assert_eq!(
            within(Duration::ZERO, tokio::time::sleep(Duration::from_secs(1_000_000))).await,
            Some(())
        );
        clock.restart(Duration::from_secs(1));
        clock.stop();
        assert!(poll_fn(|cx| Poll::Ready(clock.poll_expired(cx))).await.is_pending());
    }
}
