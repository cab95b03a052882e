//! Bytes as text, and texts together.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use polygate_http1::scan;

/// Of tokens and keys: padding or none.
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Values as one array.
pub fn json_list(values: &[Bytes]) -> Bytes {
    [&b"["[..], &values.join(&b","[..]), b"]"].concat().into()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// With the alphabet of URLs, without padding (RFC 4648, section 5).
pub fn to_base64_url(bytes: &[u8]) -> String {
    BASE64_URL.encode(bytes)
}

/// Either alphabet of RFC 4648.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    match scan::all(text.as_bytes(), |byte| (byte != b'+') & (byte != b'/')) {
        true => BASE64_URL.decode(text).ok(),
        false => BASE64_URL.decode(text.replace('+', "-").replace('/', "_")).ok(),
    }
}
