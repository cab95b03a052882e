//! The access log, in the layout of `combined` with the request id at the end.

use http::Version;
use http::header::{HeaderName, REFERER, USER_AGENT};
use polygate_chain::RequestContext;
use polygate_telemetry::LogFile;
use polygate_telemetry::clock::DateTime;

pub fn write(file: &LogFile, context: &RequestContext) {
    let request = &context.request;
    let header =
        |name: HeaderName| request.headers.get(name).map_or("-".into(), |value| escape(value.as_bytes()));
    let line = format!(
        "{} - - [{}] \"{} {} {}\" {} {} \"{}\" \"{}\" kong_request_id: \"{}\"\n",
        context.client.ip(),
        DateTime::now().common_log(),
        request.method,
        escape(request.target.as_bytes()),
        version_text(request.version),
        context.response.status,
        context.body_bytes_sent,
        header(REFERER),
        header(USER_AGENT),
        context.request_id,
    );
    file.write_line(line.as_bytes());
}

pub fn version_text(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

/// Quotes, backslashes and everything outside printable ASCII as `\xHH`: one request, one line.
fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\') {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("\\x{byte:02X}"));
        }
    }
    text
}
