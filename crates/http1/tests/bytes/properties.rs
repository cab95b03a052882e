//! What holds for whatever comes.

use http::{Method, Version};
use polygate_http1::{Framing, Headers, Limits, RequestParser, ResponseParser, is_name, is_value, write};

use crate::outcome::{body, growing, request, response};
use crate::random::Random;
use crate::rows::{escape, rows};

/// How often each property is tried.
const ROUNDS: u64 = 3000;

/// A few of each kind of byte.
const ANY: &[u8] = b"\0\x01\t\n\r \"#%&*,-./0159:;<=>?@ACHX[\\]_achx|~\x7f\x80\xa0\xc3\xff";
const NAME: &[u8] = b"aAbBxX-_0";
const VALUE: &[u8] = b"ab ,;:=\"\t/%\xc3\xa4\xff";

/// A row of a table with some of its bytes changed: much of it is still understood.
fn nearly(random: &mut Random, rows: &[Vec<u8>]) -> Vec<u8> {
    let mut input = random.one_of(rows).clone();
    for _ in 0..random.below(4) {
        let at = random.below(input.len() + 1);
        match random.below(4) {
            0 if at < input.len() => input[at] = *random.one_of(ANY),
            1 => drop(input.drain(at..(at + 3).min(input.len()))),
            2 => input.insert(at, *random.one_of(ANY)),
            _ => {
                let other = random.one_of(rows);
                let from = random.below(other.len() + 1);
                input.splice(at..at, other[from..].iter().copied().take(30));
            }
        }
    }
    input
}

/// The inputs of a folder that are short.
fn inputs(folder: &str) -> Vec<Vec<u8>> {
    let is_short = |input: &Vec<u8>| (1..300).contains(&input.len());
    rows(folder).into_iter().map(|row| row.input).filter(is_short).collect()
}

#[test]
fn it_does_not_matter_how_heads_come() {
    let (requests, responses) = (inputs("requests"), inputs("responses"));
    for seed in 0..ROUNDS {
        let random = &mut Random::new(seed);
        let limits = Limits { line: 20 + random.below(100), head: 20 + random.below(300) };
        let (first, size) = (1 + random.below(20), 1 + random.below(20));
        let input = nearly(random, &requests);
        let whole = request(growing(&input, usize::MAX, 1), &input, limits);
        assert_eq!(request(growing(&input, first, size), &input, limits), whole, "{}", escape(&input));
        let input = nearly(random, &responses);
        let whole = response(growing(&input, usize::MAX, 1), &input, limits);
        assert_eq!(response(growing(&input, first, size), &input, limits), whole, "{}", escape(&input));
    }
}

#[test]
fn it_does_not_matter_how_bodies_come() {
    let seeds: Vec<Vec<u8>> = inputs("bodies")
        .iter()
        .filter_map(|input| input.strip_prefix(b"chunked ").map(<[u8]>::to_vec))
        .collect();
    for seed in 0..ROUNDS {
        let random = &mut Random::new(seed);
        let input = nearly(random, &seeds);
        let length = random.below(2 * input.len()) as u64;
        for framing in [Framing::Chunked, Framing::Length(length), Framing::UntilClose] {
            let whole = body(framing, &input, usize::MAX, 1);
            let (first, size) = (1 + random.below(20), 1 + random.below(20));
            assert_eq!(body(framing, &input, first, size), whole, "{framing:?} {}", escape(&input));
        }
    }
}

/// Names and values that can be a header line, and that say nothing of the message itself.
fn headers(random: &mut Random) -> Headers {
    let mut headers = Headers::new();
    for _ in 0..random.below(30) {
        let name = [b"x".to_vec(), random.bytes(NAME, 12)].concat();
        headers.append(name, random.bytes(VALUE, 30).trim_ascii());
    }
    headers
}

fn lines(headers: &Headers) -> Vec<(String, Vec<u8>)> {
    headers.iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect()
}

