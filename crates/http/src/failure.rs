//! Why a request did not go its whole way, and whose doing that was: decided here and nowhere else.

use std::io;
use std::time::Duration;

use polygate_balancer::Outcome;
use polygate_chain::BodyError;
use polygate_http1::Fault;
use polygate_net::shortage::is_shortage;
use polygate_transport::peers::NoPeer;

/// What ended the way of a request between the choice of a peer and the end of the response.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It may have read a part of the response already.
    #[error("the client has left")]
    ClientLeft,
    #[error("{0}")]
    RequestBody(#[from] BodyError),

    #[error("cannot connect: {0}")]
    NotConnected(io::Error),
    /// The peer, or what it showed, was not what it had to be.
    #[error("{0}")]
    Handshake(String),
    #[error("no connection within {} ms", .0.as_millis())]
    ConnectTimeout(Duration),
    #[error("it took nothing of the request for {} ms", .0.as_millis())]
    WriteTimeout(Duration),
    #[error("it sent nothing of the response for {} ms", .0.as_millis())]
    ReadTimeout(Duration),
    /// Before the whole head of a response.
    #[error("it closed the connection without a response")]
    NoResponse,
    #[error("it reset the connection: {0}")]
    Reset(io::Error),
    #[error("its response is malformed: {0}")]
    Malformed(Fault),
    #[error("it switches protocols, which nobody asked for")]
    UnaskedUpgrade,
    #[error("it closed the connection in the middle of the response")]
    BrokenOff,

    #[error("the gateway cannot connect: {0}")]
    NoResources(io::Error),
    #[error("the request target is too long for the upstream")]
    TargetTooLong,
    /// The balancer's or the resolver's decision, in words for the client.
    #[error("{0}")]
    NoPeer(#[from] NoPeer),
    #[error("{0}")]
    Certificates(#[from] polygate_tls::Unusable),
    #[error("services over {0} are not supported here")]
    Unsupported(String),
    #[error("the host or the path of the request cannot be said in HTTP/2")]
    Unsayable,
}

/// Who has to do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    Client,
    Upstream,
    Gateway,
}

/// What `proxy_next_upstream` can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    Error,
    Timeout,
    InvalidHeader,
}

impl Failure {
    /// Of a connection attempt. That there is no descriptor, port or memory left is no fault of the peer.
    pub fn of_connect(error: io::Error) -> Self {
        if is_shortage(&error) { Self::NoResources(error) } else { Self::NotConnected(error) }
    }

    pub fn blame(&self) -> Blame {
        match self {
            Self::ClientLeft => Blame::Client,
            Self::RequestBody(BodyError::Unkept(_)) => Blame::Gateway,
            Self::RequestBody(_) => Blame::Client,
            Self::NoResources(_)
            | Self::TargetTooLong
            | Self::NoPeer(..)
            | Self::Certificates(_)
            | Self::Unsupported(_)
            | Self::Unsayable => Blame::Gateway,
            Self::NotConnected(_)
            | Self::Handshake(_)
            | Self::ConnectTimeout(_)
            | Self::WriteTimeout(_)
            | Self::ReadTimeout(_)
            | Self::NoResponse
            | Self::Reset(_)
            | Self::Malformed(_)
            | Self::UnaskedUpgrade
            | Self::BrokenOff => Blame::Upstream,
        }
    }

    /// What the client is answered; 499 is only for the log, since nobody is there.
    pub fn status(&self) -> u16 {
        match self {
            Self::ClientLeft => 499,
            Self::RequestBody(error) => error.status(),
            Self::ConnectTimeout(_) | Self::WriteTimeout(_) | Self::ReadTimeout(_) => 504,
            Self::NotConnected(_)
            | Self::Handshake(_)
            | Self::NoResponse
            | Self::Reset(_)
            | Self::Malformed(_)
            | Self::UnaskedUpgrade
            | Self::BrokenOff
            | Self::Unsupported(_) => 502,
            Self::NoResources(_) | Self::Certificates(_) | Self::Unsayable => 500,
            Self::TargetTooLong => 414,
            Self::NoPeer(no_peer) => no_peer.status,
        }
    }

