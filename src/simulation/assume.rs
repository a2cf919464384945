//! What a simulation takes for granted: how customers behave, what goes wrong, and what people
//! decide. Read from a small file; whatever the file leaves out is as written here.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The file that says what is taken for granted anyway, with a comment for each key.
pub const EXAMPLE: &str = include_str!("assume.toml");

/// Everything that is taken for granted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Assumptions {
    pub customers: Customers,
    pub mail: Mail,
    pub xero: Xero,
    pub people: People,
}

/// `[customers]`: shares lie between 0 and 1; "within a year" is from the beginning on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Customers {
    /// Share of those told who consent because of the first, second, third … message; the last
    /// number holds for all later ones.
    pub follow: Vec<f64>,
    /// Days from the message to the consent within which half of them act.
    pub follow_days: f64,
    /// Share that consents within a year without being told.
    pub unprompted: f64,
    /// Share that disconnects within a year.
    pub leave: f64,
    /// Share that gets another address within a year.
    pub new_address: f64,
    /// Of those who consent: with a colleague's account.
    pub colleague: f64,
    /// Of those who consent: for another organisation.
    pub other_tenant: f64,
    /// Of those who consent: for the broad scopes again.
    pub broad: f64,
    /// Share of those removed who come back when they next use the product.
    pub come_back: f64,
    /// Days within which half of these are back.
    pub come_back_days: f64,
}

/// `[mail]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    /// Share of the addresses that nobody reads any more; of half of them the mail comes back
    /// only after it was accepted.
    pub dead_addresses: f64,
    /// Share of the messages that are put off.
    pub put_off: f64,
}

/// `[xero]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Xero {
    /// Share of the calls that are answered with 429.
    pub limited: f64,
    /// Share of the removals whose answer gets lost.
    pub lost_answers: f64,
    /// Days in a year on which Xero is down.
    pub outage_days: f64,
}

/// `[people]`: what people decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct People {
    /// `[prompts]` and `[removal]` are switched on, whatever jobs.toml says.
    pub switch_on: bool,
    /// Link and rehearsal are confirmed from the beginning on.
    pub confirm: bool,
    /// Plans are drawn up and signed as soon as there is something to remove.
    pub approve: bool,
}

impl Default for Customers {
    fn default() -> Self {
        Self {
            follow: vec![0.30, 0.25, 0.20],
            follow_days: 3.0,
            unprompted: 0.05,
            leave: 0.04,
            new_address: 0.03,
            colleague: 0.02,
            other_tenant: 0.01,
            broad: 0.02,
            come_back: 0.60,
            come_back_days: 5.0,
        }
    }
}

impl Default for Mail {
    fn default() -> Self {
        Self { dead_addresses: 0.02, put_off: 0.005 }
    }
}

impl Default for Xero {
    fn default() -> Self {
        Self { limited: 0.01, lost_answers: 0.01, outage_days: 1.0 }
    }
}

impl Default for People {
    fn default() -> Self {
        Self { switch_on: true, confirm: true, approve: true }
    }
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AssumeError {
    #[error("{file} cannot be read: {source}")]
    Unreadable { file: String, source: std::io::Error },
    #[error("{file}: {text}")]
    Form { file: String, text: String },
    #[error("{file}: {key} is {value}, and {wanted}")]
    Value { file: String, key: String, value: String, wanted: &'static str },
}

impl AssumeError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "name a file with what is to be assumed: docs/simulation.md has one to copy"
            }
            Self::Form { .. } => {
                "docs/simulation.md has every key with its meaning; leave out what is to stay as it is"
            }
            Self::Value { .. } => "write a number within these bounds, or leave the key out",
        }
    }
}

const SHARE: &str = "a share lies between 0 and 1";
const DAYS: &str = "days are more than 0 and at most 3650";
const DAYS_OF_YEAR: &str = "there are between 0 and 365 days in a year";

