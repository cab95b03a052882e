//! Connections that fail for want of something on this machine.

use std::io;

/// There is no descriptor, port or memory left: no fault of the peer's.
pub fn is_shortage(error: &io::Error) -> bool {
    let own = [libc::EMFILE, libc::ENFILE, libc::EADDRNOTAVAIL, libc::ENOBUFS, libc::ENOMEM];
    error.raw_os_error().is_some_and(|code| own.contains(&code))
}
