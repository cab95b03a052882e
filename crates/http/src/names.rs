//! Sets of header names.

/// A fixed set of header names, looked up without regard to case.
pub struct NameSet<const N: usize> {
    names: [&'static str; N],
    /// A bit for each length that occurs: most look-ups end here.
    lengths: u64,
}

impl<const N: usize> NameSet<N> {
    /// Names are shorter than 64 bytes.
    pub const fn new(names: [&'static str; N]) -> Self {
        let (mut lengths, mut at) = (0, 0);
        while at < N {
            lengths |= 1 << names[at].len();
            at += 1;
        }
        Self { names, lengths }
    }

    pub fn contains(&self, name: impl AsRef<[u8]>) -> bool {
        self.position(name).is_some()
    }

    /// Which of the names it is.
    pub fn position(&self, name: impl AsRef<[u8]>) -> Option<usize> {
        let name = name.as_ref();
        if name.len() >= 64 || self.lengths >> name.len() & 1 == 0 {
            return None;
        }
        self.names.iter().position(|own| own.as_bytes().eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_do_not_matter_and_all_else_does() {
        const SET: NameSet<3> = NameSet::new(["Host", "TE", "Via"]);
        for (name, at) in [("host", Some(0)), ("HOST", Some(0)), ("te", Some(1)), ("VIA", Some(2))] {
            assert_eq!(SET.position(name), at, "{name}");
        }
        for name in ["", "Hos", "Hosts", "Hast", "t", &"x".repeat(64), &"x".repeat(200)] {
            assert!(!SET.contains(name), "{name}");
        }
    }
}