impl Assumptions {
    /// Nobody does anything, and nothing goes wrong: the plain calendar of what the program
    /// does by itself.
    #[must_use]
    pub fn nobody_reacts(people: &People) -> Self {
        Self {
            customers: Customers {
                follow: vec![0.0],
                unprompted: 0.0,
                leave: 0.0,
                new_address: 0.0,
                colleague: 0.0,
                other_tenant: 0.0,
                broad: 0.0,
                come_back: 0.0,
                ..Customers::default()
            },
            mail: Mail { dead_addresses: 0.0, put_off: 0.0 },
            xero: Xero { limited: 0.0, lost_answers: 0.0, outage_days: 0.0 },
            people: people.clone(),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, has a key that means nothing, or a number that cannot be.
    pub fn read(path: &Path) -> Result<Self, AssumeError> {
        let file = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text, &file),
            Err(source) => Err(AssumeError::Unreadable { file, source }),
        }
    }

    /// Reads the text of a file of this name.
    ///
    /// # Errors
    /// As [`Assumptions::read`].
    pub fn parse(text: &str, file: &str) -> Result<Self, AssumeError> {
        let read: Self = toml::from_str(text).map_err(|error| AssumeError::Form {
            file: file.to_owned(),
            text: error.to_string().trim_end().to_owned(),
        })?;
        read.check(file)?;
        Ok(read)
    }

    fn check(&self, file: &str) -> Result<(), AssumeError> {
        let wrong = |key: &str, value: &dyn fmt::Display, wanted| AssumeError::Value {
            file: file.to_owned(),
            key: key.to_owned(),
            value: value.to_string(),
            wanted,
        };
        let customers = &self.customers;
        if customers.follow.is_empty() {
            let wanted = "it needs at least one share: [0.0] if nobody follows";
            return Err(wrong("customers.follow", &"[]", wanted));
        }
        let shares = [
            ("customers.unprompted", customers.unprompted),
            ("customers.leave", customers.leave),
            ("customers.new_address", customers.new_address),
            ("customers.colleague", customers.colleague),
            ("customers.other_tenant", customers.other_tenant),
            ("customers.broad", customers.broad),
            ("customers.come_back", customers.come_back),
            ("mail.dead_addresses", self.mail.dead_addresses),
            ("mail.put_off", self.mail.put_off),
            ("xero.limited", self.xero.limited),
            ("xero.lost_answers", self.xero.lost_answers),
        ];
        let follow = customers.follow.iter().map(|share| ("customers.follow", *share));
        for (key, share) in follow.chain(shares) {
            if !(0.0..=1.0).contains(&share) {
                return Err(wrong(key, &share, SHARE));
            }
        }
        let odd = customers.colleague + customers.other_tenant + customers.broad;
        if odd > 1.0 {
            let key = "the sum of customers.colleague, other_tenant and broad";
            return Err(wrong(key, &odd, SHARE));
        }
        for (key, days) in [
            ("customers.follow_days", customers.follow_days),
            ("customers.come_back_days", customers.come_back_days),
        ] {
            if !(days > 0.0 && days <= 3650.0) {
                return Err(wrong(key, &days, DAYS));
            }
        }
        if !(0.0..=365.0).contains(&self.xero.outage_days) {
            return Err(wrong("xero.outage_days", &self.xero.outage_days, DAYS_OF_YEAR));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Assumptions::parse(text, "a.toml").unwrap_err().to_string()
    }

    #[test]
    fn the_example_says_what_is_assumed_anyway() {
        let read = Assumptions::parse(EXAMPLE, "assume.toml").unwrap();
        assert_eq!(read, Assumptions::default());
        assert_eq!(Assumptions::parse("", "empty.toml").unwrap(), Assumptions::default());
    }

    #[test]
    fn nonsense_is_named_with_its_key_and_what_would_make_sense() {
        let share = refused("[customers]\nfollow = [0.3, 1.5]");
        assert_eq!(share, "a.toml: customers.follow is 1.5, and a share lies between 0 and 1");
        assert!(refused("[xero]\nlost_answers = nan").contains("xero.lost_answers is NaN"));
        assert!(refused("[customers]\nfollow_days = 0").contains("days are more than 0"));
        assert!(refused("[customers]\nfollow = []").contains("at least one share"));
        assert!(refused("[customers]\ncolleague = 0.6\nbroad = 0.6").contains("the sum of"));
        let unknown = refused("[customers]\nfollows = [0.3]");
        assert!(unknown.contains("line 2") && unknown.contains("follows"), "{unknown}");
        assert!(refused("[customers\n").contains("line 1"));
    }
}
