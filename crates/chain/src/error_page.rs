//! The body of an error: its text, and the four formats a client can ask for.

use std::borrow::Cow;

use bytes::Bytes;
use polygate_http1::write;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    Plain,
    Html,
    Xml,
}

impl Format {
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Json => "application/json; charset=utf-8",
            Format::Plain => "text/plain; charset=utf-8",
            Format::Html => "text/html; charset=utf-8",
            Format::Xml => "application/xml; charset=utf-8",
        }
    }

    /// Whether there is a page for `content_type`.
    pub fn is_known(content_type: &str) -> bool {
        Self::of(content_type).is_some()
    }

    /// By media type without parameters, with its letters as they are: so the reference compares. Types we have no
    /// template for give `None`.
    fn of(media_type: &str) -> Option<Self> {
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        match media_type {
            "application/json" | "application/*" | "*/*" => Some(Format::Json),
            "text/plain" | "text/*" => Some(Format::Plain),
            "text/html" => Some(Format::Html),
            "application/xml" => Some(Format::Xml),
            _ => None,
        }
    }

    /// By an `Accept` header: the highest quality wins, the first of equals; unknown types mean JSON.
    fn accepted(accept: &str) -> Self {
        let mut best = ("", 0.0);
        for range in accept.split(',') {
            let quality = range
                .split(';')
                .skip(1)
                .find_map(|parameter| parameter.trim().strip_prefix("q=")?.trim().parse::<f32>().ok())
                .unwrap_or(1.0);
            if quality > best.1 {
                best = (range, quality);
            }
        }
        Self::of(best.0).unwrap_or(Format::Json)
    }
}

/// The templates: two `%s` at most, the message and the request id, in this order; `%%` is a percent sign.
#[derive(Debug, Clone)]
pub struct ErrorPages {
    pub json: String,
    pub plain: String,
    pub html: String,
    pub xml: String,
    /// For errors of the proxy itself when the request names no type.
    pub default: Format,
}

impl Default for ErrorPages {
    fn default() -> Self {
        Self {
            json: "{\n  \"message\":\"%s\",\n  \"request_id\":\"%s\"\n}".into(),
            plain: "%s\nrequest_id: %s\n".into(),
            html: "<!doctype html>\n<html>\n  <head>\n    <meta charset=\"utf-8\">\n    <title>Error</title>\n  \
                   </head>\n  <body>\n    <h1>Error</h1>\n    <p>%s.</p>\n    <p>request_id: %s</p>\n  </body>\n</html>\n"
                .into(),
            xml: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<error>\n  <message>%s</message>\n  \
                  <requestid>%s</requestid>\n</error>\n"
                .into(),
            default: Format::Plain,
        }
    }
}

impl ErrorPages {
    /// An error raised by a plugin or by the gateway's own decisions. `content_type`, if given, wins
    /// over `accept`; JSON when neither says anything we know. Answers body and content type.
    pub fn render(
        &self,
        status: u16,
        message: Option<&str>,
        request_id: &str,
        accept: Option<&[u8]>,
        content_type: Option<&str>,
    ) -> (Bytes, &'static str) {
        let accept = || accept.and_then(|it| std::str::from_utf8(it).ok()).map(Format::accepted);
        let format = content_type.and_then(Format::of).or_else(accept).unwrap_or(Format::Json);
        self.fill(format, status, message, request_id)
    }

    /// An error of the proxy: by `Accept`, else by the request's own content type, else the default.
    pub fn render_proxy(
        &self,
        status: u16,
        request_id: &str,
        accept: Option<&[u8]>,
        content_type: Option<&[u8]>,
    ) -> (Bytes, &'static str) {
        let text = |bytes| std::str::from_utf8(bytes).ok();
        let format = match (accept.and_then(text), content_type.and_then(text)) {
            (Some(accept), _) => Format::accepted(accept),
            (None, Some(content_type)) => Format::of(content_type).unwrap_or(Format::Json),
            (None, None) => self.default,
        };
        self.fill(format, status, None, request_id)
    }

