//! The backtracking matcher.

use super::pattern::{Class, Item, Pattern};

/// Steps after which a match is given up as "no": a pattern such as `(.-)*.-.-.-x` on a long value
/// must not hold up the gateway.
const STEP_LIMIT: usize = 2_000_000;

pub(super) fn matches(pattern: &Pattern, value: &[u8]) -> bool {
    let mut matcher = Matcher { value, captures: vec![(0, 0); pattern.captures], steps: 0 };
    let last_start = if pattern.anchored { 0 } else { value.len() };
    (0..=last_start).any(|start| matcher.run(&pattern.items, start))
}

struct Matcher<'a> {
    value: &'a [u8],
    /// Start and length.
    captures: Vec<(usize, usize)>,
    steps: usize,
}

impl Matcher<'_> {
    /// Whether the items match from here. It recurses once per item that can try again, so its depth
    /// is bounded by the length of the pattern.
    fn run(&mut self, mut items: &[Item], mut at: usize) -> bool {
        while let [item, rest @ ..] = items {
            self.steps += 1;
            if self.steps > STEP_LIMIT {
                return false;
            }
            let next = match item {
                Item::One(class) => self.one(class, at),
                Item::Greedy { class, at_least } => return self.greedy(class, *at_least, rest, at),
                Item::Lazy(class) => return self.lazy(class, rest, at),
                Item::Optional(class) => {
                    if self.accepts(class, at) && self.run(rest, at + 1) {
                        return true;
                    }
                    Some(at)
                }
                Item::Open(capture) => return self.with_capture(*capture, (at, 0), rest, at),
                Item::Position(capture) => return self.with_capture(*capture, (at, 0), rest, at),
                Item::Close(capture) => {
                    let start = self.captures[*capture].0;
                    return self.with_capture(*capture, (start, at - start), rest, at);
                }
                Item::BackReference(capture) => self.back_reference(*capture, at),
                Item::Balanced { open, close } => self.balanced(*open, *close, at),
                Item::Frontier(class) => self.frontier(class, at),
                Item::End => (at == self.value.len()).then_some(at),
            };
            let Some(next) = next else { return false };
            (items, at) = (rest, next);
        }
        true
    }

    fn accepts(&self, class: &Class, at: usize) -> bool {
        self.value.get(at).is_some_and(|byte| class.contains(*byte))
    }

    fn one(&self, class: &Class, at: usize) -> Option<usize> {
        self.accepts(class, at).then_some(at + 1)
    }

    fn greedy(&mut self, class: &Class, at_least: usize, rest: &[Item], at: usize) -> bool {
        let longest = self.value[at..].iter().take_while(|byte| class.contains(**byte)).count();
        (at_least..=longest).rev().any(|length| self.run(rest, at + length))
    }

    fn lazy(&mut self, class: &Class, rest: &[Item], mut at: usize) -> bool {
        loop {
            if self.run(rest, at) {
                return true;
            }
            if !self.accepts(class, at) {
                return false;
            }
            at += 1;
        }
    }

    fn with_capture(&mut self, capture: usize, held: (usize, usize), rest: &[Item], at: usize) -> bool {
        let before = std::mem::replace(&mut self.captures[capture], held);
        let matched = self.run(rest, at);
        if !matched {
            self.captures[capture] = before;
        }
        matched
    }

    fn back_reference(&self, capture: usize, at: usize) -> Option<usize> {
        let (start, length) = self.captures[capture];
        let text = &self.value[start..start + length];
        self.value[at..].starts_with(text).then_some(at + length)
    }

    fn balanced(&self, open: u8, close: u8, at: usize) -> Option<usize> {
        if self.value.get(at) != Some(&open) {
            return None;
        }
        let mut depth = 1;
        for (offset, &byte) in self.value[at + 1..].iter().enumerate() {
            if byte == close {
                depth -= 1;
                if depth == 0 {
                    return Some(at + offset + 2);
                }
            } else if byte == open {
                depth += 1;
            }
        }
        None
    }

    /// Both ends of the value count as a zero byte.
    fn frontier(&self, class: &Class, at: usize) -> Option<usize> {
        let before = at.checked_sub(1).map_or(0, |before| self.value[before]);
        let here = self.value.get(at).copied().unwrap_or(0);
        (!class.contains(before) && class.contains(here)).then_some(at)
    }
}
