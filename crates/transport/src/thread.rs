//! What one worker thread keeps for connections of every kind. Nothing here is shared, so nothing is locked.

use std::cell::RefCell;

use polygate_net::dns::Resolver;

use crate::ids::Ids;
use crate::log_phases::LogPhases;
use crate::scratch::Scratch;
use crate::under_way::UnderWay;

pub struct Thread {
    pub resolver: Resolver,
    pub log_phases: LogPhases,
    pub ids: Ids,
    pub scratch: RefCell<Scratch>,
    pub(crate) handshakes: UnderWay,
}

impl Thread {
    pub fn new(resolver: Resolver) -> Self {
        Self {
            resolver,
            log_phases: LogPhases::default(),
            ids: Ids::default(),
            scratch: RefCell::default(),
            handshakes: UnderWay::default(),
        }
    }
}
