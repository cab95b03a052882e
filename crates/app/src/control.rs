//! What the control thread keeps for those who answer questions about it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use polygate_chain::{Node, Statistics};
use polygate_config::settings::Settings;
use polygate_telemetry::trace::Tracer;
use rustix::system::uname;
use uuid::Uuid;

use crate::configuration::Configuration;
use crate::logs::Logs;
use crate::{Error, tracing};

/// What the control thread knows; its tasks share it.
pub struct Control {
    pub node: Arc<Node>,
    /// `None` when tracing is off.
    pub tracer: Option<Arc<Tracer>>,
    pub logs: RefCell<Logs>,
    /// `None` until the first one is loaded.
    pub configuration: RefCell<Option<Rc<Configuration>>>,
    pub loads: RefCell<Loads>,
    /// Told to be taken out of service: only readiness changes.
    pub is_draining: Cell<bool>,
}

/// How often a configuration was loaded, with success or not, and why the last time failed.
#[derive(Debug, Default, Clone)]
pub struct Loads {
    pub generation: u64,
    pub error: Option<String>,
}

impl Control {
    pub fn new(settings: &Settings, logs: Logs) -> Result<Self, Error> {
        let node = Node {
            id: settings.node_id.unwrap_or_else(Uuid::new_v4),
            hostname: uname().nodename().to_string_lossy().into_owned(),
            statistics: Statistics::default(),
        };
        Ok(Self {
            tracer: tracing::start(settings, &node)?,
            node: Arc::new(node),
            logs: RefCell::new(logs),
            configuration: RefCell::default(),
            loads: RefCell::default(),
            is_draining: Cell::new(false),
        })
    }

    pub fn current(&self) -> Option<Rc<Configuration>> {
        self.configuration.borrow().clone()
    }

    /// What of the configuration in use does not work, one line each.
    pub fn problems(&self) -> Vec<String> {
        self.current().map(|current| current.problems.clone()).unwrap_or_default()
    }
}
