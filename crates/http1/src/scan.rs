//! Looking at many bytes at a time.

/// Whether all bytes are good. Of those that lie side by side, with no way out in the middle, the compiler makes a few
/// instructions; so `is_good` has none either: `&` and `|` instead of `&&` and `||`.
pub fn all(text: &[u8], is_good: impl Fn(u8) -> bool + Copy) -> bool {
    // The last piece may overlap the one before.
    match (text.last_chunk::<16>(), text.first_chunk::<8>(), text.last_chunk()) {
        (Some(last), ..) => all_in(text.as_chunks().0.iter().chain([last]), is_good),
        (_, Some(first), Some(last)) => all_in([first, last].into_iter(), is_good),
        _ => text.iter().all(|&byte| is_good(byte)),
    }
}

fn all_in<'t, const N: usize>(
    pieces: impl Iterator<Item = &'t [u8; N]>,
    is_good: impl Fn(u8) -> bool,
) -> bool {
    let mut is_bad = [false; N];
    for piece in pieces {
        is_bad.iter_mut().zip(piece).for_each(|(is_bad, &byte)| *is_bad |= !is_good(byte));
    }
    is_bad == [false; N]
}

/// [`<[u8]>::make_ascii_lowercase`], faster where the text is as short as a name.
pub fn make_lowercase(text: &mut [u8]) {
    let change = |piece: &mut [u8; 8]| piece.iter_mut().for_each(|byte| *byte = byte.to_ascii_lowercase());
    match text.last_chunk_mut() {
        None => text.make_ascii_lowercase(),
        Some(last) => {
            // What is changed twice stays as it is.
            change(last);
            text.as_chunks_mut().0.iter_mut().for_each(change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wherever the one byte is, in texts of every length.
    #[test]
    fn no_byte_is_overlooked() {
        for length in 0..50 {
            let mut text = vec![b'a'; length];
            assert!(all(&text, |byte| byte == b'a'));
            for at in 0..length {
                text[at] = b'B';
                assert!(!all(&text, |byte| byte == b'a'), "{at} of {length}");
                make_lowercase(&mut text);
                assert_eq!(text[at], b'b', "{at} of {length}");
                text[at] = b'a';
            }
        }
    }
}
