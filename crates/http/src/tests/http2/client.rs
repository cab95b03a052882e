//! Clients that do what is right.

use std::future::poll_fn;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{Method, Request, Response};
use tokio::task::{JoinHandle, spawn_local};

use crate::tests::World;

/// A client as the library makes it.
pub struct Client {
    pub requests: SendRequest<Bytes>,
    pub connection: JoinHandle<Result<(), h2::Error>>,
}

impl Client {
    pub async fn open(world: &World) -> Self {
        let (requests, connection) = h2::client::handshake(world.http2()).await.unwrap();
        Self { requests, connection: spawn_local(connection) }
    }

    /// Begins a request whose body is still to come.
    pub async fn begin(&mut self, method: Method, path: &str) -> (ResponseFuture, SendStream<Bytes>) {
        poll_fn(|cx| self.requests.poll_ready(cx)).await.unwrap();
        let request = Request::builder().method(method).uri(format!("http://a.test{path}")).body(()).unwrap();
        self.requests.send_request(request, false).unwrap()
    }

    pub async fn get(&mut self, path: &str) -> ResponseFuture {
        let (response, mut body) = self.begin(Method::GET, path).await;
        body.send_data(Bytes::new(), true).unwrap();
        response
    }
}

/// The content of a response, or why it broke off.
pub async fn content(response: Response<RecvStream>) -> Result<String, h2::Error> {
    let mut body = response.into_body();
    let mut content = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len()).unwrap();
        content.extend_from_slice(&piece);
    }
    Ok(String::from_utf8(content).unwrap())
}
