//! A client that keeps one connection and opens another when that is closed.

use std::fmt::{self, Display};
use std::io;
use std::net::SocketAddr;

use polygate_testkit::{Connection, Request, Response};

pub struct Client {
    to: SocketAddr,
    connection: Option<Connection>,
}

/// What a wrong answer says of its cause.
pub fn describe(answer: &Response) -> String {
    let reason = answer.header("x-polygate-reason").unwrap_or("without a reason");
    format!("{} {reason}: {}", answer.status, answer.text())
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Trouble {
    /// Nothing was sent.
    NotConnected(io::Error),
    /// The request, or a part of it, was sent.
    Unanswered(io::Error),
}

impl Client {
    pub fn new(to: SocketAddr) -> Self {
        Self { to, connection: None }
    }

    pub fn send(&mut self, request: &Request) -> Result<Response, Trouble> {
        let kept = self.connection.take();
        let mut connection =
            kept.map_or_else(|| Connection::open(self.to), Ok).map_err(Trouble::NotConnected)?;
        let answer = connection.send(request).map_err(Trouble::Unanswered)?;
        self.connection = (!answer.closes()).then_some(connection);
        Ok(answer)
    }
}

impl Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected(error) => write!(f, "no connection: {error}"),
            Self::Unanswered(error) => write!(f, "no answer: {error}"),
        }
    }
}
