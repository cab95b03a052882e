//! `kong.plugin`: the configuration that runs now.

use crate::Session;

pub fn get_id(session: &Session) -> Option<String> {
    session.plugin.as_ref().map(|plugin| plugin.id.to_string())
}
