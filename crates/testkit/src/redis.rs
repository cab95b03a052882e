//! A server of Redis, which may be stopped, started again, and held up.

use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::eventually::eventually;
use crate::gateway::free_address;
use crate::peers::peer;

const START_BOUND: Duration = Duration::from_secs(20);

/// Ends with the test; keeps nothing.
pub struct RedisServer {
    child: Child,
    folder: TempDir,
    pub address: SocketAddr,
}

impl RedisServer {
    #[track_caller]
    pub fn start() -> Self {
        let (folder, address) = (tempfile::tempdir().expect("a temporary directory"), free_address());
        let child = spawn(&folder, address);
        Self { child, folder, address }
    }

    /// Ends it as a crash does: what it held is lost.
    pub fn stop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Starts one that was stopped, at the same address.
    #[track_caller]
    pub fn start_again(&mut self) {
        self.child = spawn(&self.folder, self.address);
    }

    /// From now on connections are made and nothing is answered.
    pub fn hold(&self) {
        self.signal(Signal::STOP);
    }

    /// Goes on with what came while it was held.
    pub fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).expect("the server runs");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
    }
}

#[track_caller]
fn spawn(folder: &TempDir, address: SocketAddr) -> Child {
    let child = Command::new(peer("redis/bin/redis-server"))
        .args(["--bind", "127.0.0.1", "--save", "", "--port", &address.port().to_string(), "--dir"])
        .arg(folder.path())
        .stdout(Stdio::null())
        .spawn()
        .expect("the server can be run");
    eventually(START_BOUND, "a server of Redis", || TcpStream::connect(address).ok());
    child
}