    fn fill(
        &self,
        format: Format,
        status: u16,
        message: Option<&str>,
        request_id: &str,
    ) -> (Bytes, &'static str) {
        let message = message.map_or_else(|| default_message(status), Cow::Borrowed);
        let template = match format {
            Format::Json => &self.json,
            Format::Plain => &self.plain,
            Format::Html => &self.html,
            Format::Xml => &self.xml,
        };
        let message = escape(format, &message);
        let mut values = [&*message, request_id].into_iter();
        let mut body = String::with_capacity(template.len() + message.len() + request_id.len());
        let mut rest = template.as_str();
        while let Some(at) = rest.find('%') {
            body.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('s') {
                body.push_str(values.next().unwrap_or_default());
                rest = after;
            } else {
                body.push('%');
                rest = rest.strip_prefix('%').unwrap_or(rest);
            }
        }
        body.push_str(rest);
        (body.into(), format.content_type())
    }
}

fn escape(format: Format, message: &str) -> Cow<'_, str> {
    match format {
        Format::Plain => Cow::Borrowed(message),
        Format::Json => {
            let quoted = serde_json::Value::from(message).to_string();
            Cow::Owned(quoted[1..quoted.len() - 1].to_owned())
        }
        Format::Html | Format::Xml => {
            Cow::Owned(message.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
        }
    }
}

/// The type of [`plain`] pages.
pub const PLAIN_PAGE_TYPE: &str = "text/html; charset=UTF-8";

/// Statuses for which nginx has words of its own, and the reference no page.
pub fn has_plain_page(status: u16) -> bool {
    matches!(
        status,
        301..=303 | 307 | 308 | 401..=403 | 406 | 409 | 410 | 415 | 416 | 421 | 429 | 495..=497 | 501 | 505 | 507
    )
}

/// A page in nginx's words.
pub fn plain(status: u16) -> Bytes {
    let title = match status {
        302 => "Found",
        401 => "Authorization Required",
        _ => write::reason(status),
    };
    let page = format!(
        "<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n<center><h1>{status} {title}</h1></center>\r\n\
         </body>\r\n</html>\r\n"
    );
    page.into()
}

/// The text that stands for a status when nobody gave another.
pub fn default_message(status: u16) -> Cow<'static, str> {
    Cow::Borrowed(match status {
        400 => "Bad request",
        401 => "Unauthorized",
        402 => "Payment required",
        403 => "Forbidden",
        404 => "Not found",
        405 => "Method not allowed",
        406 => "Not acceptable",
        407 => "Proxy authentication required",
        408 => "Request timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length required",
        412 => "Precondition failed",
        413 => "Payload too large",
        414 => "URI too long",
        415 => "Unsupported media type",
        416 => "Range not satisfiable",
        417 => "Expectation failed",
        418 => "I'm a teapot",
        421 => "Misdirected request",
        422 => "Unprocessable entity",
        423 => "Locked",
        424 => "Failed dependency",
        425 => "Too early",
        426 => "Upgrade required",
        428 => "Precondition required",
        429 => "Too many requests",
        431 => "Request header fields too large",
        451 => "Unavailable for legal reasons",
        494 => "Request header or cookie too large",
        500 => "An unexpected error occurred",
        501 => "Not implemented",
        502 => "An invalid response was received from the upstream server",
        503 => "The upstream server is currently unavailable",
        504 => "The upstream server is timing out",
        505 => "HTTP version not supported",
        506 => "Variant also negotiates",
        507 => "Insufficient storage",
        508 => "Loop detected",
        510 => "Not extended",
        511 => "Network authentication required",
        _ => return Cow::Owned(format!("The upstream server responded with {status}")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_follow_accept() {
        for (accept, format) in [
            ("*/*", Format::Json),
            ("text/*", Format::Plain),
            ("text/html, application/json;q=0.5", Format::Html),
            ("text/plain;q=0.2, application/xml;q=0.9", Format::Xml),
            ("image/png", Format::Json),
            ("text/html;q=0, text/plain", Format::Plain),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept}");
        }
    }

    #[test]
    fn bodies_have_message_and_id() {
        let pages = ErrorPages::default();
        let (body, _) = pages.render(404, Some("no \"x\""), "1", None, None);
        assert_eq!(body, "{\n  \"message\":\"no \\\"x\\\"\",\n  \"request_id\":\"1\"\n}");
        let (body, content_type) = pages.render_proxy(502, "1", None, None);
        assert_eq!(body, "An invalid response was received from the upstream server\nrequest_id: 1\n");
        assert_eq!(content_type, "text/plain; charset=utf-8");
        let custom = ErrorPages { plain: "100%% %s".into(), ..ErrorPages::default() };
        let (body, _) = custom.render(499, None, "1", None, Some("text/plain"));
        assert_eq!(body, "100% The upstream server responded with 499");
    }
}
