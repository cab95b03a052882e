//! What a file says of other files: its modules, its imports, and the paths in its code.
//!
//! A reader of tokens is enough for that. What is only for tests is left out, since tests look at what they like.

/// What was found in one file.
#[derive(Debug, Default)]
pub struct Source {
    /// Modules that are files of their own.
    pub children: Vec<String>,
    pub imports: Vec<Import>,
    /// Paths of two words or more in the code.
    pub paths: Vec<Vec<String>>,
}

/// One path of a `use`.
#[derive(Debug)]
pub struct Import {
    /// The name it is known by in the file; `None` when the path ends with `*`.
    pub name: Option<String>,
    pub path: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'t> {
    Word(&'t str),
    /// `::`
    Path,
    Sign(char),
}

impl Source {
    pub fn read(text: &str) -> Self {
        let mut reader = Reader { tokens: tokens(text), at: 0, source: Self::default(), inline: Vec::new() };
        reader.read();
        reader.source
    }
}

struct Reader<'t> {
    tokens: Vec<Token<'t>>,
    at: usize,
    source: Source,
    /// Where each module that is being read and has no file ends.
    inline: Vec<usize>,
}

impl<'t> Reader<'t> {
    fn read(&mut self) {
        while let Some(token) = self.next() {
            while self.inline.last().is_some_and(|end| *end < self.at) {
                self.inline.pop();
            }
            match token {
                Token::Sign('#') => self.attribute(),
                Token::Word("use") if !self.is(Token::Sign('<')) => self.tree(&[]),
                Token::Word("mod") => self.module(),
                Token::Word(first) => self.path(first),
                // What goes on behind a type, such as `<T as Trait>::Item`, is no path of its own.
                Token::Path => drop(self.next()),
                Token::Sign(_) => {}
            }
        }
    }

