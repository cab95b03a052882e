//! Counters of streams.

use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use polygate_chain::session::{Stream, Transport};
use polygate_telemetry::metrics::{ByReason, ByStatus, IntCounter, Scrape, counter};
use polygate_transport::copy::TornCounter;

/// Over all workers, for the life of the process.
pub static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

pub struct Metrics {
    tcp: OfTransport,
    udp: OfTransport,
    /// Connections that were broken off in the middle.
    pub(crate) torn: TornCounter,
    dropped: [IntCounter; Lost::ALL.len()],
}

/// Why nobody was sent a datagram.
#[derive(Debug, Clone, Copy)]
pub enum Lost {
    /// The system did not take it for the client.
    Client,
    Upstream,
    /// Its stream waits for a first answer, and holds as many as it may.
    Unanswered,
}

impl Lost {
    const ALL: [Self; 3] = [Self::Client, Self::Upstream, Self::Unanswered];

    fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::Unanswered => "unanswered",
        }
    }
}

struct OfTransport {
    transport: Transport,
    begun: AtomicU64,
    over: AtomicU64,
    received: IntCounter,
    sent: IntCounter,
    ended: ByStatus,
    refused: ByReason,
}

impl Metrics {
    fn new() -> Self {
        Self {
            tcp: OfTransport::new(Transport::Tcp),
            udp: OfTransport::new(Transport::Udp),
            torn: TornCounter::new(
                "polygate_stream_torn_total",
                "Connections that ended before both sides had said all.",
            ),
            dropped: Lost::ALL.map(|lost| {
                let name = "polygate_stream_datagrams_dropped_total";
                counter(name, "Datagrams that were dropped, by reason.", &[("reason", lost.as_str())])
            }),
        }
    }

    fn of(&self, transport: Transport) -> &OfTransport {
        match transport {
            Transport::Tcp => &self.tcp,
            Transport::Udp => &self.udp,
        }
    }

    pub(crate) fn count_begin(&self, transport: Transport) {
        self.of(transport).begun.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_end(&self, stream: &Stream) {
        let own = self.of(stream.transport);
        own.over.fetch_add(1, Relaxed);
        own.received.inc_by(stream.received);
        own.sent.inc_by(stream.sent);
        own.ended.count(stream.status);
    }

    /// A stream that was not served; `reason` says why.
    pub(crate) fn count_refused(&self, transport: Transport, reason: &'static str) {
        self.of(transport).refused.count(reason);
    }

    /// A datagram that nobody was sent.
    pub(crate) fn count_dropped(&self, lost: Lost) {
        self.dropped[lost as usize].inc();
    }

    /// Streams since the start.
    pub fn begun(&self) -> u64 {
        self.tcp.begun.load(Relaxed) + self.udp.begun.load(Relaxed)
    }

    /// Those that have not ended.
    pub fn open(&self) -> u64 {
        self.tcp.open() + self.udp.open()
    }

    pub fn show(&self, scrape: &Scrape) {
        self.tcp.show(scrape);
        self.udp.show(scrape);
        self.torn.show(scrape);
        self.dropped.iter().for_each(|counter| scrape.add(counter));
    }
}

impl OfTransport {
    fn new(transport: Transport) -> Self {
        let labels = [("transport", transport.as_str())];
        let bytes = |direction| {
            let labels = [("transport", transport.as_str()), ("direction", direction)];
            counter("polygate_stream_bytes_total", "Bytes of clients and to clients.", &labels)
        };
        Self {
            transport,
            begun: AtomicU64::new(0),
            over: AtomicU64::new(0),
            received: bytes("received"),
            sent: bytes("sent"),
            ended: ByStatus::new(
                "polygate_stream_sessions_total",
                "Streams that have ended, by status.",
                &labels,
            ),
            refused: ByReason::new(
                "polygate_stream_refused_total",
                "Streams that ended before bytes went both ways, by reason.",
                &labels,
            ),
        }
    }

    fn open(&self) -> u64 {
        // In this order, so that what ends meanwhile has begun.
        let over = self.over.load(Relaxed);
        self.begun.load(Relaxed).saturating_sub(over)
    }

    fn show(&self, scrape: &Scrape) {
        let labels = [("transport", self.transport.as_str())];
        let open = self.open() as f64;
        scrape.gauge("polygate_stream_open", "Streams that are open.", &labels, open);
        scrape.add(&self.received);
        scrape.add(&self.sent);
        self.ended.show(scrape);
        self.refused.show(scrape);
    }
}
