//! The lines of an upstream's head: which of them are for the client.

use polygate_http1::{Headers, items};

use crate::names::NameSet;

/// Of these a response has one. The upstream's first line wins over its others, and over what a plugin set before
/// proxying.
pub const SINGLE: NameSet<8> = NameSet::new([
    "Content-Type",
    "Content-Length",
    "Content-Encoding",
    "Date",
    "ETag",
    "Last-Modified",
    "Location",
    "Server",
]);

/// What an upstream says of its own connection, and what nginx takes as its instructions.
const OF_UPSTREAM: NameSet<6> =
    NameSet::new(["Connection", "Keep-Alive", "Trailer", "Transfer-Encoding", "Upgrade", "X-Pad"]);

/// Takes away what is between the upstream and the gateway. As in the reference, `Trailer` is for clients whose `request`
/// asks for trailers.
pub fn clean(headers: &mut Headers, request: &Headers) {
    let listed: Vec<Vec<u8>> = headers
        .get_all("Connection")
        .flat_map(items)
        .filter(|item| {
            !["close", "keep-alive", "upgrade"].iter().any(|it| it.as_bytes().eq_ignore_ascii_case(item))
        })
        .map(<[u8]>::to_vec)
        .collect();
    let mut seen = 0_u16;
    headers.retain(|name, _| {
        let is_asked_for = || name.eq_ignore_ascii_case(b"Trailer") && request.lists("TE", "trailers");
        if OF_UPSTREAM.contains(name) && !is_asked_for()
            || name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"X-Accel-"))
            || listed.iter().any(|item| item.eq_ignore_ascii_case(name))
        {
            return false;
        }
        let Some(at) = SINGLE.position(name) else { return true };
        let is_first = seen & 1 << at == 0;
        seen |= 1 << at;
        is_first
    });
}
