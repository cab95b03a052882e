//! What goes with a cookie (RFC 6265, section 4.1).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use httpdate::fmt_http_date;
use serde::Deserialize;

#[derive(Deserialize)]
pub struct Attributes {
    #[serde(rename = "cookie_path")]
    path: Option<String>,
    #[serde(rename = "cookie_domain")]
    domain: Option<String>,
    #[serde(rename = "cookie_same_site")]
    same_site: Option<String>,
    #[serde(rename = "cookie_http_only")]
    http_only: Option<bool>,
    #[serde(rename = "cookie_secure")]
    secure: Option<bool>,
}

impl Attributes {
    /// A `Set-Cookie` value; `lifetime` in seconds, or as long as the browser is open.
    pub fn set(&self, name: &str, value: &str, lifetime: Option<f64>) -> String {
        let until = lifetime.map(|seconds| {
            let seconds = seconds.max(0.0).floor();
            let end = Duration::try_from_secs_f64(seconds)
                .ok()
                .and_then(|left| SystemTime::now().checked_add(left));
            (end.unwrap_or(UNIX_EPOCH), seconds)
        });
        self.text(name, value, until)
    }

    /// Takes a cookie away.
    pub fn ended(&self, name: &str) -> String {
        self.text(name, "", Some((UNIX_EPOCH, 0.0)))
    }

    fn text(&self, name: &str, value: &str, until: Option<(SystemTime, f64)>) -> String {
        let same_site = self.same_site.as_deref().filter(|mode| *mode != "Default");
        let parts = [
            Some(format!("{name}={value}")),
            self.domain.as_ref().map(|domain| format!("Domain={domain}")),
            self.path.as_ref().map(|path| format!("Path={path}")),
            same_site.map(|mode| format!("SameSite={mode}")),
            self.secure.unwrap_or(true).then(|| "Secure".to_owned()),
            self.http_only.unwrap_or(true).then(|| "HttpOnly".to_owned()),
            until.map(|(end, _)| format!("Expires={}", fmt_http_date(end))),
            until.map(|(_, seconds)| format!("Max-Age={seconds:.0}")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
}
