//! The texts of SQL statements. The user's query is put in as it is: whoever may write it
//! into the configuration may run it anyway, and the transaction around it cannot write.

use crate::domain::ids::TenantId;

use super::super::MAX_RECORD;
use super::super::reader::Selection;

/// Ids per statement.
const IDS: usize = 500;

/// Characters of a value that leave the database: one more than a record may have bytes.
pub(super) const LONGEST: usize = MAX_RECORD + 1;

/// The query without what would end it inside brackets: final semicolons, and comments
/// after one.
pub(super) fn clean(query: &str) -> String {
    let mut query = query.trim();
    loop {
        let last_line = query.rfind('\n').map_or(0, |at| at + 1);
        let comment = query[last_line..].find("--").map(|at| last_line + at);
        query = match comment {
            // Where the comment has a quote, it may be no comment but part of a text.
            Some(at) if !query[at..].contains(['\'', '"', '`']) => {
                let before = query[..at].trim_end();
                if !(before.is_empty() || before.ends_with(';') || at == last_line) {
                    break;
                }
                before
            }
            _ if query.ends_with(';') => query[..query.len() - 1].trim_end(),
            _ => break,
        };
    }
    query.to_owned()
}

/// All columns of the query: what its names are learnt from.
pub(super) fn probe(query: &str) -> String {
    // On lines of its own, so that a comment at its end ends there.
    format!("select * from (\n{query}\n) q")
}

/// The statements that give what is selected: one, or one per some hundred ids. `id` is the
/// tenant's id as an SQL expression of 32 lower-case hexadecimal digits.
pub(super) fn statements(
    query: &str,
    fields: &[String],
    selection: &Selection,
    id: Option<&str>,
) -> Vec<String> {
    let select = format!("select {} from (\n{query}\n) q", fields.join(", "));
    match (selection, id) {
        (Selection::Tenants(ids), Some(id)) => ids
            .chunks(IDS)
            .map(|ids| format!("{select} where {id} in ({})", literals(ids)))
            .collect(),
        _ => vec![select],
    }
}

fn literals(ids: &[TenantId]) -> String {
    let quoted: Vec<String> = ids.iter().map(|id| format!("'{}'", id.0.simple())).collect();
    quoted.join(", ")
}

/// A name in quotes.
pub(super) fn quoted(name: &str, quote: char) -> String {
    let doubled = name.replace(quote, &format!("{quote}{quote}"));
    format!("q.{quote}{doubled}{quote}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_query_is_cut_off() {
        for query in [
            "select 1",
            " select 1 ;\n",
            "select 1;;",
            "select 1; -- done",
            "select 1;\n-- done; really\n  ;",
            "select 1\n-- all of them",
        ] {
            assert_eq!(clean(query), "select 1", "{query:?}");
        }
    }

    #[test]
    fn what_only_looks_like_an_end_stays() {
        for query in ["select 'a; -- b'", "select 1 -- one", "select ';'", "--;'", ""] {
            assert_eq!(clean(query), query);
        }
        assert_eq!(probe("select 1 -- one"), "select * from (\nselect 1 -- one\n) q");
    }

    #[test]
    fn names_cannot_leave_their_quotes() {
        assert_eq!(quoted("a\"b", '"'), "q.\"a\"\"b\"");
        assert_eq!(quoted("a`b", '`'), "q.`a``b`");
    }

    #[test]
    fn a_second_look_asks_for_some_hundred_ids_at_a_time() {
        let ids = vec![TenantId(uuid::Uuid::nil()); IDS + 1];
        let fields = ["q.id".to_owned()];
        let texts = statements("select 1", &fields, &Selection::Tenants(ids), Some("q.id"));
        assert_eq!(texts.len(), 2);
        assert_eq!(
            texts[1],
            "select q.id from (\nselect 1\n) q where q.id in ('00000000000000000000000000000000')"
        );
        assert!(statements("select 1", &fields, &Selection::Tenants(vec![]), None).len() == 1);
    }
}