#[test]
fn requests_are_read_as_they_were_written() {
    for seed in 0..ROUNDS {
        let random = &mut Random::new(seed);
        let methods = ["GET", "HEAD", "POST", "DELETE", "M-SEARCH", "LONG_METHOD_OF_OUR_OWN"];
        let method = Method::from_bytes(random.one_of(&methods).as_bytes()).expect("a method");
        let target = [b"/".to_vec(), random.bytes(b"ab/?%=&\"<>{}\\^\xc3\xff", 40)].concat();
        let mut sent = headers(random);
        sent.append("Host", random.one_of(&["a", "b.test:80", "[::1]"]));
        let length = random.below(3);
        if length > 0 {
            sent.append("Content-Length", length.to_string());
        }
        let mut out = Vec::new();
        write::request_line(&mut out, &method, &target);
        sent.write_to(&mut out);
        out.extend_from_slice(b"\r\n");
        let (head, rest) = (out.len(), random.bytes(ANY, 10));
        out.extend(rest);
        let read = RequestParser::new(Limits::default()).parse(&out);
        let read = read.expect("what we write is valid").expect("what we write is complete");
        assert_eq!((read.method, read.target, read.version), (method, target, Version::HTTP_11));
        assert_eq!((lines(&read.headers), read.length, read.dropped), (lines(&sent), head, 0));
        assert_eq!(read.framing, Framing::Length(length as u64));
    }
}

#[test]
fn responses_are_read_as_they_were_written() {
    for seed in 0..ROUNDS {
        let random = &mut Random::new(seed);
        let version = *random.one_of(&[Version::HTTP_10, Version::HTTP_11]);
        let status = 100 + random.below(900) as u16;
        let reason = random.bytes(VALUE, 20);
        let sent = headers(random);
        let mut out = Vec::new();
        write::status_line(&mut out, version, status, Some(&reason));
        sent.write_to(&mut out);
        out.extend_from_slice(b"\r\n");
        let read = ResponseParser::new(Limits::default()).parse(&out);
        let read = read.expect("what we write is valid").expect("what we write is complete");
        assert_eq!((read.version, read.status, &read.reason[..]), (version, status, &reason[..]));
        assert_eq!((lines(&read.headers), read.length), (lines(&sent), out.len()));
    }
}

#[test]
fn chunks_are_read_as_they_were_written() {
    for seed in 0..ROUNDS / 10 {
        let random = &mut Random::new(seed);
        let (mut out, mut content) = (Vec::new(), Vec::new());
        for _ in 0..random.below(10) {
            let most = *random.one_of(&[1, 17, 300, 5000]);
            let piece = random.bytes(ANY, most);
            if !piece.is_empty() {
                write::chunk_start(&mut out, piece.len());
                out.extend_from_slice(&piece);
                out.extend_from_slice(write::CHUNK_END);
                content.extend(piece);
            }
        }
        out.extend_from_slice(write::LAST_CHUNK);
        let (first, size) = (1 + random.below(6000), 1 + random.below(6000));
        let outcome = body(Framing::Chunked, &out, first, size);
        assert_eq!(outcome.line, format!("done \"{}\"", escape(&content)));
    }
}

/// Whatever is put into headers, what is written are as many lines as there are headers.
#[test]
fn no_header_becomes_two_lines() {
    for seed in 0..ROUNDS {
        let random = &mut Random::new(seed);
        let mut headers = Headers::new();
        for _ in 0..random.below(20) {
            let (name, value) = (random.bytes(ANY, 4), random.bytes(ANY, 8));
            match random.below(3) {
                0 => headers.append(name, value),
                1 => headers.insert(name, value),
                _ => headers.extend([(name, value)]),
            }
        }
        let mut out = Vec::new();
        headers.write_to(&mut out);
        assert_eq!(out.len(), headers.wire_length());
        let written: Vec<&[u8]> = out.split_inclusive(|&byte| byte == b'\n').collect();
        assert_eq!(written.len(), headers.len(), "{}", escape(&out));
        for (line, (name, value)) in written.iter().zip(headers.iter()) {
            assert_eq!(*line, [name.as_bytes(), b": ", value, b"\r\n"].concat());
            assert!(!name.is_empty() && is_value(name.as_bytes()) && is_value(value));
            assert!(!line[..line.len() - 2].iter().any(|byte| matches!(byte, b'\r' | b'\n' | b'\0')));
        }
    }
}

