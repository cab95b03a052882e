//! Checks that are code, by the name our own schemas use them under.

use std::net::IpAddr;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

use super::address::{Address, AddressError};
use crate::path::{is_text, normalize};

pub(crate) type Check = fn(&str) -> Result<(), String>;
pub(crate) type RecordCheck = fn(&Map<String, Value>) -> Result<(), String>;

pub(crate) fn value_check(name: &str) -> Option<Check> {
    Some(match name {
        "certificate" => certificate,
        "cookie_name" => cookie_name,
        "header_name" => header_name,
        "host" => host,
        "host_with_optional_port" => host_with_optional_port,
        "ip" => ip,
        "ip_or_cidr" => ip_or_cidr,
        "path" => path,
        "private_key" => private_key,
        "public_key" => public_key,
        "redirect_uri" => redirect_uri,
        "route_host" => route_host,
        "route_path" => route_path,
        "sni" => sni,
        "tag" => tag,
        "target" => target,
        "upstream_name" => upstream_name,
        "url" => url,
        "utf8_name" => utf8_name,
        "vault_name" => vault_name,
        "wildcard_host" => wildcard_host,
        _ => return None,
    })
}

pub(crate) fn record_check(name: &str) -> Option<RecordCheck> {
    match name {
        "one_certificate" => Some(one_certificate),
        _ => None,
    }
}

fn refuse(message: String) -> Result<(), String> {
    Err(message)
}

// Hosts.

fn host(text: &str) -> Result<(), String> {
    match Address::parse(text) {
        Ok(Address { port: None, .. }) => Ok(()),
        Ok(_) | Err(AddressError::Port) => refuse("must not have a port".to_owned()),
        Err(AddressError::Host) => refuse(format!("invalid value: {text}")),
    }
}

fn host_with_optional_port(text: &str) -> Result<(), String> {
    match Address::parse(text) {
        Ok(_) => Ok(()),
        Err(error @ AddressError::Port) => refuse(error.to_string()),
        Err(error @ AddressError::Host) => refuse(format!("{error}: {text}")),
    }
}

/// The placing of the wildcard is a matter of patterns; what remains must be a host.
fn route_host(text: &str) -> Result<(), String> {
    host_with_optional_port(&text.replace('*', "abc"))
}

fn sni(text: &str) -> Result<(), String> {
    host(text)?;
    match Address::parse(text) {
        Ok(address) if !address.is_name() => refuse("must not be an IP".to_owned()),
        _ => Ok(()),
    }
}

fn wildcard_host(text: &str) -> Result<(), String> {
    if let Some(place) = text.find('*') {
        if place != 0 && place + 1 != text.len() {
            return refuse("wildcard must be leftmost or rightmost character".to_owned());
        }
        if text.matches('*').count() > 1 {
            return refuse("only one wildcard must be specified".to_owned());
        }
    }
    sni(&text.replace('*', "wildcard")).map_err(|message| message.replace("wildcard", "*"))
}

fn upstream_name(text: &str) -> Result<(), String> {
    match Address::parse(text) {
        Err(_) => refuse(format!("Invalid name ('{text}'); must be a valid hostname")),
        Ok(address) if !address.is_name() => {
            refuse(format!("Invalid name ('{text}'); no ip addresses allowed"))
        }
        Ok(address) if address.port.is_some() => refuse(format!("Invalid name ('{text}'); no port allowed")),
        Ok(_) => Ok(()),
    }
}

fn target(text: &str) -> Result<(), String> {
    match Address::parse(text) {
        Ok(_) => Ok(()),
        Err(_) => refuse(format!("Invalid target ('{text}'); not a valid hostname or ip address")),
    }
}

fn ip(text: &str) -> Result<(), String> {
    match text.parse::<IpAddr>() {
        Ok(_) => Ok(()),
        Err(_) => refuse(format!("not an ip address: {text}")),
    }
}

fn ip_or_cidr(text: &str) -> Result<(), String> {
    if text.parse::<IpAddr>().is_ok() || text.parse::<ipnet::IpNet>().is_ok() {
        return Ok(());
    }
    refuse(format!("invalid ip or cidr range: '{text}'"))
}

// Paths and addresses of pages.

/// The characters of RFC 3986, with every `%` part of a triplet.
fn path(text: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_~/%:@!$&'()*+,;=".contains(&byte);
    if !text.starts_with('/') || !text.bytes().all(allowed) {
        return refuse(format!(
            "invalid path: '{text}' (characters outside of the reserved list of RFC 3986 found)"
        ));
    }
    percent_encoding(text)
}

fn percent_encoding(text: &str) -> Result<(), String> {
    for (place, _) in text.match_indices('%') {
        let wrong: String = text[place..].chars().take(3).collect();
        if wrong.len() != 3 || !wrong[1..].bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return refuse(format!("invalid url-encoded value: '{wrong}'"));
        }
    }
    Ok(())
}

