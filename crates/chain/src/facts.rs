//! What the log record and the variables of nginx both show.

use bytes::Bytes;

use crate::session::Tls;
use crate::{Exchange, Phase, Session};

/// One status per try; none if nothing was tried.
pub fn upstream_statuses(exchange: &Exchange) -> impl Iterator<Item = u16> {
    let failed = exchange.session.tries.iter().filter_map(|attempt| Some(attempt.failure?.1));
    let answered = exchange.service_response.as_ref().map(|response| response.status);
    failed.chain(answered)
}

/// Path and query as sent upstream, or as they were to be sent; empty before routing. The query is added when the access
/// phase has ended, as in the reference.
pub fn upstream_uri(exchange: &Exchange) -> Bytes {
    let query = exchange.request.query.as_ref().filter(|_| exchange.session.phase > Phase::Access);
    match (&exchange.session.upstream.sent, &exchange.session.upstream.path, query) {
        (Some(sent), ..) => sent.uri.clone(),
        (None, Some(path), Some(query)) => [path.as_bytes(), b"?", query].concat().into(),
        (None, Some(path), None) => path.clone().into(),
        (None, None, _) => Bytes::new(),
    }
}

/// What was found about the client's certificate, unless a plugin said otherwise. The gateway asks for one when a plugin
/// wants it, and leaves it to plugins whom to believe; the text is the reference's then.
pub fn client_verify<'a>(session: &'a Session, tls: &Tls) -> &'a str {
    let found =
        if tls.client_chain.is_some() { "FAILED:unable to verify the first certificate" } else { "NONE" };
    session.client_verify.as_deref().unwrap_or(found)
}

/// The first certificate of a chain in PEM.
pub fn leaf_certificate(chain: &str) -> Option<&str> {
    const END: &str = "-----END CERTIFICATE-----\n";
    chain.find(END).map(|at| &chain[..at + END.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaf_is_the_first_of_the_chain() {
        let one = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
        assert_eq!(leaf_certificate(&format!("{one}{one}")), Some(one));
        assert_eq!(leaf_certificate("x"), None);
    }
}
