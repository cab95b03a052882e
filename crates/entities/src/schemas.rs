//! What rows of plugins are checked against, which only those who know the plugins can say.

use std::collections::HashMap;

use polygate_model::schema::Schema;

/// The plugins that configurations may name.
pub trait PluginSchemas {
    /// The schema of an enabled plugin; None for one that is unknown or not enabled.
    fn schema(&self, name: &str) -> Option<&Schema>;
}

impl PluginSchemas for HashMap<String, Schema> {
    fn schema(&self, name: &str) -> Option<&Schema> {
        self.get(name)
    }
}
