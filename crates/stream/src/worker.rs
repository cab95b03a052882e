//! What one worker thread keeps for its streams. Nothing here is shared, so nothing is locked.

use std::rc::Rc;
use std::sync::Arc;

use arc_swap::ArcSwap;
use polygate_telemetry::LogBuffer;
use polygate_transport::{Current, Thread};

use crate::Gateway;

pub struct Worker {
    pub(crate) thread: Rc<Thread>,
    pub(crate) access_log: Option<LogBuffer>,
    gateway: Current<Gateway>,
}

impl Worker {
    /// `access_log` is `None` when it is switched off.
    pub fn new(
        gateway: Arc<ArcSwap<Gateway>>,
        thread: Rc<Thread>,
        access_log: Option<LogBuffer>,
    ) -> Rc<Self> {
        Rc::new(Self { thread, access_log, gateway: Current::of(gateway) })
    }

    /// The configuration in use; whoever begins something with it keeps it to the end.
    pub(crate) fn gateway(&self) -> Arc<Gateway> {
        self.gateway.get()
    }
}
