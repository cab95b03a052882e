//! Entities and the schema engine that validates them.
//!
//! The one description of services, routes, consumers, plugins and the rest. Everything that reads
//! configuration (the declarative file now, the Admin API later) goes JSON -> [`schema`] -> typed
//! [`entities`]; everything that serves traffic sees the typed, immutable structs only.

pub mod consumers;
pub mod credentials;
pub mod entities;
pub mod lua_pattern;
pub mod path;
pub mod schema;
mod tables;
pub mod vault;
mod written;

pub use consumers::Consumers;
pub use credentials::{Credential, CredentialKind, Credentials};
pub use entities::{
    CaCertificate, Certificate, Consumer, HashOn, Id, OnError, Plugin, Protocol, Reference, Route, Service,
    Sni, Target, Upstream, Vault,
};
pub use tables::Entities;
pub use vault::Vaults;
pub use written::Written;
