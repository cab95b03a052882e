//! What both ends of TLS are configured with: certificates, who is shown which of them, and who is believed.
//!
//! `server` is for connections of clients, `upstream` for connections to services. There are no sockets here: the edge
//! crates drive `rustls` with what they get from this one. All cryptography is that of one provider, `ring`.

mod cause;
mod certificate;
mod cipher;
mod names;
mod provider;
mod server;
mod sessions;
#[cfg(test)]
mod tests;
mod upstream;
mod verifier;

pub use cause::cause;
pub use certificate::{CertificateError, GeneratedPair, certificates, chain_pem, generate, pair};
pub use cipher::{CipherSuites, UnknownCipher, Versions, cipher_name};
pub use names::Names;
pub use rustls::pki_types::CertificateDer;
pub use rustls::sign::CertifiedKey;
pub use server::{Alpn, Handshake, Server, ServerOptions};
pub use upstream::{Client, Trust, Unusable, UpstreamDefaults, UpstreamTls, Wanted, server_name};
