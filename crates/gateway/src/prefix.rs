//! The prefix directory: made before the gateway starts in it.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use polygate_config::{Settings, conf};
use rustix::fs::Mode;
use rustix::process::umask;
use thiserror::Error;

use crate::console::Console;

/// What could not be made.
#[derive(Debug, Error)]
#[error("could not prepare Kong prefix at {}: {}: {cause}", prefix.display(), path.display())]
pub struct PrefixError {
    prefix: PathBuf,
    path: PathBuf,
    cause: io::Error,
}

/// Whoever can write a socket can speak to the server behind it, and sockets are made by plugin servers, which
/// inherit the mask. One that lets everybody write is nobody's choice: some containers and service managers start
/// with 000. One that lets the group write may be.
pub fn restrict_umask() {
    let safe = Mode::WGRP | Mode::WOTH;
    let inherited = umask(safe);
    umask(if inherited.contains(Mode::WOTH) { inherited } else { inherited | safe });
}

/// Makes the directories and log files and saves the configuration.
pub fn prepare(settings: &Settings, console: Console) -> Result<(), PrefixError> {
    let prefix = &settings.prefix;
    let at = |path: PathBuf, done: io::Result<()>| {
        done.map_err(|cause| PrefixError { prefix: prefix.clone(), path, cause })
    };
    if !prefix.exists() {
        console.say(format!("prefix directory {} not found, trying to create it", prefix.display()));
    }
    if prefix.is_file() {
        at(prefix.clone(), Err(io::ErrorKind::NotADirectory.into()))?;
    }
    for name in ["pids", "logs", "sockets"] {
        let path = prefix.join(name);
        at(path.clone(), fs::create_dir_all(&path))?;
    }
    let sockets = prefix.join("sockets");
    at(sockets.clone(), fs::set_permissions(&sockets, Permissions::from_mode(0o755)))?;
    let pids = prefix.join("pids");
    at(pids.clone(), close_to_others(&pids))?;
    // Requests' bodies are nobody's business.
    let spool = &settings.client_body_temp_path;
    at(spool.clone(), DirBuilder::new().recursive(true).mode(0o700).create(spool))?;
    for path in log_files(settings) {
        at(path.clone(), touch(&path))?;
    }
    at(conf::saved_file(prefix), conf::save(prefix, &settings.values))
}

/// Who can write there can put files in the place of the gateway's; an earlier run may have left that open.
fn close_to_others(directory: &Path) -> io::Result<()> {
    let mode = fs::metadata(directory)?.permissions().mode();
    let closed = mode & !0o022;
    if closed == mode { Ok(()) } else { fs::set_permissions(directory, Permissions::from_mode(closed)) }
}

/// Removes what a crashed gateway left in `sockets`. Only for a prefix in which none runs.
pub fn remove_stale_sockets(prefix: &Path, console: Console) {
    for socket in sockets(prefix) {
        console.warn(format!("found a leftover unix socket: {}, removing it", socket.display()));
        if let Err(error) = fs::remove_file(&socket) {
            console.warn(format!("could not remove {}: {error}", socket.display()));
        }
    }
}

/// The internal sockets of the gateway.
pub fn sockets(prefix: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(prefix.join("sockets")).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket())).map(|entry| entry.path())
}

fn log_files(settings: &Settings) -> impl Iterator<Item = PathBuf> {
    let logs = settings.logs.clone();
    // Devices are there already, and links of containers lead to one.
    [logs.proxy_access, logs.proxy_error]
        .into_iter()
        .flatten()
        .filter(|path| !path.starts_with("/dev") && !path.is_symlink())
}

fn touch(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    OpenOptions::new().append(true).create(true).open(path).map(drop)
}
