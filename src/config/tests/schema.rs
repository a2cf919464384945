//! docs/jobs.schema.json, which editors read: it knows the same keys as the program.

use std::collections::BTreeSet;

use serde_json::Value;

use super::reference::{documented, known};
use crate::config::COLUMNS;

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../docs/jobs.schema.json")).unwrap()
}

/// What the schema says of the table with this header.
fn table<'a>(schema: &'a Value, header: &str) -> &'a Value {
    let path = header.trim_matches(['[', ']']);
    let mut at = schema;
    for name in path.split('.') {
        at = &at["properties"][name];
        at = at.get("items").unwrap_or(at);
    }
    at
}

fn keys(table: &Value) -> BTreeSet<String> {
    table["properties"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_schema_has_every_table_and_key_of_the_program_and_no_other() {
    let schema = schema();
    let documented = documented();
    for header in documented.keys() {
        assert_eq!(keys(table(&schema, header)), known(header), "{header}");
    }
    let columns = table(&schema, "[inventory.columns]");
    assert_eq!(keys(columns), COLUMNS.map(str::to_owned).into());
    let tables: BTreeSet<&str> = documented
        .keys()
        .map(|header| header.trim_matches(['[', ']']))
        .filter(|name| !name.contains('.'))
        .collect();
    assert_eq!(keys(&schema).iter().map(String::as_str).collect::<BTreeSet<_>>(), tables);
}

#[test]
fn the_schema_lets_no_other_key_through() {
    fn closed(schema: &Value, place: &str) {
        if schema["type"] == "object" {
            assert_eq!(schema["additionalProperties"], false, "{place}");
        }
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            closed(inner, &format!("{place}/{name}"));
            closed(&inner["items"], &format!("{place}/{name}"));
        }
    }
    closed(&schema(), "");
}
