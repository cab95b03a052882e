//! Bytes and texts. A recorded text stands for bytes: its characters are U+0000 to U+00FF, one for each.

/// A run of header lines in their order; names as written.
pub type Lines = Vec<(String, String)>;

pub fn text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

#[track_caller]
pub fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).expect("a recorded text stands for bytes")).collect()
}

pub fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// The values of a header.
pub fn values<'a>(lines: &'a Lines, name: &'a str) -> impl Iterator<Item = &'a str> {
    lines.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

pub fn is_chunked(lines: &Lines) -> bool {
    values(lines, "Transfer-Encoding").any(|value| value.to_ascii_lowercase().contains("chunked"))
}

/// What bytes begin with.
pub enum Chunks {
    Whole {
        content: Vec<u8>,
        trailers: Vec<u8>,
        /// How many bytes the chunks took.
        length: usize,
    },
    Part,
    Broken,
}

/// Undoes the chunked coding.
pub fn dechunk(coded: &[u8]) -> Chunks {
    let (mut content, mut at) = (Vec::new(), 0);
    while let Some(line) = find(&coded[at..], b"\r\n") {
        let size = coded[at..at + line].split(|byte| *byte == b';').next().unwrap_or_default();
        let Ok(size) = usize::from_str_radix(text(size).trim(), 16) else { return Chunks::Broken };
        let start = at + line + 2;
        if size == 0 {
            // The end is an empty line, perhaps behind trailers.
            let Some(end) = find(&coded[start - 2..], b"\r\n\r\n") else { return Chunks::Part };
            let trailers = coded[start..start + end].to_vec();
            return Chunks::Whole { content, trailers, length: start + end + 2 };
        }
        let Some(chunk) = coded.get(start..start + size) else { return Chunks::Part };
        content.extend_from_slice(chunk);
        at = start + size + 2;
        if at > coded.len() {
            return Chunks::Part;
        }
    }
    Chunks::Part
}
