//! The people of a world: whose rows are whose, and what each of them is going to do.

use chrono::TimeDelta;

use super::assume::Customers;
use super::chance::{Seed, happens, span};

/// Somebody who is written to.
#[derive(Clone, Debug)]
pub(super) struct Person {
    /// What their chance goes by, whatever address they have by now.
    pub name: String,
    /// The rows that name them.
    pub rows: Vec<usize>,
    /// Messages that reached them.
    pub messages: usize,
    /// They are going to consent, or have.
    pub is_decided: bool,
    /// Addresses they had before.
    pub moves: u32,
}

/// How somebody consents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Right,
    /// With a colleague's account.
    Colleague,
    /// For another organisation.
    OtherTenant,
    /// For the broad scopes again.
    Broad,
}

/// What becomes of mail to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mailbox {
    Read,
    /// Its server refuses.
    Refuses,
    /// Its server accepts, and sends it back later.
    Returns,
}

impl Person {
    pub(super) fn new(name: String) -> Self {
        Self { name, rows: Vec::new(), messages: 0, is_decided: false, moves: 0 }
    }

    /// A message reached them: how long it is until they consent, if it moves them to.
    pub(super) fn hears(&mut self, seed: Seed, customers: &Customers) -> Option<TimeDelta> {
        let place = self.messages.min(customers.follow.len().saturating_sub(1));
        let share = customers.follow.get(place).copied().unwrap_or_default();
        let mut chance = seed.about("follow", &format!("{} {}", self.name, self.messages));
        self.messages += 1;
        if self.is_decided || !happens(&mut chance, share) {
            return None;
        }
        self.is_decided = true;
        Some(span(&mut chance, customers.follow_days))
    }

    /// How they consent, after so many messages.
    pub(super) fn way(&self, seed: Seed, customers: &Customers) -> Way {
        let drawn = seed.about("way", &format!("{} {}", self.name, self.messages)).even();
        let mut until = 0.0;
        for (share, way) in [
            (customers.colleague, Way::Colleague),
            (customers.other_tenant, Way::OtherTenant),
            (customers.broad, Way::Broad),
        ] {
            until += share;
            if drawn < until {
                return way;
            }
        }
        Way::Right
    }
}

/// What becomes of mail to an address, where so many addresses are dead.
pub(super) fn mailbox(seed: Seed, address: &str, dead: f64) -> Mailbox {
    let drawn = seed.about("mailbox", address).even();
    if drawn < dead / 2.0 {
        Mailbox::Refuses
    } else if drawn < dead {
        Mailbox::Returns
    } else {
        Mailbox::Read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_decided_is_not_moved_a_second_time() {
        let customers = Customers { follow: vec![1.0], ..Customers::default() };
        let mut person = Person::new("ann".to_owned());
        assert!(person.hears(Seed(1), &customers).is_some());
        assert_eq!(person.hears(Seed(1), &customers), None);
        assert_eq!(person.messages, 2);
    }

    #[test]
    fn shares_of_ways_add_up_to_all_who_are_odd() {
        let customers = Customers { colleague: 0.5, other_tenant: 0.5, ..Customers::default() };
        let ways: Vec<Way> =
            (0..50).map(|one| Person::new(one.to_string()).way(Seed(1), &customers)).collect();
        assert!(ways.iter().all(|way| matches!(way, Way::Colleague | Way::OtherTenant)));
        assert!(ways.contains(&Way::Colleague) && ways.contains(&Way::OtherTenant));
    }
}
