//! Responses of directories.

use polygate_bundled::decoders::response;

/// What a connection carried so far.
pub fn ldap_response(data: &[u8]) {
    if let Ok(Some(whole)) = response(data) {
        let more = [data, b"\x30\x0c\x02"].concat();
        assert_eq!(response(&more), Ok(Some(whole)), "what follows {}", data.escape_ascii());
    }
}
