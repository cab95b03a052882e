//! Plugin configurations as instances of a server process.

use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use polygate_model::{Id, Plugin};
use tokio::sync::{Mutex, MutexGuard, mpsc};

use crate::configuration;
use crate::notice::Notice;

/// The last sequence number given out. A go-pdk server takes it for the instance's id, and a second
/// instance under the same number replaces the first, so numbers are never used twice.
static SEQUENCE: AtomicI32 = AtomicI32::new(0);

/// One configuration of one plugin; which instance that is in the server depends on the process.
#[derive(Debug)]
pub(crate) struct Instance {
    pub plugin: String,
    /// The configuration's JSON without its sequence number.
    text: String,
    /// Epoch in the upper half, the server's id in the lower; epochs start at 1.
    started: AtomicU64,
    starting: Mutex<()>,
    /// How often in a row a process ended while it was started in it.
    strikes: AtomicU32,
    notices: mpsc::UnboundedSender<Notice>,
}

/// After so many strikes it is not started any more: every plugin of the server would suffer.
const MOST_STRIKES: u32 = 3;

/// Equal keys mean that a running instance serves the configuration.
pub(crate) type InstanceKey = (Id, String);

impl Instance {
    pub(crate) fn new(plugin: &Plugin, text: String, notices: mpsc::UnboundedSender<Notice>) -> Self {
        Self {
            plugin: plugin.name.clone(),
            text,
            started: AtomicU64::new(0),
            starting: Mutex::new(()),
            strikes: AtomicU32::new(0),
            notices,
        }
    }

    /// The server's id for this configuration, if it was started in `epoch`.
    pub(crate) fn id(&self, epoch: u32) -> Option<u32> {
        let started = self.started.load(Ordering::Acquire);
        (started >> 32 == u64::from(epoch)).then_some(started as u32)
    }

    pub(crate) fn set_started(&self, epoch: u32, id: u32) {
        self.pardon();
        self.started.store(u64::from(epoch) << 32 | u64::from(id), Ordering::Release);
    }

    /// It is about to be started in a process that may not survive it.
    pub(crate) fn attempt(&self) -> Attempt<'_> {
        Attempt(self)
    }

    /// Whether it must be taken for the cause of that.
    pub(crate) fn is_fatal(&self) -> bool {
        self.strikes.load(Ordering::Relaxed) >= MOST_STRIKES
    }

    /// It may be started again: it was, or the configuration is loaded anew.
    pub(crate) fn pardon(&self) {
        self.strikes.store(0, Ordering::Relaxed);
    }

    /// Whoever holds it may start the instance.
    pub(crate) async fn lock(&self) -> MutexGuard<'_, ()> {
        self.starting.lock().await
    }

    /// The JSON to start it with; different each time.
    pub(crate) fn json(&self) -> String {
        configuration::with_sequence(&self.text, next_sequence())
    }
}

/// A start of an instance; dropped before its time it is a strike.
pub(crate) struct Attempt<'a>(&'a Instance);

impl Attempt<'_> {
    pub(crate) fn survived(self) {
        std::mem::forget(self);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.0.strikes.fetch_add(1, Ordering::Relaxed);
    }
}

/// No configuration in use refers to it any more: the server may forget it.
impl Drop for Instance {
    fn drop(&mut self) {
        let started = *self.started.get_mut();
        if started != 0 {
            let (epoch, id) = ((started >> 32) as u32, started as u32);
            // A supervisor that is gone has stopped its server.
            let _ = self.notices.send(Notice::Unused { epoch, id });
        }
    }
}

fn next_sequence() -> i32 {
    let previous = SEQUENCE.fetch_add(1, Ordering::Relaxed);
    assert!(previous < i32::MAX, "two thousand million instances were started");
    previous + 1
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::configuration::tests::plugin;

    #[test]
    fn sequence_numbers_are_never_used_twice() {
        let (sender, _receiver) = mpsc::unbounded_channel();
        let instance = Instance::new(&plugin("x", json!({})), "{\"a\":1}".into(), sender);
        let sequence = |json: String| -> i64 {
            let json: serde_json::Value = serde_json::from_str(&json).expect("is JSON");
            json["__seq__"].as_i64().expect("is a number")
        };
        let (first, second) = (sequence(instance.json()), sequence(instance.json()));
        assert!(1 <= first && first < second, "{first} {second}");
    }

    #[test]
    fn an_id_counts_only_in_its_epoch_and_is_reported_when_unused() {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let instance = Instance::new(&plugin("x", json!({})), "{}".into(), sender);
        assert_eq!(instance.id(1), None);
        instance.set_started(1, 0);
        assert_eq!((instance.id(1), instance.id(2)), (Some(0), None));
        drop(instance);
        assert!(matches!(receiver.try_recv(), Ok(Notice::Unused { epoch: 1, id: 0 })));
    }
}
