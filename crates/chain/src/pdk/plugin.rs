//! `kong.plugin`: the configuration that runs now.

use crate::pdk::PdkResult;
use crate::{RequestContext, Value};

pub fn get_id(context: &mut RequestContext, _args: &[Value]) -> PdkResult {
    Ok(context.plugin.as_ref().map(|plugin| plugin.id.to_string()).into())
}
