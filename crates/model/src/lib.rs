//! Entities and the schema engine that validates them.
//!
//! The one description of services, routes, consumers, plugins and the rest. Everything that reads
//! configuration (the declarative file now, the Admin API later) goes JSON -> [`schema`] -> typed
//! [`entities`]; everything that serves traffic sees the typed, immutable structs only.

pub mod entities;
pub mod lua_pattern;
pub mod path;
pub mod schema;
pub mod vault;

pub use entities::{
    CaCertificate, Certificate, Consumer, Credential, CredentialKind, Entities, HashOn, Id, OnError, Plugin,
    Protocol, Reference, Route, Service, Target, Upstream, Vault,
};
pub use vault::Vaults;
