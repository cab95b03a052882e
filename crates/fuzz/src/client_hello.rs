//! The first words of TLS clients.

use polygate_net::client_hello::{HelloError, MOST, Peeked, peek};

/// The beginning of a connection.
pub fn client_hello(data: &[u8]) {
    let whole = peek(data);
    for end in 0..data.len() {
        match peek(&data[..end]) {
            Ok(Peeked::Partial) => {}
            early => {
                assert_eq!(early, whole, "of {end} bytes, and of all");
                break;
            }
        }
    }
    match whole {
        Ok(Peeked::Hello { server_name: Some(name) }) => {
            assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()));
            assert!(!name.bytes().any(|byte| byte.is_ascii_uppercase()));
        }
        Ok(Peeked::Hello { server_name: None }) => {}
        Ok(Peeked::Partial) => assert!(data.len() < MOST, "a connection cannot make us keep more"),
        Ok(Peeked::NotTls) => assert!(data[0] != 22 || data[1] != 3),
        Err(HelloError::TooLong | HelloError::Record | HelloError::Hello) => assert_eq!(data[0], 22),
    }
}
