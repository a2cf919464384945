//! What a named person vouches for, and when it no longer holds.

use chrono::TimeDelta;
use worker::domain::confirmation::{Confirmation, Facts, Subject, Word};

use crate::support::place::Place;
use crate::support::world::{World, both, start};

fn facts(url: &str) -> Facts {
    Facts::of([("client_id", Some("ABC".to_owned())), ("reconnect_url", Some(url.to_owned()))])
}

fn word(minutes: i64, by: &str) -> Confirmation {
    let confirmed_at = start() + TimeDelta::minutes(minutes);
    Confirmation { by: by.to_owned(), note: "looked at the page".to_owned(), confirmed_at }
}

#[tokio::test]
async fn a_confirmation_holds_for_what_it_was_said_of_and_for_nothing_else() {
    both(async |world: World| {
        let store = &world.store;
        let (one, two) = (facts("https://one.example"), facts("https://two.example"));
        assert_eq!(store.confirmation(Subject::Link, &one).await.unwrap(), Word::Never);
        store.confirm(Subject::Link, &one, &word(1, "Ann")).await.unwrap();
        store.confirm(Subject::Link, &one, &word(2, "Bo")).await.unwrap();
        let given = store.confirmation(Subject::Link, &one).await.unwrap();
        assert_eq!(given, Word::Given(word(2, "Bo")), "the latest counts");
        let void = store.confirmation(Subject::Link, &two).await.unwrap();
        let changed = vec!["reconnect_url".to_owned()];
        assert_eq!(void, Word::Void { by: "Bo".to_owned(), changed });
        assert_eq!(store.confirmation(Subject::Rehearsal, &one).await.unwrap(), Word::Never);
    })
    .await;
}

#[tokio::test]
async fn going_back_to_a_confirmed_configuration_needs_no_new_word() {
    both(async |world: World| {
        let store = &world.store;
        let (one, two) = (facts("https://one.example"), facts("https://two.example"));
        store.confirm(Subject::Link, &one, &word(1, "Ann")).await.unwrap();
        store.confirm(Subject::Link, &two, &word(2, "Bo")).await.unwrap();
        assert!(store.confirmation(Subject::Link, &one).await.unwrap().is_given());
    })
    .await;
}

#[test]
fn confirming_says_what_it_is_about() {
    let place = Place::new(&[]);
    let confirm = ["confirm", "link", "--by", "Ann", "--note", "tried it"];
    let said = place.done(&[&confirm[..], &["--format", "json"]].concat()).json();
    assert_eq!((said["confirmed"].as_str(), said["by"].as_str()), (Some("link"), Some("Ann")));
    assert_eq!(
        said["configuration"]["reconnect_url"],
        "https://books.example/xero/reconnect?token={token}"
    );
    let scopes = said["configuration"]["required_scopes"].as_str().unwrap();
    assert!(scopes.contains("offline_access"), "{scopes}");
    let rehearsal = ["confirm", "rehearsal", "--by", "Ann", "--note", "did it"];
    assert!(place.done(&rehearsal).out.contains("https://api.xero.com"));
}

#[test]
fn a_confirmation_needs_a_name_a_note_and_something_to_confirm() {
    let place = Place::new(&[]);
    let blank = ["confirm", "link", "--by", "Ann", "--note", "  "];
    place.worker(&blank).complains(2, "--note is empty", "who and why");
    place.worker(&["confirm", "link", "--by", "", "--note", "x"]).complains(2, "--by is empty", "");
    assert_eq!(place.worker(&["confirm", "link", "--by", "Ann"]).code, Some(2));
    place.configure(&[("reconnect_url = ", "# reconnect_url = ")]);
    let nothing = ["confirm", "link", "--by", "Ann", "--note", "x"];
    place.worker(&nothing).complains(2, "no link to vouch for", "reconnect_url");
    assert!(!place.database().exists());
}
