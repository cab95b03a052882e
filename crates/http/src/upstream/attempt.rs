//! What one try has to keep to, and how it fails.

use std::time::Duration;

use polygate_http1::ResponseHead;

use crate::client::Client;
use crate::failure::Failure;
use crate::upstream::pool::Reusable;
use crate::upstream::target::Target;
use crate::upstream::upload::Upload;

/// A connection of one version of HTTP.
pub trait Carrier: Reusable + Sized {
    /// A request's.
    type Head: ?Sized;
    /// An answer's.
    type Body;

    /// Connects within `timeouts.connect`.
    async fn open(target: Target, timeouts: UpstreamTimeouts) -> Result<Box<Self>, Failure>;

    /// Sends a request and reads the head of its answer. `interim` is shown informational responses.
    async fn exchange(
        self: Box<Self>,
        head: &Self::Head,
        upload: Upload,
        asked: Asked,
        timeouts: UpstreamTimeouts,
        client: &dyn Client,
        interim: impl FnMut(ResponseHead),
    ) -> Result<(ResponseHead, Self::Body), (Broken, Upload)>;
}

/// How long an upstream may take; zero is no limit.
#[derive(Debug, Clone, Copy)]
pub struct UpstreamTimeouts {
    pub connect: Duration,
    /// Between two writes.
    pub write: Duration,
    /// Between two reads, from the end of the request on.
    pub read: Duration,
}

/// What an answer is to, as far as it matters to where it ends.
#[derive(Clone, Copy)]
pub struct Asked {
    pub is_head: bool,
    pub websocket: bool,
}

/// A try without an answer.
pub struct Broken {
    pub failure: Failure,
    /// The peer closed the connection and had said nothing.
    pub is_silent: bool,
    /// Nothing of the request was sent.
    pub is_unsent: bool,
}

impl Broken {
    /// Before there was a connection.
    pub fn unsent(failure: Failure) -> Self {
        Self { failure, is_silent: false, is_unsent: true }
    }
}
