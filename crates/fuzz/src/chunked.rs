//! Chunked bodies: what is content, and where they end.

use polygate_http1::{Decoder, Fault, Framing, Headers, is_name, is_value, write};

/// Bytes behind the head of a message.
pub fn chunked(data: &[u8]) {
    let whole = Body::read(data, data.len());
    let pieces = Body::read(data, 1);
    assert_eq!(pieces, whole, "bytes one by one, and at once");
    assert!(whole.content.len() <= data.len() && whole.taken <= data.len());
    for (name, value) in whole.trailers.iter() {
        assert!(is_name(name.as_bytes()) && is_value(value), "{name}: {}", value.escape_ascii());
    }
    if whole.is_done {
        is_the_same_again(&whole);
        // What is behind a body is not looked at.
        assert_eq!(Body::read(&data[..whole.taken], data.len()), whole);
    }
}

#[derive(Debug, PartialEq)]
struct Body {
    content: Vec<u8>,
    trailers: Headers,
    /// Where the body ends, or the bytes before the place of a fault.
    taken: usize,
    is_done: bool,
    fault: Option<Fault>,
}

impl Body {
    /// Shows `size` bytes more each time.
    fn read(data: &[u8], size: usize) -> Self {
        let mut decoder = Decoder::new(Framing::Chunked);
        let (mut content, mut taken, mut shown, mut fault) = (Vec::new(), 0, 0, None);
        while fault.is_none() && !decoder.is_done() && taken < data.len() {
            shown = (shown.max(taken) + size).min(data.len());
            match decoder.advance(&data[taken..shown]) {
                Ok(progress) => {
                    let start = taken + progress.skip;
                    taken = start + progress.content;
                    content.extend_from_slice(&data[start..taken]);
                }
                Err(error) => fault = Some(error),
            }
        }
        let is_done = decoder.is_done();
        // How much of the framing in front of a fault was taken depends on the reads.
        let taken = if is_done { taken } else { 0 };
        Self { content, trailers: decoder.trailers().cloned().unwrap_or_default(), taken, is_done, fault }
    }
}

/// In chunks of another size, and with the trailers written.
fn is_the_same_again(body: &Body) {
    let mut out = Vec::new();
    for chunk in body.content.chunks(7) {
        write::chunk_start(&mut out, chunk.len());
        out.extend_from_slice(chunk);
        out.extend_from_slice(write::CHUNK_END);
    }
    out.extend_from_slice(b"0\r\n");
    body.trailers.write_to(&mut out);
    out.extend_from_slice(b"\r\n");
    let again = Body::read(&out, out.len());
    // A blank behind each colon can make trailers too large that were not.
    if again.fault != Some(Fault::TrailersTooLarge) {
        assert_eq!((again.taken, again.fault), (out.len(), None));
        assert_eq!((&again.content, &again.trailers), (&body.content, &body.trailers));
    }
}
