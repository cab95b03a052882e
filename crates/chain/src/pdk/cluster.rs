//! `kong.cluster`: what several gateways with one database have in common.

use crate::pdk::PdkResult;
use crate::{Exchange, Value};

/// Nil: a gateway with a declarative file belongs to no cluster.
pub fn get_id(_context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Ok(Value::Nil)
}