    /// What the balancer is told; only what the upstream did counts.
    pub fn outcome(&self) -> Option<Outcome> {
        (self.blame() == Blame::Upstream).then(|| match self.status() {
            504 => Outcome::Timeout,
            _ => Outcome::TcpFailure,
        })
    }

    /// Under which condition another peer may be tried; `None` under none.
    pub fn condition(&self) -> Option<Condition> {
        match self {
            Self::NotConnected(_) | Self::Handshake(_) | Self::NoResponse | Self::Reset(_) => {
                Some(Condition::Error)
            }
            Self::ConnectTimeout(_) | Self::WriteTimeout(_) | Self::ReadTimeout(_) => {
                Some(Condition::Timeout)
            }
            Self::Malformed(_) | Self::UnaskedUpgrade => Some(Condition::InvalidHeader),
            _ => None,
        }
    }

    /// The peer went away without a word, as one does that has closed a kept connection.
    pub fn is_silent_end(&self) -> bool {
        matches!(self, Self::NoResponse | Self::Reset(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_upstreams_doing_counts() {
        let io = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let second = Duration::from_secs(1);
        for (failure, blame, status, outcome, condition) in [
            (Failure::ClientLeft, Blame::Client, 499, None, None),
            (Failure::RequestBody(BodyError::TooLarge), Blame::Client, 413, None, None),
            (Failure::RequestBody(BodyError::Timeout), Blame::Client, 408, None, None),
            (Failure::RequestBody(BodyError::ClientGone), Blame::Client, 499, None, None),
            (Failure::RequestBody(BodyError::Malformed("")), Blame::Client, 400, None, None),
            (Failure::RequestBody(BodyError::Unkept(io().into())), Blame::Gateway, 500, None, None),
            (
                Failure::of_connect(io()),
                Blame::Upstream,
                502,
                Some(Outcome::TcpFailure),
                Some(Condition::Error),
            ),
            (
                Failure::Handshake(String::new()),
                Blame::Upstream,
                502,
                Some(Outcome::TcpFailure),
                Some(Condition::Error),
            ),
            (
                Failure::of_connect(io::Error::from_raw_os_error(libc::EMFILE)),
                Blame::Gateway,
                500,
                None,
                None,
            ),
            (
                Failure::ConnectTimeout(second),
                Blame::Upstream,
                504,
                Some(Outcome::Timeout),
                Some(Condition::Timeout),
            ),
            (
                Failure::WriteTimeout(second),
                Blame::Upstream,
                504,
                Some(Outcome::Timeout),
                Some(Condition::Timeout),
            ),
            (
                Failure::ReadTimeout(second),
                Blame::Upstream,
                504,
                Some(Outcome::Timeout),
                Some(Condition::Timeout),
            ),
            (Failure::NoResponse, Blame::Upstream, 502, Some(Outcome::TcpFailure), Some(Condition::Error)),
            (
                Failure::Malformed(Fault::Colon),
                Blame::Upstream,
                502,
                Some(Outcome::TcpFailure),
                Some(Condition::InvalidHeader),
            ),
            (Failure::BrokenOff, Blame::Upstream, 502, Some(Outcome::TcpFailure), None),
            (Failure::NoPeer(NoPeer { status: 503, reason: String::new() }), Blame::Gateway, 503, None, None),
            (Failure::TargetTooLong, Blame::Gateway, 414, None, None),
        ] {
            assert_eq!(failure.blame(), blame, "{failure:?}");
            assert_eq!(failure.status(), status, "{failure:?}");
            assert_eq!(failure.outcome(), outcome, "{failure:?}");
            assert_eq!(failure.condition(), condition, "{failure:?}");
        }
    }
}
