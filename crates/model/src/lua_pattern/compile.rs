//! Text to items.

use super::pattern::{Class, Item, MAX_CAPTURES, MAX_REPEATS, Pattern, PatternError};

pub(super) fn compile(text: &[u8]) -> Result<Pattern, PatternError> {
    let (anchored, text) = match text {
        [b'^', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mut compiler = Compiler { text, at: 0, captures: 0, open: Vec::new(), closed: Vec::new() };
    let mut items = Vec::new();
    while compiler.at < text.len() {
        items.push(compiler.item()?);
    }
    if !compiler.open.is_empty() {
        return Err(PatternError::UnfinishedCapture);
    }
    let repeats = |item: &&Item| matches!(item, Item::Greedy { .. } | Item::Lazy(_) | Item::Optional(_));
    if items.iter().filter(repeats).count() > MAX_REPEATS {
        return Err(PatternError::TooComplex);
    }
    Ok(Pattern { anchored, items, captures: compiler.captures })
}

struct Compiler<'a> {
    text: &'a [u8],
    at: usize,
    captures: usize,
    open: Vec<usize>,
    closed: Vec<usize>,
}

impl Compiler<'_> {
    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn item(&mut self) -> Result<Item, PatternError> {
        match (self.peek(0), self.peek(1)) {
            (Some(b'('), Some(b')')) => {
                self.at += 2;
                let capture = self.new_capture()?;
                self.closed.push(capture);
                Ok(Item::Position(capture))
            }
            (Some(b'('), _) => {
                self.at += 1;
                let capture = self.new_capture()?;
                self.open.push(capture);
                Ok(Item::Open(capture))
            }
            (Some(b')'), _) => {
                self.at += 1;
                let capture = self.open.pop().ok_or(PatternError::InvalidCapture)?;
                self.closed.push(capture);
                Ok(Item::Close(capture))
            }
            (Some(b'$'), None) => {
                self.at += 1;
                Ok(Item::End)
            }
            (Some(b'%'), Some(b'b')) => self.balanced(),
            (Some(b'%'), Some(b'f')) => {
                self.at += 2;
                if self.peek(0) != Some(b'[') {
                    return Err(PatternError::MissingSetAfterFrontier);
                }
                Ok(Item::Frontier(self.class()?))
            }
            (Some(b'%'), Some(digit @ b'0'..=b'9')) => self.back_reference(digit),
            _ => self.repeated(),
        }
    }

    fn new_capture(&mut self) -> Result<usize, PatternError> {
        if self.captures == MAX_CAPTURES {
            return Err(PatternError::TooManyCaptures);
        }
        self.captures += 1;
        Ok(self.captures - 1)
    }

    fn balanced(&mut self) -> Result<Item, PatternError> {
        let (Some(open), Some(close)) = (self.peek(2), self.peek(3)) else {
            return Err(PatternError::MissingBalanceArguments);
        };
        self.at += 4;
        Ok(Item::Balanced { open, close })
    }

    fn back_reference(&mut self, digit: u8) -> Result<Item, PatternError> {
        self.at += 2;
        let capture = usize::from(digit).wrapping_sub(usize::from(b'1'));
        if !self.closed.contains(&capture) {
            return Err(PatternError::InvalidCapture);
        }
        Ok(Item::BackReference(capture))
    }

    fn repeated(&mut self) -> Result<Item, PatternError> {
        let class = self.class()?;
        let item = match self.peek(0) {
            Some(b'*') => Item::Greedy { class, at_least: 0 },
            Some(b'+') => Item::Greedy { class, at_least: 1 },
            Some(b'-') => Item::Lazy(class),
            Some(b'?') => Item::Optional(class),
            _ => return Ok(Item::One(class)),
        };
        self.at += 1;
        Ok(item)
    }

    fn class(&mut self) -> Result<Class, PatternError> {
        let Some(byte) = self.peek(0) else { return Err(PatternError::MissingBracket) };
        self.at += 1;
        match byte {
            b'.' => Ok(Class::any()),
            b'[' => self.set(),
            b'%' => self.escaped(),
            byte => Ok(single(byte)),
        }
    }

    fn escaped(&mut self) -> Result<Class, PatternError> {
        let byte = self.peek(0).ok_or(PatternError::EndsWithEscape)?;
        self.at += 1;
        Ok(named(byte))
    }

    /// After the `[`. A `]` in the first place stands for itself.
    fn set(&mut self) -> Result<Class, PatternError> {
        let negated = self.peek(0) == Some(b'^');
        self.at += usize::from(negated);
        let mut class = Class::default();
        let mut first = true;
        loop {
            let byte = self.peek(0).ok_or(PatternError::MissingBracket)?;
            self.at += 1;
            if byte == b']' && !first {
                break;
            }
            first = false;
            class = class.union(match (byte, self.peek(0), self.peek(1)) {
                (b'%', None, _) => return Err(PatternError::MissingBracket),
                (b'%', _, _) => self.escaped()?,
                (low, Some(b'-'), Some(high)) if high != b']' => {
                    self.at += 2;
                    collect(|byte| (low..=high).contains(&byte))
                }
                _ => single(byte),
            });
        }
        Ok(if negated { class.complement() } else { class })
    }
}

fn single(byte: u8) -> Class {
    let mut class = Class::default();
    class.insert(byte);
    class
}

fn collect(accepts: impl Fn(u8) -> bool) -> Class {
    let mut class = Class::default();
    (0..=u8::MAX).filter(|byte| accepts(*byte)).for_each(|byte| class.insert(byte));
    class
}

/// What `%a` and its kin stand for; `%` before anything else is that byte itself.
fn named(letter: u8) -> Class {
    let class = match letter.to_ascii_lowercase() {
        b'a' => collect(|byte| byte.is_ascii_alphabetic()),
        b'c' => collect(|byte| byte.is_ascii_control()),
        b'd' => collect(|byte| byte.is_ascii_digit()),
        b'g' => collect(|byte| byte.is_ascii_graphic()),
        b'l' => collect(|byte| byte.is_ascii_lowercase()),
        b'p' => collect(|byte| byte.is_ascii_punctuation()),
        // C's isspace has the vertical tab too.
        b's' => collect(|byte| byte == b' ' || (b'\t'..=b'\r').contains(&byte)),
        b'u' => collect(|byte| byte.is_ascii_uppercase()),
        b'w' => collect(|byte| byte.is_ascii_alphanumeric()),
        b'x' => collect(|byte| byte.is_ascii_hexdigit()),
        b'z' => single(0),
        _ => return single(letter),
    };
    if letter.is_ascii_uppercase() { class.complement() } else { class }
}
