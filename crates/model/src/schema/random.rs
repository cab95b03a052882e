//! Random keys, secrets and tokens.

/// Characters of a generated key.
const LENGTH: usize = 32;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// 32 letters and digits from the system's generator.
///
/// # Panics
///
/// When the system has no randomness to give, since a guessable secret would be worse.
pub fn alphanumeric() -> String {
    let mut text = String::with_capacity(LENGTH);
    let mut bytes = [0; 2 * LENGTH];
    while text.len() < LENGTH {
        getrandom::fill(&mut bytes).expect("the system provides randomness");
        // Bytes past the last multiple of 62 would favour the first letters.
        let usable = bytes.iter().filter(|byte| **byte < 248);
        let letters = usable.map(|byte| char::from(ALPHABET[usize::from(byte % 62)]));
        text.extend(letters.take(LENGTH - text.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn draws_32_letters_and_digits() {
        let (one, other) = (super::alphanumeric(), super::alphanumeric());
        assert_eq!(one.len(), 32);
        assert!(one.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{one}");
        assert_ne!(one, other);
    }
}
