//! YAML text to a JSON value.
//!
//! Plain scalars are read by the rules of YAML 1.1, which files in use rely on (`yes`, `0777`, `~`).
//! Anchors, aliases and merge keys work; a key given twice is an error, since one of the two values
//! would be lost. Keys are always texts.

mod scalar;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use serde_json::{Map, Value};

use super::report::SyntaxError;

const MAX_DEPTH: usize = 100;
/// How many values aliases may add in all, against files that multiply themselves. A long text counts as
/// one more for every [`TEXT_UNIT`] bytes.
const MAX_ALIASED: usize = 1_000_000;
const TEXT_UNIT: usize = 64;

pub(super) fn parse(text: &str) -> Result<Value, SyntaxError> {
    let mut reader =
        Reader { parser: Parser::new_from_str(text), anchors: HashMap::new(), aliased: 0, depth: 0 };
    reader.document()
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    /// Finished nodes, with the number of values in each.
    anchors: HashMap<usize, (Value, usize)>,
    aliased: usize,
    depth: usize,
}

type Tagged<'a> = Option<Cow<'a, Tag>>;

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), SyntaxError> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(scan_error(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    /// An empty text is null.
    fn document(&mut self) -> Result<Value, SyntaxError> {
        let mut document = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(document.unwrap_or_default()),
                Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(_) if document.is_some() => {
                    return Err(error_at(span.start, "only one document is allowed"));
                }
                Event::DocumentStart(_) => {
                    let (event, span) = self.next()?;
                    document = Some(self.node(event, span.start)?);
                }
                _ => return Err(error_at(span.start, "unexpected content")),
            }
        }
    }

    fn node(&mut self, event: Event<'a>, at: Marker) -> Result<Value, SyntaxError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(error_at(at, "nested too deeply"));
        }
        let (anchor, value) = match event {
            Event::Alias(anchor) => (0, self.alias(anchor, at)?),
            Event::Scalar(text, style, anchor, tag) => (anchor, scalar(&text, style, &tag, at)?),
            Event::SequenceStart(anchor, tag) => {
                check_tag(&tag, at)?;
                (anchor, self.sequence()?)
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(&tag, at)?;
                (anchor, self.mapping()?)
            }
            _ => return Err(error_at(at, "expected a value")),
        };
        self.depth -= 1;
        if anchor != 0 {
            let count = count(&value);
            self.anchors.insert(anchor, (value.clone(), count));
        }
        Ok(value)
    }

    fn alias(&mut self, anchor: usize, at: Marker) -> Result<Value, SyntaxError> {
        let Some((value, count)) = self.anchors.get(&anchor) else {
            return Err(error_at(at, "an alias cannot stand inside the value it refers to"));
        };
        self.aliased += count;
        if self.aliased > MAX_ALIASED {
            return Err(error_at(at, "aliases add too many values"));
        }
        Ok(value.clone())
    }

    fn sequence(&mut self) -> Result<Value, SyntaxError> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Value::Array(items));
            }
            items.push(self.node(event, span.start)?);
        }
    }

    fn mapping(&mut self) -> Result<Value, SyntaxError> {
        let mut members = Map::new();
        let mut merged = Map::new();
        loop {
            let (event, span) = self.next()?;
            let Event::Scalar(key, style, _, _) = event else {
                if event == Event::MappingEnd {
                    break;
                }
                return Err(error_at(span.start, "a key must be a scalar"));
            };
            let (event, value_span) = self.next()?;
            let value = self.node(event, value_span.start)?;
            if key == "<<" && style == ScalarStyle::Plain {
                merge(&mut merged, value, value_span.start)?;
            } else if members.contains_key(key.as_ref()) {
                return Err(error_at(span.start, format!("duplicate key '{key}'")));
            } else {
                members.insert(key.into_owned(), value);
            }
        }
        // What the mapping itself says wins, wherever the merge key stands.
        for (key, value) in merged {
            members.entry(key).or_insert(value);
        }
        Ok(Value::Object(members))
    }
}

/// Of several merged mappings the first with a key gives its value.
fn merge(merged: &mut Map<String, Value>, value: Value, at: Marker) -> Result<(), SyntaxError> {
    let sources = match value {
        Value::Array(sources) => sources,
        source => vec![source],
    };
    for source in sources {
        let Value::Object(members) = source else {
            return Err(error_at(at, "a merge key takes a mapping or a list of mappings"));
        };
        for (key, value) in members {
            merged.entry(key).or_insert(value);
        }
    }
    Ok(())
}

fn scalar(text: &str, style: ScalarStyle, tag: &Tagged<'_>, at: Marker) -> Result<Value, SyntaxError> {
    check_tag(tag, at)?;
    let is_text = match tag {
        Some(tag) => tag.suffix == "str" || is_verbatim(tag),
        None => style != ScalarStyle::Plain,
    };
    if is_text {
        return Ok(Value::String(text.to_owned()));
    }
    scalar::resolve(text).map_err(|message| error_at(at, message))
}

/// The tags of the standard, and `!` for "as it is written".
fn check_tag(tag: &Tagged<'_>, at: Marker) -> Result<(), SyntaxError> {
    match tag {
        None => Ok(()),
        Some(tag) if tag.is_yaml_core_schema() || is_verbatim(tag) => Ok(()),
        Some(tag) => Err(error_at(at, format!("unknown tag '{tag}'"))),
    }
}

fn is_verbatim(tag: &Tag) -> bool {
    tag.handle.is_empty() && tag.suffix == "!" || tag.handle == "!" && tag.suffix.is_empty()
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(members) => {
            members.iter().map(|(key, value)| key.len() / TEXT_UNIT + count(value)).sum()
        }
        Value::String(text) => text.len() / TEXT_UNIT,
        _ => 0,
    }
}

fn scan_error(error: &ScanError) -> SyntaxError {
    error_at(*error.marker(), error.info())
}

fn error_at(at: Marker, message: impl Into<String>) -> SyntaxError {
    SyntaxError { message: message.into(), line: at.line(), column: at.col() + 1 }
}
