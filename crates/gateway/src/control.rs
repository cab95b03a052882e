//! Questions to the running gateway: HTTP over the unix socket in its prefix.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

/// Longer than any answer takes: they are made from memory.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum ControlError {
    #[error("could not ask the running gateway at {}: {cause}", socket.display())]
    Unreachable { socket: PathBuf, cause: io::Error },
    #[error("the running gateway answered {path} with nonsense: '{answer}'")]
    Nonsense { path: &'static str, answer: String },
}

/// The JSON that the gateway behind `socket` answers to `GET path`.
pub fn get(socket: &Path, path: &'static str) -> Result<Value, ControlError> {
    let answer = exchange(socket, path)
        .map_err(|cause| ControlError::Unreachable { socket: socket.to_owned(), cause })?;
    body(&answer).ok_or(ControlError::Nonsense { path, answer })
}

fn exchange(socket: &Path, path: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: control\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The body of a 200 whose end is the connection's.
fn body(answer: &str) -> Option<Value> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?;
    (status == "200").then(|| serde_json::from_str(body).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_success_with_json_counts() {
        assert_eq!(body("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]"), Some(Value::Array(Vec::new())));
        for answer in ["", "HTTP/1.1 404 Not Found\r\n\r\n{}", "HTTP/1.1 200 OK\r\n\r\nhello", "\r\n\r\n{}"] {
            assert_eq!(body(answer), None, "{answer:?}");
        }
    }
}
