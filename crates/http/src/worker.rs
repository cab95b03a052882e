//! What one worker thread keeps between requests. Nothing here is shared, so nothing is locked.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use arc_swap::ArcSwap;
use polygate_telemetry::LogBuffer;
use polygate_telemetry::trace::Tracer;
use polygate_transport::{Current, Thread};

use crate::Gateway;
use crate::upstream::{Connection, Http2Connection, Pool};

pub struct Worker {
    pub(crate) thread: Rc<Thread>,
    pub(crate) pool: RefCell<Pool<Connection>>,
    pub(crate) http2_pool: RefCell<Pool<Http2Connection>>,
    pub(crate) access_log: Option<LogBuffer>,
    pub(crate) tracer: Option<Arc<Tracer>>,
    gateway: Current<Gateway>,
}

impl Worker {
    /// `access_log` and `tracer` are `None` when they are switched off.
    pub fn new(
        gateway: Arc<ArcSwap<Gateway>>,
        thread: Rc<Thread>,
        access_log: Option<LogBuffer>,
        tracer: Option<Arc<Tracer>>,
    ) -> Rc<Self> {
        Rc::new(Self {
            thread,
            pool: RefCell::default(),
            http2_pool: RefCell::default(),
            access_log,
            tracer,
            gateway: Current::of(gateway),
        })
    }

    /// The configuration in use; whoever begins something with it keeps it to the end.
    pub(crate) fn gateway(&self) -> Arc<Gateway> {
        self.gateway.get()
    }
}
