//! Checked entities, and who writes them: the declarative file.

pub mod declarative;
pub mod reference;
