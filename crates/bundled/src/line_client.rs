//! Lines over a connection that is kept for a while.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use polygate_chain::services::{Remote, Services, Stream};
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout};

pub struct LineClient {
    remote: Remote,
    timeout: Duration,
    keep: Duration,
    services: Arc<dyn Services>,
    idle: Mutex<Option<(Box<dyn Stream>, Instant)>>,
}

impl LineClient {
    pub fn new(remote: Remote, timeout: Duration, keep: Duration, services: Arc<dyn Services>) -> Self {
        Self { remote, timeout, keep, services, idle: Mutex::default() }
    }

    pub async fn send(&self, lines: &[Bytes]) -> Result<(), String> {
        let shown = format!("{}:{}", self.remote.host, self.remote.port);
        let mut text = Vec::with_capacity(lines.iter().map(|line| line.len() + 1).sum());
        for line in lines {
            text.extend_from_slice(line);
            text.push(b'\n');
        }
        match timeout(self.timeout, self.write(&text)).await {
            Ok(written) => written.map_err(|error| format!("{shown}: {error}")),
            Err(_) => Err(format!("{shown}: not sent within {} ms", self.timeout.as_millis())),
        }
    }

    /// One that is kept may have been closed by the server meanwhile: then all is sent once more over a new one.
    async fn write(&self, text: &[u8]) -> io::Result<()> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((mut stream, _)) = idle.filter(|(_, since)| since.elapsed() < self.keep)
            && write_all(&mut *stream, text).await.is_ok()
        {
            self.keep(stream);
            return Ok(());
        }
        let mut stream = self.services.connect(&self.remote).await?;
        write_all(&mut *stream, text).await?;
        self.keep(stream);
        Ok(())
    }

    fn keep(&self, stream: Box<dyn Stream>) {
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some((stream, Instant::now()));
    }
}

async fn write_all(stream: &mut dyn Stream, text: &[u8]) -> io::Result<()> {
    stream.write_all(text).await?;
    stream.flush().await
}
