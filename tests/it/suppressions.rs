//! Addresses that are never written to, and what they do to the counts.

use worker::inventory::Column;
use worker::store::suppressions::Suppression;

use crate::support::inventory::id;
use crate::support::line::line;
use crate::support::place::Place;
use crate::support::world::{World, both, start};

fn suppression(recipient: &str, reason: &str) -> Suppression {
    Suppression {
        recipient: recipient.to_owned(),
        reason: reason.to_owned(),
        by: "Ann".to_owned(),
        added_at: start(),
    }
}

#[tokio::test]
async fn the_first_reason_for_a_suppression_stays() {
    both(async |world: World| {
        let store = &world.store;
        let both = [suppression("b@x.example", "asked"), suppression("a@x.example", "bounced")];
        assert_eq!(store.suppress(&both).await.unwrap(), 2);
        assert_eq!(store.suppress(&[suppression("b@x.example", "other")]).await.unwrap(), 0);
        let [a, b] = &store.suppressions().await.unwrap()[..] else { panic!("two") };
        assert_eq!((a.reason.as_str(), b.reason.as_str()), ("bounced", "asked"));
        assert!(store.suppressed().await.unwrap().contains("a@x.example"));
        assert!(store.unsuppress("a@x.example", "Ann", start()).await.unwrap());
        assert!(!store.unsuppress("a@x.example", "Ann", start()).await.unwrap());
        assert_eq!(store.suppressed().await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn who_has_no_address_left_is_unreachable_and_who_has_another_is_not() {
    both(async |world: World| {
        // A person with two connections, a grant with two people, one without any address.
        let shared = line(2).with(Column::Email, "other@example.com");
        let lines = [
            line(1),
            line(11)
                .with(Column::XeroUserId, id("d", 1))
                .with(Column::Email, "person1@example.com"),
            line(2),
            shared,
            line(3).without(Column::Email),
        ];
        world.scan(&lines).await;
        let unreachable = async || world.store.tally().await.unwrap().unreachable;
        assert_eq!(unreachable().await, 1);
        world.store.suppress(&[suppression("person1@example.com", "asked")]).await.unwrap();
        assert_eq!(unreachable().await, 3, "both connections of person 1");
        world.store.suppress(&[suppression("person2@example.com", "asked")]).await.unwrap();
        assert_eq!(unreachable().await, 3, "a colleague of person 2 can still be reached");
        world.store.suppress(&[suppression("other@example.com", "asked")]).await.unwrap();
        assert_eq!(unreachable().await, 4);
        assert_eq!(world.scan(&lines).await.tally.unreachable, 4, "and the scan counts alike");
        world.store.unsuppress("person1@example.com", "Ann", start()).await.unwrap();
        assert_eq!(unreachable().await, 2);
    })
    .await;
}

#[test]
fn every_spelling_of_an_address_is_the_same_suppression() {
    let place = Place::new(&[]);
    let add = ["suppress", "add", " Jo@BÜCHER.example", "--reason", "asked", "--by", "Ann"];
    let said = place.done(&[&add[..], &["--format", "json"]].concat()).json();
    let address = "jo@xn--bcher-kva.example";
    assert_eq!(said, serde_json::json!({"address": address, "added": true}));
    assert!(place.done(&["suppress", "add", "jo@bücher.example"]).out.contains("already"));
    let list = place.done(&["suppress", "list", "--format", "json"]).json();
    assert_eq!(list[0]["address"], address);
    assert_eq!((list[0]["by"].as_str(), list.as_array().unwrap().len()), (Some("Ann"), 1));
    assert!(place.done(&["suppress", "list"]).out.contains(address));
    place.done(&["suppress", "remove", "JO@bücher.example"]);
    assert_eq!(place.done(&["suppress", "list"]).out, "No address is suppressed.\n");
    let again = place.worker(&["suppress", "remove", "jo@bücher.example"]);
    again.complains(2, "not suppressed", "suppress list");
    place.worker(&["suppress", "add", "jo"]).complains(2, "not an e-mail address", "");
}
