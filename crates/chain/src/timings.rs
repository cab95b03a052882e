//! When each step of a request began and ended.

use std::time::{Duration, Instant};

use polygate_telemetry::clock;

/// Begin and end of one step; unset until it happened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span {
    pub start: Option<Instant>,
    pub end: Option<Instant>,
}

impl Span {
    pub fn begin(&mut self, moment: Instant) {
        self.start = Some(moment);
    }

    pub fn finish(&mut self, moment: Instant) {
        self.end = Some(moment);
    }

    pub fn duration(&self) -> Option<Duration> {
        Some(self.end?.saturating_duration_since(self.start?))
    }
}

/// `upstream` is the wait for the response head, `receive` the reading of the response body.
#[derive(Debug, Clone, Copy)]
pub struct Timings {
    /// Since the Unix epoch, taken at the same moment as `start`.
    pub started_at: Duration,
    pub start: Instant,
    /// When the clock was last read for this request: what begins as something else ends begins at that moment.
    pub latest: Instant,
    pub rewrite: Span,
    pub access: Span,
    pub balancer: Span,
    pub upstream: Span,
    pub response: Span,
    pub receive: Span,
    pub log: Option<Instant>,
}

impl Timings {
    pub fn start_now() -> Self {
        let start = Instant::now();
        Self {
            started_at: clock::unix_now(),
            start,
            latest: start,
            rewrite: Span::default(),
            access: Span::default(),
            balancer: Span::default(),
            upstream: Span::default(),
            response: Span::default(),
            receive: Span::default(),
            log: None,
        }
    }

    /// Reads the clock.
    pub fn now(&mut self) -> Instant {
        self.latest = Instant::now();
        self.latest
    }

    /// Calendar time of `moment`, since the Unix epoch.
    pub fn unix(&self, moment: Instant) -> Duration {
        self.started_at + moment.saturating_duration_since(self.start)
    }

    /// Calendar time of `moment`, in milliseconds since the Unix epoch.
    pub fn unix_ms(&self, moment: Instant) -> i64 {
        self.unix(moment).as_millis() as i64
    }

    /// From the start to the end, or until now.
    pub fn total(&self) -> Duration {
        self.log.map_or_else(|| self.elapsed(), |log| log.saturating_duration_since(self.start))
    }

    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// From the start of the request until the upstream was chosen; what `X-Kong-Proxy-Latency` shows.
    pub fn until_proxied(&self) -> Option<Duration> {
        Some(self.balancer.end?.saturating_duration_since(self.start))
    }
}
