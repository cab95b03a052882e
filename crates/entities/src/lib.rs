//! Checked entities, and who writes them: the declarative file now, the Admin API and a store later.
//!
//! All of them write rows into one [`EntitySet`], with the same checks and the same errors. There is no I/O here; the
//! clock is passed in.

pub mod declarative;
pub mod reference;
mod row;
mod rules;
mod schemas;
mod set;
mod stored;
mod typed;
mod violation;

pub use row::Row;
pub use rules::Rules;
pub use schemas::PluginSchemas;
pub use set::EntitySet;
pub use violation::Violation;
