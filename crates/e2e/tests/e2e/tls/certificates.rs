//! Certificates from the `openssl` program, each a pair of files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A folder with an authority, `ca`, and what it signed.
pub struct Certificates {
    folder: TempDir,
}

impl Certificates {
    pub fn new() -> Self {
        let made = Self { folder: TempDir::new().unwrap() };
        made.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -days 30 \
             -subj /CN=authority",
        );
        made
    }

    /// Signs a certificate whose files are named after its name.
    pub fn sign(&self, name: &str) -> &Self {
        self.sign_with(name, name, "ec -pkeyopt ec_paramgen_curve:P-256")
    }

    /// Signs a certificate with a key of a kind, as `openssl req -newkey` takes it.
    pub fn sign_with(&self, file: &str, name: &str, kind: &str) -> &Self {
        fs::write(self.folder.path().join("extensions"), format!("subjectAltName=DNS:{name},IP:127.0.0.1\n"))
            .unwrap();
        self.openssl(&format!(
            "req -newkey {kind} -nodes -keyout {file}.key -out {file}.csr -subj /CN={name}"
        ));
        self.openssl(&format!(
            "x509 -req -in {file}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out {file}.crt -days 30 -extfile \
             extensions"
        ));
        self
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub fn text(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    fn openssl(&self, arguments: &str) {
        let mut command = Command::new("openssl");
        let output = command.args(arguments.split(' ')).current_dir(self.folder.path()).output().unwrap();
        assert!(output.status.success(), "openssl {arguments}: {output:?}");
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