/// The same as [`Headers`], as simple as can be.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model(Vec<(String, Vec<u8>)>);

impl Model {
    fn append(&mut self, name: &str, value: &[u8]) {
        if is_name(name.as_bytes()) && is_value(value) {
            self.0.push((name.to_owned(), value.to_vec()));
        }
    }

    fn insert(&mut self, name: &str, value: &[u8]) {
        if !is_name(name.as_bytes()) || !is_value(value) {
            return;
        }
        let Some(first) = self.0.iter().position(|line| line.0.eq_ignore_ascii_case(name)) else {
            return self.append(name, value);
        };
        self.0[first] = (name.to_owned(), value.to_vec());
        let mut at = 0;
        self.0.retain(|line| {
            at += 1;
            at <= first + 1 || !line.0.eq_ignore_ascii_case(name)
        });
    }

    fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|line| !line.0.eq_ignore_ascii_case(name));
        before != self.0.len()
    }

    fn get_all(&self, name: &str) -> Vec<Vec<u8>> {
        self.0.iter().filter(|line| line.0.eq_ignore_ascii_case(name)).map(|line| line.1.clone()).collect()
    }
}

#[test]
fn headers_behave_as_a_list_of_lines() {
    // Some share their length, first and last letter; some cannot stand.
    let names = ["a", "A", "abc", "axc", "ABC", "aBc", "x-a", "x_a", "X-A", "host", "", "a b", "a:", "a\r\n"];
    for seed in 0..ROUNDS {
        let random = &mut Random::new(seed);
        let (mut headers, mut model) = (Headers::new(), Model::default());
        let mut copies: Vec<(Headers, Model)> = Vec::new();
        for _ in 0..random.below(60) {
            let name = *random.one_of(&names);
            let value = random.bytes(b"ab \t\xff", 9);
            let value = if random.below(20) == 0 { b"a\r\nb".to_vec() } else { value };
            match random.below(9) {
                0..=2 => (headers.append(name, &value), model.append(name, &value)).0,
                3..=5 => (headers.insert(name, &value), model.insert(name, &value)).0,
                6 => assert_eq!(headers.remove(name), model.remove(name)),
                7 => {
                    let keeps = |name: &[u8], value: &[u8]| name.len() > 1 || value.len() > 2;
                    headers.retain(keeps);
                    model.0.retain(|(name, value)| keeps(name.as_bytes(), value));
                }
                _ => copies.push((headers.clone(), model.clone())),
            }
            let other = *random.one_of(&names);
            let all: Vec<Vec<u8>> = headers.get_all(other).map(<[u8]>::to_vec).collect();
            assert_eq!(all, model.get_all(other));
            assert_eq!(headers.get(other), all.first().map(Vec::as_slice));
            assert_eq!(headers.contains(other), !all.is_empty());
            let reversed: Vec<&[u8]> = headers.get_all(other).rev().collect();
            assert!(reversed.iter().rev().eq(all.iter()));
            assert_eq!((lines(&headers), headers.len()), (model.0.clone(), model.0.len()));
            assert_eq!(headers.is_empty(), model.0.is_empty());
        }
        copies.push((headers, model));
        for (headers, model) in copies {
            assert_eq!(lines(&headers), model.0, "a copy is not touched");
            assert_eq!(headers, model.0.iter().map(|(name, value)| (name, value)).collect::<Headers>());
        }
    }
}

#[test]
fn setting_a_header_again_uses_no_memory() {
    let mut headers: Headers = [("a", "1"), ("b", "2")].into_iter().collect();
    for round in 0..100_000 {
        headers.insert("a", format!("{round}{}", "x".repeat(100)));
    }
    assert_eq!((headers.len(), headers.text("b")), (2, Some("2")));
    assert!(format!("{headers:?}").contains("99999xxx"));
}
