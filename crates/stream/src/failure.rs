//! Why a stream did not go its whole way, and whose doing that was: decided here and nowhere else.

use std::io;
use std::time::Duration;

use polygate_balancer::Outcome;
use polygate_net::client_hello::HelloError;
use polygate_net::shortage::is_shortage;
use polygate_transport::peers::NoPeer;

/// What ended a stream before bytes went both ways.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("the client has left")]
    ClientLeft,
    #[error("the connection to the client broke: {0}")]
    ClientBroke(io::Error),
    #[error("it does not speak TLS")]
    NotTls,
    #[error("{0}")]
    Hello(#[from] HelloError),
    #[error("it did not say hello within {} ms", .0.as_millis())]
    HelloLate(Duration),
    /// Logged and counted where it was.
    #[error("the TLS handshake ended early")]
    Handshake,

    #[error("the gateway stops")]
    Stopped,
    #[error("no Route found with those values")]
    NoRoute,
    #[error("no Service found with those values")]
    NoService,
    #[error("{0}")]
    NoPeer(#[from] NoPeer),
    #[error("a service over {0} cannot be reached from this listener")]
    Unsupported(&'static str),
    #[error("{0}")]
    Certificates(#[from] polygate_tls::Unusable),
    #[error("the gateway cannot connect: {0}")]
    NoResources(io::Error),

    #[error("{0}")]
    Plugin(#[from] polygate_chain::Failure),

    #[error("cannot connect: {0}")]
    NotConnected(io::Error),
    #[error("no connection within {} ms", .0.as_millis())]
    ConnectTimeout(Duration),
    /// The peer, or what it showed, was not what it had to be.
    #[error("{0}")]
    UpstreamHandshake(String),
    /// Of datagrams: the peer says that nobody takes them.
    #[error("it takes no datagrams: {0}")]
    Refused(io::Error),
}

/// Who has to do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    Client,
    Gateway,
    Plugin,
    Upstream,
}

impl Failure {
    /// Of a connection attempt. That there is no descriptor, port or memory left is no fault of the peer.
    pub fn of_connect(error: io::Error) -> Self {
        if is_shortage(&error) { Self::NoResources(error) } else { Self::NotConnected(error) }
    }

    pub fn blame(&self) -> Blame {
        match self {
            Self::ClientLeft
            | Self::ClientBroke(_)
            | Self::NotTls
            | Self::Hello(_)
            | Self::HelloLate(_)
            | Self::Handshake => Blame::Client,
            Self::Stopped
            | Self::NoRoute
            | Self::NoService
            | Self::NoPeer(_)
            | Self::Unsupported(_)
            | Self::Certificates(_)
            | Self::NoResources(_) => Blame::Gateway,
            Self::Plugin(_) => Blame::Plugin,
            Self::NotConnected(_)
            | Self::ConnectTimeout(_)
            | Self::UpstreamHandshake(_)
            | Self::Refused(_) => Blame::Upstream,
        }
    }

    /// What the stream ends with, in the log: the numbers are those of nginx's stream modules.
    pub fn status(&self) -> u16 {
        match self {
            Self::ClientLeft | Self::HelloLate(_) => 200,
            Self::ClientBroke(_) | Self::NotTls | Self::Hello(_) => 400,
            Self::Handshake
            | Self::Stopped
            | Self::NoRoute
            | Self::Unsupported(_)
            | Self::Certificates(_)
            | Self::NoResources(_) => 500,
            Self::NoService => 503,
            Self::NoPeer(no_peer) => no_peer.status,
            Self::Plugin(failure) => failure.status,
            Self::NotConnected(_)
            | Self::ConnectTimeout(_)
            | Self::UpstreamHandshake(_)
            | Self::Refused(_) => 502,
        }
    }

    /// For metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::ClientLeft => "client_left",
            Self::ClientBroke(_) => "client_broke",
            Self::NotTls => "not_tls",
            Self::Hello(_) => "hello",
            Self::HelloLate(_) => "hello_late",
            Self::Handshake => "handshake",
            Self::Stopped => "stopped",
            Self::NoRoute => "no_route",
            Self::NoService => "no_service",
            Self::NoPeer(_) => "no_peer",
            Self::Unsupported(_) => "unsupported",
            Self::Certificates(_) => "certificates",
            Self::NoResources(_) => "no_resources",
            Self::Plugin(failure) => failure.reason,
            Self::NotConnected(_) => "not_connected",
            Self::ConnectTimeout(_) => "connect_timeout",
            Self::UpstreamHandshake(_) => "upstream_handshake",
            Self::Refused(_) => "refused",
        }
    }

    /// What the balancer is told; only what the upstream did counts.
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::ConnectTimeout(_) => Some(Outcome::Timeout),
            _ if self.blame() == Blame::Upstream => Some(Outcome::TcpFailure),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_upstreams_doing_counts() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let second = Duration::from_secs(1);
        let plugin = |status| polygate_chain::Failure {
            status,
            reason: "plugin_crashed",
            is_shown: true,
            message: String::new(),
            is_known: false,
        };
        for (failure, blame, status, outcome) in [
            (Failure::ClientLeft, Blame::Client, 200, None),
            (Failure::HelloLate(second), Blame::Client, 200, None),
            (Failure::NotTls, Blame::Client, 400, None),
            (Failure::Hello(HelloError::TooLong), Blame::Client, 400, None),
            (Failure::NoRoute, Blame::Gateway, 500, None),
            (Failure::NoService, Blame::Gateway, 503, None),
            (Failure::of_connect(io::Error::from_raw_os_error(24)), Blame::Gateway, 500, None),
            (Failure::Plugin(plugin(504)), Blame::Plugin, 504, None),
            (Failure::of_connect(refused()), Blame::Upstream, 502, Some(Outcome::TcpFailure)),
            (Failure::UpstreamHandshake(String::new()), Blame::Upstream, 502, Some(Outcome::TcpFailure)),
            (Failure::ConnectTimeout(second), Blame::Upstream, 502, Some(Outcome::Timeout)),
            (Failure::Refused(refused()), Blame::Upstream, 502, Some(Outcome::TcpFailure)),
        ] {
            assert_eq!(
                (failure.blame(), failure.status(), failure.outcome()),
                (blame, status, outcome),
                "{failure:?}"
            );
        }
    }
}
