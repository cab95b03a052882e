//! Values with expressions of Lua in them: `$(headers.x or 'none')`.

use std::sync::Arc;

use polygate_chain::Exchange;
use polygate_chain::pdk::PdkError;

use crate::lua::{Hook, Sandbox, Script, Trust};

/// What an expression sees: the four tables, and methods of text. They are filled when they are first asked.
const PRELUDE: &str = "
    local kong, tostring, setmetatable = kong, tostring, setmetatable
    local function lazy(read, name_of)
        local values
        return setmetatable({}, { __index = function(_, name)
            values = values or read()
            return values[name_of and name_of(name) or name]
        end })
    end
    local headers = lazy(kong.request.get_headers, function(name)
        return (tostring(name):lower():gsub('_', '-'))
    end)
    local query_params = lazy(kong.request.get_query)
    local uri_captures = lazy(function()
        local captures, all = kong.request.get_uri_captures(), {}
        for name, value in pairs(captures.unnamed or {}) do all[name] = value end
        for name, value in pairs(captures.named or {}) do all[name] = value end
        return all
    end)
    local shared = kong.ctx.shared
    local function text(value) if value == nil then return '' end return tostring(value) end
    local kong, ngx, string, setmetatable = nil, nil, nil, nil
    return ";

/// A value of a configuration.
pub enum Template {
    Literal(String),
    /// The number of one with expressions.
    Evaluated(usize),
}

impl Template {
    /// `given` is what [`Templates::evaluate`] answered.
    pub fn text(&self, given: &[String]) -> String {
        match self {
            Self::Literal(text) => text.clone(),
            Self::Evaluated(number) => given.get(*number).cloned().unwrap_or_default(),
        }
    }
}

/// Those of one configuration that have expressions.
#[derive(Default)]
pub struct Collector(Vec<String>);

impl Collector {
    pub fn add(&mut self, text: &str) -> Template {
        match chunk(text) {
            None => Template::Literal(text.to_owned()),
            Some(chunk) => {
                self.0.push(chunk);
                Template::Evaluated(self.0.len() - 1)
            }
        }
    }

    pub fn finish(self) -> Result<Templates, String> {
        let sandbox = Sandbox {
            trust: Trust::Sandboxed,
            environment: vec!["setmetatable".to_owned()],
            ..Sandbox::default()
        };
        Script::new(self.0, Arc::new(sandbox)).map(Templates)
    }
}

pub struct Templates(Script);

impl Templates {
    /// What each gives for the request as it is now.
    pub fn evaluate(&self, exchange: &mut Exchange) -> Result<Vec<String>, PdkError> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let values = self.0.evaluate(Hook::Access, exchange.into());
        let values = values.map_err(|reason| PdkError::thrown(format!("a template failed: {reason}")))?;
        Ok(values.iter().map(|value| value.as_str().unwrap_or_default().to_owned()).collect())
    }
}

/// Lua that gives the text with its expressions evaluated; `None` if it has none.
fn chunk(text: &str) -> Option<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, expression, after)) = next_expression(rest) {
        pieces.push(quoted(before));
        pieces.push(format!("text({expression})"));
        rest = after;
    }
    if pieces.is_empty() {
        return None;
    }
    pieces.push(quoted(rest));
    Some(format!("{PRELUDE}{}", pieces.join(" .. ")))
}

/// What stands before the first `$(...)`, in it and behind it. Parentheses are counted wherever they stand.
fn next_expression(text: &str) -> Option<(&str, &str, &str)> {
    let begin = text.find("$(")?;
    let inner = &text[begin + 2..];
    let mut depth = 1;
    for (at, letter) in inner.char_indices() {
        depth += match letter {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        if depth == 0 {
            return Some((&text[..begin], &inner[..at], &inner[at + 1..]));
        }
    }
    None
}

/// As a literal of Lua.
fn quoted(text: &str) -> String {
    let escape = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | 0 | 0x80.. => format!("\\{byte:03}"),
        byte => char::from(byte).to_string(),
    };
    format!("\"{}\"", text.bytes().map(escape).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_found_by_their_parentheses() {
        for (text, expected) in [
            ("a-$(x.y(1))-b", Some(("a-", "x.y(1)", "-b"))),
            ("$$(x)", Some(("$", "x", ""))),
            ("$(a", None),
            ("a$b(c)", None),
        ] {
            assert_eq!(next_expression(text), expected, "of {text}");
        }
        assert_eq!(quoted("a\"\\\nä"), "\"a\\034\\092\\010\\195\\164\"");
    }
}
