//! Servers of another make, which run beside a test and print the port that they listen on.

use std::io::{BufRead as _, BufReader, Lines};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

/// Ends with the test.
pub struct Server {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub address: SocketAddr,
}

impl Server {
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program is installed");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let port = lines.next().expect("a port, not the end").expect("text").trim().parse().expect("a port");
        Self { child, lines, address: ([127, 0, 0, 1], port).into() }
    }

    /// What else it prints.
    #[track_caller]
    pub fn line(&mut self) -> String {
        self.lines.next().expect("a line, not the end").expect("text")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
