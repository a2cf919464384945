//! Validates JSON by a schema: the part of JSON Schema that ours is written in. Stricter in
//! one thing: a field that the schema does not describe is an error.

use serde_json::Value;

/// What is wrong with a document, each with its place; empty when nothing is.
///
/// # Panics
/// The schema says something that this does not understand.
pub fn wrongs(schema: &Value, document: &Value) -> Vec<String> {
    Validation { root: schema }.of(schema, document, "")
}

struct Validation<'a> {
    root: &'a Value,
}

impl Validation<'_> {
    fn of(&self, schema: &Value, value: &Value, place: &str) -> Vec<String> {
        let rules = schema.as_object().expect("a schema is an object");
        rules.iter().flat_map(|(keyword, rule)| self.rule(keyword, rule, value, place)).collect()
    }

    fn rule(&self, keyword: &str, rule: &Value, value: &Value, place: &str) -> Vec<String> {
        let unless = |holds: bool, what: &str| match holds {
            true => Vec::new(),
            false => vec![format!("{place}: {value} {what} {rule}")],
        };
        match keyword {
            // What is not described is an error here anyway.
            "$schema" | "$defs" | "title" | "description" | "additionalProperties" => Vec::new(),
            "$ref" => self.of(self.named(rule), value, place),
            "const" => unless(rule == value, "is not"),
            "enum" => unless(list(rule).contains(value), "is none of"),
            "maximum" => unless(value.as_f64() <= rule.as_f64(), "is above"),
            "minItems" => {
                let count = value.as_array().map_or(0, Vec::len) as u64;
                unless(Some(count) >= rule.as_u64(), "has fewer entries than")
            }
            "minimum" => unless(value.as_f64() >= rule.as_f64(), "is below"),
            "type" => {
                let kinds = rule.as_array().map_or(std::slice::from_ref(rule), Vec::as_slice);
                unless(kinds.iter().any(|kind| is(kind, value)), "is not of type")
            }
            "pattern" => {
                let pattern = regex::Regex::new(text(rule)).expect("a pattern");
                unless(value.as_str().is_none_or(|text| pattern.is_match(text)), "is not like")
            }
            "required" => {
                let missing = list(rule).iter().filter(|key| value.get(text(key)).is_none());
                missing.map(|key| format!("{place}: has no {key}")).collect()
            }
            "properties" => {
                let fields = value.as_object().into_iter().flatten();
                let of = |(key, field): (&String, &Value)| {
                    let place = format!("{place}/{key}");
                    match rule.get(key) {
                        Some(schema) => self.of(schema, field, &place),
                        None => vec![format!("{place}: is not described")],
                    }
                };
                fields.flat_map(of).collect()
            }
            "items" => {
                let entries = value.as_array().into_iter().flatten().enumerate();
                entries.flat_map(|(at, it)| self.of(rule, it, &format!("{place}/{at}"))).collect()
            }
            "oneOf" => {
                let of = |schema| self.of(schema, value, place);
                let wrongs: Vec<_> = list(rule).iter().map(of).collect();
                match wrongs.iter().filter(|wrongs| wrongs.is_empty()).count() {
                    1 => Vec::new(),
                    0 => wrongs.concat(),
                    many => vec![format!("{place}: {many} at once of {rule}")],
                }
            }
            unknown => panic!("{place}: the schema says {unknown}"),
        }
    }

    fn named(&self, reference: &Value) -> &Value {
        let pointer = text(reference).strip_prefix('#').expect("a place in this schema");
        self.root.pointer(pointer).unwrap_or_else(|| panic!("{reference} is nowhere"))
    }
}

fn is(kind: &Value, value: &Value) -> bool {
    match text(kind) {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_f64(),
        "null" => value.is_null(),
        other => panic!("the schema has a type {other}"),
    }
}

fn list(rule: &Value) -> &Vec<Value> {
    rule.as_array().expect("a list")
}

fn text(rule: &Value) -> &str {
    rule.as_str().expect("a text")
}
