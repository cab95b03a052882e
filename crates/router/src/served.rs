//! What routers are made of.

use std::sync::Arc;

use polygate_model::{Route, Service, Written};

/// A route with its service, if it has one.
pub type ServedRoute = (Arc<Written<Route>>, Option<Arc<Written<Service>>>);
