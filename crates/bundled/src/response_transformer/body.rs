//! A body in JSON whose members change.

use std::sync::Arc;

use polygate_chain::{BodyFilter, Exchange};
use polygate_telemetry::log;
use serde_json::Value;

use super::config::Config;

/// Bytes that are held back; a longer body passes as it is.
const LARGEST: usize = 16 << 20;

pub struct Rewriter {
    config: Arc<Config>,
    held: Vec<u8>,
    is_too_large: bool,
}

impl Rewriter {
    pub fn new(config: Arc<Config>) -> Self {
        Self { config, held: Vec::new(), is_too_large: false }
    }
}

impl BodyFilter for Rewriter {
    fn piece(&mut self, _: &mut Exchange, piece: &[u8], out: &mut Vec<u8>) {
        if self.held.len() + piece.len() > LARGEST {
            if !self.is_too_large {
                log!(Warn, "[response-transformer] a body of more than {LARGEST} bytes passes as it is");
            }
            self.is_too_large = true;
            out.append(&mut self.held);
        }
        match self.is_too_large {
            true => out.extend_from_slice(piece),
            false => self.held.extend_from_slice(piece),
        }
    }

    /// What is no object stays as it is.
    fn end(&mut self, _: &mut Exchange, out: &mut Vec<u8>) {
        match serde_json::from_slice(&self.held) {
            Ok(Value::Object(mut members)) => {
                self.config.json().apply(&mut members);
                out.extend_from_slice(Value::Object(members).to_string().as_bytes());
            }
            _ => out.append(&mut self.held),
        }
    }
}
