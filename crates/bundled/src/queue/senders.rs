//! The end of all queues.

use std::sync::{Mutex, PoisonError};

use tokio::sync::{mpsc, watch};

/// What senders of all queues are told, and what tells that they have ended.
pub struct Senders {
    closing: watch::Sender<bool>,
    alive: Mutex<Option<mpsc::Sender<()>>>,
    ended: Mutex<Option<mpsc::Receiver<()>>>,
}

impl Default for Senders {
    fn default() -> Self {
        let (alive, ended) = mpsc::channel(1);
        Self {
            closing: watch::Sender::new(false),
            alive: Mutex::new(Some(alive)),
            ended: Mutex::new(Some(ended)),
        }
    }
}

impl Senders {
    /// For a new sender; `None` once all are to end.
    pub fn join(&self) -> Option<(mpsc::Sender<()>, watch::Receiver<bool>)> {
        let alive = self.alive.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Some((alive?, self.closing.subscribe()))
    }

    /// Waits until all have sent what they had. The caller limits the wait.
    pub async fn end(&self) {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.closing.send_replace(true);
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut ended) = ended {
            // Nothing is ever sent: it is closed when the last one has gone.
            let _ = ended.recv().await;
        }
    }
}
