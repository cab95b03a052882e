//! Bodies of gRPC-Web: Base64 that may be padded anywhere, and messages in frames.

use polygate_bundled::decoders::{Frames, from_text, to_text, write};

/// A body.
pub fn grpc_web(data: &[u8]) {
    if let Some(bytes) = from_text(data) {
        let mut text = Vec::new();
        to_text(&bytes, &mut text);
        assert_eq!(from_text(&text), Some(bytes), "of {}", data.escape_ascii());
    }
    let whole = frames(&[data]);
    assert!(data.starts_with(&whole), "other messages than came");
    let middle = data.split_at(data.len() / 2);
    assert_eq!(frames(&[middle.0, middle.1]), whole, "pieces of {}", data.escape_ascii());
}

/// The whole messages of a stream, written again.
fn frames(pieces: &[&[u8]]) -> Vec<u8> {
    let (mut frames, mut found) = (Frames::default(), Vec::new());
    for piece in pieces {
        frames.add(piece);
        while let Ok(Some((kind, message))) = frames.take() {
            write(kind, &message, &mut found);
        }
    }
    found
}
