//! The entries of Xero's list, tolerant of every shape that was seen (docs/xero.md,
//! "Connections API"). An entry that cannot be read makes the list incomplete, no more.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;

use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::connections::Listed;
use crate::domain::dates;
use crate::domain::ids::{AuthEventId, ConnectionId, TenantId};

/// What a body has.
#[derive(Debug, Default)]
pub(super) struct List {
    pub connections: Vec<Listed>,
    /// Why it may not be all.
    pub doubts: Vec<String>,
}

/// Reads a body.
///
/// # Errors
/// It is no JSON array.
pub(super) fn read(body: &[u8]) -> Result<List, serde_json::Error> {
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    let entries: Vec<&RawValue> = serde_json::from_slice(body)?;
    let mut list = List::default();
    let mut known: HashMap<ConnectionId, usize> = HashMap::with_capacity(entries.len());
    let (mut unreadable, mut contradicting) = (0, 0);
    for entry in entries {
        let Some(listed) = entry_of(entry) else {
            unreadable += 1;
            continue;
        };
        match known.entry(listed.id) {
            Place::Vacant(place) => {
                place.insert(list.connections.len());
                list.connections.push(listed);
            }
            Place::Occupied(place) if list.connections[*place.get()] == listed => {}
            Place::Occupied(_) => contradicting += 1,
        }
    }
    if unreadable > 0 {
        list.doubts.push(format!("{unreadable} of its entries cannot be read"));
    }
    if contradicting > 0 {
        list.doubts
            .push(format!("{contradicting} of its entries contradict others of the same id"));
    }
    Ok(list)
}

/// One entry; `None` without the two ids that it must have.
fn entry_of(raw: &RawValue) -> Option<Listed> {
    let entry = Entry::read(raw)?;
    let id = entry.id("id")?;
    let tenant = entry.id("tenantid")?;
    // One of them stands in the other's place; which, cannot be told.
    if id == tenant {
        return None;
    }
    Some(Listed {
        id: ConnectionId(id),
        tenant: TenantId(tenant),
        tenant_type: entry.text("tenanttype"),
        tenant_name: entry.text("tenantname"),
        auth_event: entry.id("autheventid").map(AuthEventId),
        created_at: entry.text("createddateutc").as_deref().and_then(dates::read),
        updated_at: entry.text("updateddateutc").as_deref().and_then(dates::read),
    })
}

/// The fields by their names in lower case.
struct Entry(HashMap<String, Value>);

impl Entry {
    fn read(raw: &RawValue) -> Option<Self> {
        let fields: serde_json::Map<String, Value> = serde_json::from_str(raw.get()).ok()?;
        let count = fields.len();
        let fields: HashMap<String, Value> =
            fields.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        // The same name twice, and nobody to say which of the values is meant.
        (fields.len() == count).then_some(Self(fields))
    }

    fn text(&self, name: &str) -> Option<String> {
        self.0.get(name)?.as_str().map(str::to_owned)
    }

    fn id(&self, name: &str) -> Option<Uuid> {
        let id = Uuid::parse_str(self.0.get(name)?.as_str()?).ok()?;
        (!id.is_nil()).then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "7cb59f93-2964-421d-bb5e-a0f7a4572a44";
    const TENANT: &str = "fe79f7dd-b6d4-4a92-ba7b-538af6289c58";

    fn list(entries: &[&str]) -> List {
        read(format!("[{}]", entries.join(",")).as_bytes()).unwrap()
    }

    fn only(entry: &str) -> Listed {
        let mut list = list(&[entry]);
        assert!(list.doubts.is_empty(), "{:?}", list.doubts);
        list.connections.pop().unwrap()
    }

    #[test]
    fn an_entry_is_read_whole_with_keys_in_either_case() {
        let entry = format!(
            r#"{{"id":"{ID}","authEventId":"d99ecdfe-391d-43d2-b834-17636ba90e8d",
                "tenantId":"{TENANT}","tenantType":"ORGANISATION","tenantName":"Maple (NZ)",
                "createdDateUtc":"2019-07-09T23:40:30.1833130",
                "updatedDateUtc":"2020-05-15T01:35:13.8491980"}}"#
        );
        let upper = ["id", "authEventId", "tenantId", "tenantType", "tenantName"];
        let upper = upper.iter().fold(entry.clone(), |entry, name| {
            let (first, rest) = name.split_at(1);
            entry.replace(&format!("\"{name}\""), &format!("\"{}{rest}\"", first.to_uppercase()))
        });
        let read = only(&entry);
        assert_eq!(read, only(&upper));
        assert_eq!(read.id.to_string(), ID);
        assert_eq!(read.tenant_name.as_deref(), Some("Maple (NZ)"));
        assert_eq!(read.created_at, "2019-07-09T23:40:30.183313Z".parse().ok());
    }

    #[test]
    fn what_may_be_missing_is_not_known() {
        for rest in ["", r#","tenantName":null,"authEventId":null,"createdDateUtc":"soon""#] {
            let read = only(&format!(r#"{{"id":"{ID}","tenantId":"{TENANT}"{rest}}}"#));
            assert_eq!((read.tenant_name, read.auth_event, read.created_at), (None, None, None));
        }
        let entry = format!(r#"{{"id":"{ID}","tenantId":"{TENANT}","tenantType":"MOONBASE"}}"#);
        assert_eq!(only(&entry).tenant_type.as_deref(), Some("MOONBASE"));
    }

    #[test]
    fn an_entry_that_cannot_be_read_makes_the_list_incomplete_and_leaves_the_others() {
        let good = format!(r#"{{"id":"{ID}","tenantId":"{TENANT}"}}"#);
        for bad in [
            "null".to_owned(),
            "[]".to_owned(),
            "{}".to_owned(),
            format!(r#"{{"id":"{ID}"}}"#),
            format!(r#"{{"id":"7","tenantId":"{TENANT}"}}"#),
            format!(r#"{{"id":7,"tenantId":"{TENANT}"}}"#),
            format!(r#"{{"id":"{TENANT}","tenantId":"{TENANT}"}}"#),
            format!(r#"{{"id":"{}","tenantId":"{TENANT}"}}"#, Uuid::nil()),
            format!(r#"{{"id":"{ID}","Id":"{TENANT}","tenantId":"{TENANT}"}}"#),
        ] {
            let list = list(&[&good, &bad]);
            assert_eq!(list.connections.len(), 1, "{bad}");
            assert_eq!(list.doubts, ["1 of its entries cannot be read"], "{bad}");
        }
    }

    #[test]
    fn an_id_listed_twice_is_one_connection_or_a_contradiction() {
        let good = format!(r#"{{"id":"{ID}","tenantId":"{TENANT}"}}"#);
        let twice = list(&[&good, &good]);
        assert_eq!((twice.connections.len(), twice.doubts.len()), (1, 0));
        let other = format!(r#"{{"id":"{ID}","tenantId":"{}"}}"#, Uuid::max());
        let reused = list(&[&good, &other]);
        assert_eq!((reused.connections.len(), reused.doubts.len()), (1, 1));
    }
}
