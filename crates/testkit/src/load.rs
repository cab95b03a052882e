//! A steady load that looks at every answer: keep-alive connections, each on a thread of its own, one request after
//! the other. A benchmark tool is quicker but only counts statuses; a test wants to know which answer was wrong.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use crate::client::{Connection, Request, Response};

/// A load that runs until it is stopped.
pub struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Vec<String>>>,
}

/// What came of a load.
#[derive(Debug)]
pub struct Outcome {
    pub answered: usize,
    /// One sentence for each request that failed or was answered wrongly.
    pub failures: Vec<String>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    answered: AtomicUsize,
}

impl Load {
    /// Sends `request` over `connections` connections; `check` says what is wrong with an answer.
    pub fn start(
        to: SocketAddr,
        connections: usize,
        request: &Request,
        check: fn(&Response) -> Result<(), String>,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        let threads = (0..connections).map(|_| {
            let (shared, request) = (Arc::clone(&shared), request.clone());
            thread::spawn(move || shared.run(to, &request, check))
        });
        Self { threads: threads.collect(), shared }
    }

    /// How many requests were answered so far, rightly or not.
    pub fn answered(&self) -> usize {
        self.shared.answered.load(Ordering::Relaxed)
    }

    pub fn stop(self) -> Outcome {
        self.shared.stop.store(true, Ordering::Relaxed);
        let failures = self.threads.into_iter().flat_map(|t| t.join().expect("a load thread does not panic"));
        Outcome { failures: failures.collect(), answered: self.shared.answered.load(Ordering::Relaxed) }
    }
}

impl Shared {
    fn run(
        &self,
        to: SocketAddr,
        request: &Request,
        check: fn(&Response) -> Result<(), String>,
    ) -> Vec<String> {
        let mut failures = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            if let Err(failure) = self.run_connection(to, request, check) {
                failures.push(failure);
            }
        }
        failures
    }

    /// Until the stop, the first failure, or an answer that announces the connection's end.
    fn run_connection(
        &self,
        to: SocketAddr,
        request: &Request,
        check: fn(&Response) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut connection = Connection::open(to).map_err(|error| format!("connect: {error}"))?;
        while !self.stop.load(Ordering::Relaxed) {
            let answer = connection.send(request).map_err(|error| format!("request: {error}"))?;
            self.answered.fetch_add(1, Ordering::Relaxed);
            check(&answer)?;
            if answer.closes() {
                return Ok(());
            }
        }
        Ok(())
    }
}