fn route_path(text: &str) -> Result<(), String> {
    let Some(pattern) = text.strip_prefix('~') else {
        percent_encoding(text)?;
        let normal = normalize(text);
        if !is_text(&normal) {
            return refuse("its triplets are no UTF-8, and no request with such a path is matched".into());
        }
        if text != normal {
            return refuse(format!("non-normalized path, consider use '{normal}' instead"));
        }
        return Ok(());
    };
    match regex::Regex::new(pattern) {
        Ok(_) => Ok(()),
        Err(error) => {
            // The last line of the library's drawing is the reason.
            let drawing = error.to_string();
            let reason = drawing.lines().next_back().unwrap_or_default().trim_start_matches("error: ");
            refuse(format!("invalid regex: '{pattern}' ({reason})"))
        }
    }
}

fn url(text: &str) -> Result<(), String> {
    match text.split_once("://") {
        None => refuse("missing host in url".to_owned()),
        Some(("", _)) => refuse("missing scheme in url".to_owned()),
        Some((_, rest)) if rest.is_empty() || rest.starts_with(['/', '?', '#']) => {
            refuse("missing host in url".to_owned())
        }
        Some(_) => Ok(()),
    }
}

fn redirect_uri(text: &str) -> Result<(), String> {
    if url(text).is_err() {
        return refuse(format!("cannot parse '{text}'"));
    }
    if text.contains('#') {
        return refuse(format!("fragment not allowed in '{text}'"));
    }
    Ok(())
}

// Names.

fn header_name(text: &str) -> Result<(), String> {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        return Ok(());
    }
    refuse(format!("bad header name '{text}', allowed characters are A-Z, a-z, 0-9, '_', and '-'"))
}

/// A token of RFC 9110, section 5.6.2.
fn cookie_name(text: &str) -> Result<(), String> {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)) {
        return Ok(());
    }
    refuse(format!("invalid cookie name '{text}': it must be an HTTP token (RFC 9110, section 5.6.2)"))
}

fn utf8_name(text: &str) -> Result<(), String> {
    let allowed =
        |letter: char| !letter.is_ascii() || letter.is_ascii_alphanumeric() || ".-_~".contains(letter);
    if text.chars().all(allowed) {
        return Ok(());
    }
    refuse(format!(
        "invalid value '{text}': the only accepted ascii characters are alphanumerics or ., -, _, and ~"
    ))
}

fn tag(text: &str) -> Result<(), String> {
    let allowed = |letter: char| match letter {
        ',' | '/' => false,
        letter => !letter.is_ascii() || letter == ' ' || letter.is_ascii_graphic(),
    };
    if text.chars().all(allowed) {
        return Ok(());
    }
    refuse(format!(
        "invalid tag '{text}': expected printable ascii (except `,` and `/`) or valid utf-8 sequences"
    ))
}

fn vault_name(text: &str) -> Result<(), String> {
    if text == "env" { Ok(()) } else { refuse(format!("vault '{text}' is not installed")) }
}

// Certificates: the shape only. Whether key and certificate belong together shows when the TLS
// layer loads them.

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

fn certificate(text: &str) -> Result<(), String> {
    pem(text, |label| label == "CERTIFICATE").map_err(|reason| format!("invalid certificate: {reason}"))
}

fn private_key(text: &str) -> Result<(), String> {
    pem(text, |label| label.ends_with("PRIVATE KEY")).map_err(|reason| format!("invalid key: {reason}"))
}

fn public_key(text: &str) -> Result<(), String> {
    pem(text, |label| label == "PUBLIC KEY").map_err(|_| "invalid key".to_owned())
}

/// Whether there is a block with an acceptable label around base64.
fn pem(text: &str, accepts: impl Fn(&str) -> bool) -> Result<(), &'static str> {
    let mut label = None;
    let mut encoded = String::new();
    for line in text.lines().map(str::trim) {
        match label {
            None => {
                let begin = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----"));
                label = begin.filter(|label| accepts(label));
            }
            Some(name) if line == format!("-----END {name}-----") => {
                let bytes = BASE64_STANDARD.decode(&encoded).unwrap_or_default();
                return if bytes.is_empty() { Err("the PEM block is not base64") } else { Ok(()) };
            }
            // Old RSA keys carry headers such as `Proc-Type`.
            Some(_) if line.contains(':') || line.is_empty() => {}
            Some(_) => encoded.push_str(line),
        }
    }
    Err(if label.is_some() { "the PEM block has no end" } else { "no PEM block found" })
}

fn one_certificate(entity: &Map<String, Value>) -> Result<(), String> {
    let text = entity.get("cert").and_then(Value::as_str).unwrap_or_default();
    if text.matches(CERTIFICATE).count() > 1 {
        return refuse("please submit only one certificate at a time".to_owned());
    }
    Ok(())
}