    fn next(&mut self) -> Option<Token<'t>> {
        let token = self.tokens.get(self.at).copied();
        self.at += 1;
        token
    }

    fn is(&self, token: Token<'_>) -> bool {
        self.tokens.get(self.at) == Some(&token)
    }

    fn take(&mut self, token: Token<'_>) -> bool {
        let is_there = self.is(token);
        self.at += usize::from(is_there);
        is_there
    }

    /// Where the group of brackets that begins at `start` ends.
    fn end_of_group(&self, start: usize) -> usize {
        let mut depth = 0;
        for (at, token) in self.tokens.iter().enumerate().skip(start) {
            match token {
                Token::Sign('(' | '[' | '{') => depth += 1,
                Token::Sign(')' | ']' | '}') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return at;
            }
        }
        self.tokens.len()
    }

    /// Passes over an attribute, and over what it is on when that is only for tests.
    fn attribute(&mut self) {
        self.take(Token::Sign('!'));
        if !self.is(Token::Sign('[')) {
            return;
        }
        let end = self.end_of_group(self.at);
        let is_for_tests = self.tokens[self.at + 1..end].starts_with(&[
            Token::Word("cfg"),
            Token::Sign('('),
            Token::Word("test"),
            Token::Sign(')'),
        ]);
        self.at = end + 1;
        if is_for_tests {
            self.skip_item();
        }
    }

    /// An item ends with a semicolon or a block, an import or a value with a semicolon alone.
    fn skip_item(&mut self) {
        while self.take(Token::Sign('#')) {
            self.at = self.end_of_group(self.at) + 1;
        }
        let mut has_block = true;
        while let Some(token) = self.next() {
            match token {
                Token::Word("use" | "const" | "static" | "let") => has_block = false,
                Token::Word("fn") => has_block = true,
                Token::Sign(';') => return,
                Token::Sign(sign @ ('(' | '[' | '{')) => {
                    self.at = self.end_of_group(self.at - 1) + 1;
                    if sign == '{' && has_block {
                        return;
                    }
                }
                _ => {}
            }
        }
    }

    fn module(&mut self) {
        let Some(Token::Word(name)) = self.next() else { return };
        if self.take(Token::Sign(';')) {
            self.source.children.push(name.to_owned());
        } else if self.is(Token::Sign('{')) {
            self.inline.push(self.end_of_group(self.at));
        }
    }

    /// A tree of imports, of which `before` was read.
    fn tree(&mut self, before: &[&'t str]) {
        let mut path = before.to_vec();
        self.take(Token::Path);
        loop {
            match self.next() {
                Some(Token::Word("self")) if !path.is_empty() => break,
                Some(Token::Word(word)) => path.push(word),
                Some(Token::Sign('*')) => return self.import(None, &path),
                Some(Token::Sign('{')) => {
                    while !self.take(Token::Sign('}')) && self.at < self.tokens.len() {
                        self.tree(&path);
                        self.take(Token::Sign(','));
                    }
                    return;
                }
                _ => return,
            }
            if !self.take(Token::Path) {
                break;
            }
        }
        let name = match self.take(Token::Word("as")) {
            true => self.next(),
            false => path.last().map(|word| Token::Word(word)),
        };
        if let Some(Token::Word(name)) = name {
            self.import(Some(name.to_owned()), &path);
        }
    }

    fn import(&mut self, name: Option<String>, path: &[&str]) {
        let path = self.outside(path);
        if !path.is_empty() {
            self.source.imports.push(Import { name, path });
        }
    }

    /// A path in the code, of which the first word was read.
    fn path(&mut self, first: &'t str) {
        let mut path = vec![first];
        while let [Some(Token::Path), Some(Token::Word(word))] =
            [self.tokens.get(self.at), self.tokens.get(self.at + 1)]
        {
            path.push(word);
            self.at += 2;
        }
        let path = self.outside(&path);
        if path.len() > 1 {
            self.source.paths.push(path);
        }
    }

    /// The path as it would stand outside of modules without files: these are the file, and lead up to it.
    fn outside(&self, path: &[&str]) -> Vec<String> {
        let ups = path.iter().take(self.inline.len()).take_while(|word| **word == "super").count();
        path[ups..].iter().map(|word| (*word).to_owned()).collect()
    }
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => comment(rest),
            '"' => string(rest),
            'r' | 'b' | 'c' if raw_string(rest).is_some() => raw_string(rest).unwrap_or(1),
            '\'' => quote(rest),
            ':' if rest.starts_with("::") => {
                tokens.push(Token::Path);
                2
            }
            _ if first == '_' || first.is_alphanumeric() => {
                let end = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
                tokens.push(Token::Word(&rest[..end]));
                end
            }
            _ => {
                if !first.is_whitespace() && first != '$' {
                    tokens.push(Token::Sign(first));
                }
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    tokens
}

/// Lengths of what begins a text, here of a comment that may hold others.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let step = match &text.as_bytes()[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                2
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn string(text: &str) -> usize {
    let mut is_escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

/// `r"..."`, `br#"..."#` and the like; `None` when it is something else.
fn raw_string(text: &str) -> Option<usize> {
    let inner = text.trim_start_matches(['b', 'c']).strip_prefix('r')?;
    let after_hashes = inner.trim_start_matches('#');
    let hashes = inner.len() - after_hashes.len();
    let content = after_hashes.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = content.find(&end).map_or(content.len(), |at| at + end.len());
    Some(text.len() - content.len() + length)
}

/// A character in quotes, or the quote of a lifetime.
fn quote(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        (Some((_, '\\')), Some((escaped, _))) => {
            text[escaped + 1..].find('\'').map_or(text.len(), |end| escaped + 1 + end + 1)
        }
        (Some(_), Some((end, '\''))) => end + 1,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(text: &str) -> Vec<String> {
        let shown = |import: Import| {
            format!("{}={}", import.name.unwrap_or_else(|| "*".into()), import.path.join("::"))
        };
        Source::read(text).imports.into_iter().map(shown).collect()
    }

    fn paths(text: &str) -> Vec<String> {
        Source::read(text).paths.into_iter().map(|path| path.join("::")).collect()
    }

    #[test]
    fn trees_of_imports_are_taken_apart() {
        assert_eq!(
            imports("use crate::{a, b::{self, c as d, e::*}};\npub(crate) use super::f;"),
            ["a=crate::a", "b=crate::b", "d=crate::b::c", "*=crate::b::e", "f=super::f",]
        );
        assert!(imports("fn f<'a>() -> impl Fn() + use<'a> {}").is_empty());
    }

    #[test]
    fn paths_are_found_in_code_alone() {
        let text = r##"
            /* crate::a::x() /* crate::b::x() */ crate::c::x() */ // crate::d::x()
            fn f<'a>(x: &'a crate::e::E) -> char {
                let _ = ("crate::g \" :: g", r#"crate::h"#, b"\\", '"', '\'', '\u{1F}');
                $crate::i::call(i::<crate::j::J>::new(), <u8 as crate::k::K>::l::m());
            }
        "##;
        assert_eq!(paths(text), ["crate::e::E", "crate::i::call", "crate::j::J", "crate::k::K"]);
    }

    #[test]
    fn what_is_for_tests_is_left_out() {
        let text = "
            #[cfg(test)]
            #[allow(dead_code)]
            mod tests;
            mod a;
            #[cfg(test)]
            mod more { use crate::x; fn f() { crate::y::z(); } }
            #[cfg(test)]
            use crate::{v, w};
            #[cfg(test)]
            const LIST: [u8; 1] = [{ crate::u::u() }];
            #[derive(Debug)]
            #[cfg(unix)]
            use crate::b;
        ";
        let source = Source::read(text);
        assert_eq!(source.children, ["a"]);
        assert_eq!(imports(text), ["b=crate::b"]);
        assert!(source.paths.is_empty());
    }

    #[test]
    fn a_module_without_a_file_is_its_file() {
        let text = "mod a { use super::super::b; fn f() { super::c::d(); } } use super::e;";
        assert_eq!(imports(text), ["b=super::b", "e=super::e"]);
        assert_eq!(paths(text), ["c::d"]);
    }
}
