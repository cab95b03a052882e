//! Who a request says it comes from.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use polygate_http1::Headers;

/// Clients leave the padding out now and then, and what follows the user is of no interest here.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The user of `Basic` credentials, whether the password is right or not (RFC 7617, section 2).
pub fn basic_user(headers: &Headers) -> Option<String> {
    let (scheme, credentials) = headers.text("Authorization")?.split_once(' ')?;
    let (user, _) =
        user_and_password(credentials.trim().as_bytes()).filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    Some(String::from_utf8_lossy(&user).into_owned())
}

/// What stands behind the scheme of `Basic` credentials.
pub fn user_and_password(credentials: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut user = BASE64.decode(credentials).ok()?;
    let colon = user.iter().position(|&byte| byte == b':')?;
    let password = user.split_off(colon + 1);
    user.pop();
    Some((user, password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_of_basic_credentials() {
        for (line, user) in [
            ("Basic YWxpY2U6czpjcmV0", Some("alice")),
            ("bASIC  YWxpY2U6", Some("alice")),
            ("Basic YWxpY2U6cw==", Some("alice")),
            ("Basic YWxpY2U6cw", Some("alice")),
            ("Basic OnB3", Some("")),
            ("Basic YWxpY2U=", None),
            ("Basic ???", None),
            ("Basic", None),
            ("Bearer YWxpY2U6cw==", None),
        ] {
            let headers = Headers::from_iter([("authorization", line)]);
            assert_eq!(basic_user(&headers).as_deref(), user, "of {line}");
        }
        assert_eq!(basic_user(&Headers::new()), None);
    }
}
