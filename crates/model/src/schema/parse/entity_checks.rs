//! `entity_checks` to [`EntityCheck`]s.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::reader::Reader;
use crate::schema::checks::{Branch, Conditional, ConditionalAtLeastOneOf, EntityCheck};
use crate::schema::field::Field;
use crate::schema::named;

type Definitions = IndexMap<String, Value>;

impl Reader {
    pub(super) fn entity_checks(&mut self, source: &Value, fields: &Definitions) -> Vec<EntityCheck> {
        let Some(entries) = source.as_array() else {
            self.problem("expected an array");
            return Vec::new();
        };
        let mut checks = Vec::new();
        for entry in entries {
            let Some((name, argument)) =
                entry.as_object().filter(|entry| entry.len() == 1).and_then(|entry| entry.iter().next())
            else {
                self.problem("each entry must be an object of one member");
                continue;
            };
            checks.extend(self.inside(name, |reader| reader.entity_check(name, argument, fields)));
        }
        checks
    }

    fn entity_check(&mut self, name: &str, argument: &Value, fields: &Definitions) -> Option<EntityCheck> {
        Some(match name {
            "at_least_one_of" => EntityCheck::AtLeastOneOf(self.names(argument, fields)?),
            "only_one_of" => EntityCheck::OnlyOneOf(self.names(argument, fields)?),
            "distinct" => EntityCheck::Distinct(self.names(argument, fields)?),
            "mutually_required" => EntityCheck::MutuallyRequired(self.names(argument, fields)?),
            "mutually_exclusive" => EntityCheck::MutuallyExclusive(self.names(argument, fields)?),
            "mutually_exclusive_sets" => {
                let one = self.names_in(argument, "set1", fields);
                let other = self.names_in(argument, "set2", fields);
                EntityCheck::MutuallyExclusiveSets(one?, other?)
            }
            "conditional" => EntityCheck::Conditional(Box::new(self.conditional(argument, fields)?)),
            "conditional_at_least_one_of" => EntityCheck::ConditionalAtLeastOneOf(Box::new(
                self.conditional_at_least_one_of(argument, fields)?,
            )),
            "custom_entity_check" => {
                self.problem("a function cannot come from JSON");
                return None;
            }
            "check" if self.trusted => {
                let Some(check) = argument.get("name").and_then(Value::as_str).and_then(named::record_check)
                else {
                    self.problem("no such check");
                    return None;
                };
                EntityCheck::Named { fields: self.names_in(argument, "fields", fields)?, check }
            }
            _ => {
                self.problem("unknown field");
                return None;
            }
        })
    }

    fn conditional(&mut self, argument: &Value, fields: &Definitions) -> Option<Conditional> {
        let if_field = self.name_in(argument, "if_field", fields)?;
        let then_field = self.name_in(argument, "then_field", fields)?;
        let if_match = self.overlay(argument, "if_match", find_definition(fields, &if_field)?)?;
        let then_match = self.overlay(argument, "then_match", find_definition(fields, &then_field)?)?;
        Some(Conditional {
            if_field,
            if_match,
            then_field,
            then_match,
            then_error: text(argument, "then_err"),
        })
    }

    fn conditional_at_least_one_of(
        &mut self,
        argument: &Value,
        fields: &Definitions,
    ) -> Option<ConditionalAtLeastOneOf> {
        let if_field = self.name_in(argument, "if_field", fields)?;
        let base = find_definition(fields, &if_field)?;
        let mut branches =
            vec![self.branch(argument, ["if_match", "then_at_least_one_of", "then_err"], base, fields)?];
        if argument.get("else_match").is_some() {
            let attributes = ["else_match", "else_then_at_least_one_of", "else_then_err"];
            branches.push(self.branch(argument, attributes, base, fields)?);
        }
        Some(ConditionalAtLeastOneOf { if_field, branches })
    }

    fn branch(
        &mut self,
        argument: &Value,
        [matches, names, error]: [&str; 3],
        base: &Value,
        fields: &Definitions,
    ) -> Option<Branch> {
        Some(Branch {
            matches: self.overlay(argument, matches, base)?,
            fields: self.names_in(argument, names, fields)?,
            error: text(argument, error),
        })
    }

    /// The field's definition with the attributes of a match laid over it.
    fn overlay(&mut self, argument: &Value, attribute: &str, base: &Value) -> Option<Field> {
        let Some(matches) = argument.get(attribute).and_then(Value::as_object) else {
            self.inside(attribute, |reader| reader.problem("expected a record"));
            return None;
        };
        let mut definition: Map<String, Value> = base.as_object()?.clone();
        // The field's own message and default belong to the field, not to this rule.
        definition.shift_remove("err");
        definition.shift_remove("default");
        definition.extend(matches.clone());
        self.inside(attribute, |reader| reader.field(&Value::Object(definition)))
    }

    fn name_in(&mut self, argument: &Value, attribute: &str, fields: &Definitions) -> Option<String> {
        let name = argument.get(attribute).and_then(Value::as_str);
        self.inside(attribute, |reader| match name {
            None => {
                reader.problem("expected a string");
                None
            }
            Some(name) => reader.known(name, fields),
        })
    }

    fn names_in(&mut self, argument: &Value, attribute: &str, fields: &Definitions) -> Option<Vec<String>> {
        self.inside(attribute, |reader| reader.names(argument.get(attribute).unwrap_or(&Value::Null), fields))
    }

    fn names(&mut self, source: &Value, fields: &Definitions) -> Option<Vec<String>> {
        let Some(entries) = source.as_array() else {
            self.problem("expected an array");
            return None;
        };
        entries
            .iter()
            .map(|entry| match entry.as_str() {
                Some(name) => self.known(name, fields),
                None => {
                    self.problem("expected a string");
                    None
                }
            })
            .collect()
    }

    fn known(&mut self, name: &str, fields: &Definitions) -> Option<String> {
        if find_definition(fields, name).is_none() {
            self.problem(format!("invalid field name: {name}"));
            return None;
        }
        Some(name.to_owned())
    }
}

fn text(argument: &Value, attribute: &str) -> Option<String> {
    argument.get(attribute).and_then(Value::as_str).map(str::to_owned)
}

/// The definition of a field, by name or by a dotted path through nested records.
fn find_definition<'a>(definitions: &'a IndexMap<String, Value>, path: &str) -> Option<&'a Value> {
    let (head, tail) = match path.split_once('.') {
        Some((head, tail)) => (head, Some(tail)),
        None => (path, None),
    };
    let mut definition = definitions.get(head)?;
    for name in tail.iter().flat_map(|tail| tail.split('.')) {
        let fields = definition.get("fields")?.as_array()?;
        definition = fields.iter().find_map(|entry| entry.get(name))?;
    }
    Some(definition)
}
