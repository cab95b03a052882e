//! Attribute values to rules.

use serde_json::{Map, Value};

use super::reader::Reader;
use crate::lua_pattern::Pattern;
use crate::schema::named;
use crate::schema::rules::{ORDER, Rule, Worded};

impl Rule {
    /// Whether the rule comes after the length rules in the order of rules.
    pub(super) fn runs_after_lengths(&self) -> bool {
        use Rule::{
            Contains, Exclusive, LenMax, Match, MatchAll, MatchAny, MatchNone, Named, NotMatch, Own,
            StartsWith,
        };
        matches!(
            self,
            LenMax(_)
                | StartsWith(_)
                | NotMatch(_)
                | MatchNone(_)
                | Match(_)
                | MatchAll(_)
                | MatchAny { .. }
                | Contains(_)
                | Named(_)
                | Own(_)
                | Exclusive(_)
        )
    }
}

impl Reader {
    /// The rules of a field in the order in which they run.
    pub(super) fn rules(&mut self, definition: &Map<String, Value>, kind: &str) -> Vec<Rule> {
        let mut rules = Vec::new();
        for attribute in ORDER {
            let Some(value) = definition.get(attribute).filter(|value| is_given(attribute, value)) else {
                continue;
            };
            let own = self.checks.iter().find(|(name, _)| attribute == "check" && value == *name);
            if let Some((_, check)) = own {
                rules.push(Rule::Own(*check));
                continue;
            }
            match rule(attribute, value) {
                Ok(rule) => rules.extend(rule),
                Err(message) => self.inside(attribute, |reader| reader.problem(message)),
            }
        }
        if kind == "string" {
            least_length(&mut rules);
        }
        rules
    }
}

/// A null attribute is one left out, except where null is the operand.
pub(super) fn is_given(attribute: &str, value: &Value) -> bool {
    !value.is_null() || matches!(attribute, "eq" | "ne")
}

/// None for a rule that is switched off (`uuid: false`).
fn rule(attribute: &str, value: &Value) -> Result<Option<Rule>, String> {
    Ok(Some(match attribute {
        "eq" => Rule::Eq(value.clone()),
        "ne" => Rule::Ne(value.clone()),
        "not_one_of" => Rule::NotOneOf(array(value)?.clone()),
        "one_of" => Rule::OneOf(array(value)?.clone()),
        "gt" => Rule::Gt(number(value)?),
        "timestamp" => return Ok(boolean(value)?.then_some(Rule::Timestamp)),
        "uuid" => return Ok(boolean(value)?.then_some(Rule::Uuid)),
        "is_regex" => return Ok(boolean(value)?.then_some(Rule::IsRegex)),
        "between" => between(value)?,
        "len_eq" => Rule::LenEq(count(value)?),
        "len_min" => Rule::LenMin(count(value)?),
        "len_max" => Rule::LenMax(count(value)?),
        "starts_with" => Rule::StartsWith(text(value)?.to_owned()),
        "not_match" => Rule::NotMatch(pattern(value)?),
        "match" => Rule::Match(pattern(value)?),
        "match_none" => Rule::MatchNone(worded_patterns(value)?),
        "match_all" => Rule::MatchAll(worded_patterns(value)?),
        "match_any" => match_any(value)?,
        "contains" => Rule::Contains(value.clone()),
        "check" => {
            let name = text(value)?;
            Rule::Named(named::value_check(name).ok_or_else(|| format!("no such check: {name}"))?)
        }
        "mutually_exclusive_subsets" => {
            Rule::Exclusive(array(value)?.iter().map(|set| array(set).cloned()).collect::<Result<_, _>>()?)
        }
        // Functions, which the attribute check has refused.
        _ => return Ok(None),
    }))
}

fn array(value: &Value) -> Result<&Vec<Value>, &'static str> {
    value.as_array().ok_or("expected an array")
}

fn text(value: &Value) -> Result<&str, &'static str> {
    value.as_str().ok_or("expected a string")
}

fn number(value: &Value) -> Result<f64, &'static str> {
    value.as_f64().ok_or("expected a number")
}

fn boolean(value: &Value) -> Result<bool, &'static str> {
    value.as_bool().ok_or("expected a boolean")
}

fn count(value: &Value) -> Result<u64, &'static str> {
    let number = value.as_f64().filter(|number| number.fract() == 0.0 && *number >= 0.0);
    number.map(|number| number as u64).ok_or("expected an integer")
}

fn between(value: &Value) -> Result<Rule, &'static str> {
    match array(value)?.as_slice() {
        [low, high] => Ok(Rule::Between(number(low)?, number(high)?)),
        _ => Err("length must be 2"),
    }
}

fn pattern(value: &Value) -> Result<Pattern, String> {
    let text = text(value)?;
    Pattern::new(text).map_err(|error| format!("{error}: {text}"))
}

fn worded_patterns(value: &Value) -> Result<Vec<Worded>, String> {
    let entry = |entry: &Value| {
        let source = entry.get("pattern").ok_or("pattern: required field missing")?;
        Ok(Worded { pattern: pattern(source)?, error: message(entry)? })
    };
    array(value)?.iter().map(entry).collect()
}

fn match_any(value: &Value) -> Result<Rule, String> {
    let patterns = array(value.get("patterns").ok_or("patterns: required field missing")?)?;
    let patterns = patterns.iter().map(pattern).collect::<Result<_, _>>()?;
    Ok(Rule::MatchAny { patterns, error: message(value)? })
}

fn message(entry: &Value) -> Result<Option<String>, &'static str> {
    match entry.get("err") {
        None | Some(Value::Null) => Ok(None),
        Some(error) => Ok(Some(text(error).map_err(|_| "err: expected a string")?.to_owned())),
    }
}

/// An empty text is refused unless the schema says otherwise.
fn least_length(rules: &mut Vec<Rule>) {
    if !rules.iter().any(|rule| matches!(rule, Rule::LenMin(_))) {
        let place = rules.iter().position(|rule| rule.runs_after_lengths()).unwrap_or(rules.len());
        rules.insert(place, Rule::LenMin(1));
    }
}
