//! A directory of a test's own, removed with the value.

use std::fs;
use std::path::{Path, PathBuf};

pub(crate) struct TestDirectory(PathBuf);

impl TestDirectory {
    /// `name` tells the tests of this crate apart.
    pub fn new(name: &str) -> TestDirectory {
        let path = std::env::temp_dir().join(format!("polygate-config-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("the temporary directory is writable");
        TestDirectory(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes a file and returns its path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("the test's directory is writable");
        path
    }
}

impl Drop for TestDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
