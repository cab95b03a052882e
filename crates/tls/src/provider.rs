//! The one provider of cryptography.

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, ring};

pub static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(ring::default_provider()));
