//! `[prompts]`: what goes out at most.

use super::problem::Wrong;
use super::table::Table;
use super::value::{FromToml, Value};
use crate::domain::address::Address;
use crate::domain::campaign::PromptPolicy;

/// One message a day to one address is enough, where nothing else is written.
const DEFAULT_PER_ADDRESS: u32 = 1;

/// Reads the table; without one prompts are off.
pub(super) fn read(root: &Table<'_>) -> PromptPolicy {
    let table = root.section("prompts");
    let enabled = table.get("enabled").unwrap_or(false);
    let policy = PromptPolicy {
        enabled,
        max_per_run: table.knob(enabled, "max_per_run", "500"),
        max_per_day: table.knob(enabled, "max_per_day", "1000"),
        ramp: table.items("ramp"),
        max_per_address_per_day: table
            .get("max_per_address_per_day")
            .unwrap_or(DEFAULT_PER_ADDRESS),
        only_to: table.items("only_to").into_iter().map(|Pattern(pattern)| pattern).collect(),
    };
    table.finish();
    policy
}

/// An address, or `*@` and a domain; in the spelling that recipients are compared in.
struct Pattern(String);

impl FromToml for Pattern {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        let text = value.text()?;
        let address = text.parse::<Address>().ok();
        let stars = |text: &str| text.matches('*').count();
        let key = address.as_ref().map(Address::key).filter(|key| match key.strip_prefix("*@") {
            Some(domain) => stars(domain) == 0,
            None => stars(key) == 0,
        });
        key.map(|key| Self(key.to_owned())).ok_or_else(|| {
            Wrong::new(
                format!(
                    "{} is \"{text}\", which is neither an address nor a whole domain",
                    value.label()
                ),
                "write \"jo@acme.example\", or \"*@acme.example\" for everyone there",
            )
        })
    }
}
