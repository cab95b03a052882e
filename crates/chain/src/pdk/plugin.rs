//! `kong.plugin`: the configuration that runs now.

use crate::pdk::PdkResult;
use crate::{Exchange, Value};

pub fn get_id(context: &mut Exchange, _args: &[Value]) -> PdkResult {
    Ok(context.session.plugin.as_ref().map(|plugin| plugin.id.to_string()).into())
}
