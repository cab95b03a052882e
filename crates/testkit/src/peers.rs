//! Where the published plugin servers and the fixture plugins lie. `make peers` puts them there.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn repository() -> &'static Path {
    // Two folders up from crates/testkit.
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("crates/testkit is two folders deep")
}

/// A file or folder in `.peers/`. Panics with the remedy when it is not there.
#[track_caller]
pub fn peer(relative: &str) -> PathBuf {
    let path = repository().join(".peers").join(relative);
    assert!(path.exists(), "missing .peers/{relative}: run `make peers`");
    path
}

/// A file or folder in `fixtures/`.
#[track_caller]
pub fn fixture(relative: &str) -> PathBuf {
    let path = repository().join("fixtures").join(relative);
    assert!(path.exists(), "missing fixtures/{relative}");
    path
}
