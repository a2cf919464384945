//! One thing that somebody else says of one message, read from its fields.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::address::Address;
use crate::domain::dates;
use crate::domain::digest::named_prompt;
use crate::store::outcomes::Named;

/// What became of a message, as somebody else says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub about: About,
    pub says: Says,
    /// `None`: as of now.
    pub at: Option<DateTime<Utc>>,
}

/// Which message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    Prompt(Named),
    Stage { address: Address, stage: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    Delivered,
    Bounced(Bounce),
    Complained,
    /// The host sent it by its own means; these connections, or where none is named all that
    /// the person has waiting.
    Sent {
        connections: Vec<Uuid>,
    },
}

/// How final a bounce is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounce {
    /// The address takes no mail.
    Hard,
    /// This message was given up; the next may arrive.
    GivenUp,
    /// It is still tried.
    Soft,
}

/// Why a line cannot be used; never with what stands in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub String);

impl Fault {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// The fields of a line as they stand there.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    pub kind: Option<String>,
    pub prompt: Option<String>,
    pub address: Option<String>,
    pub stage: Option<String>,
    pub at: Option<String>,
    pub permanent: Option<String>,
    pub connection_ids: Option<String>,
}

impl Fields {
    /// The field of that name; `None` for one that means nothing here.
    pub(super) fn field(&mut self, name: &str) -> Option<&mut Option<String>> {
        Some(match name.trim().to_ascii_lowercase().as_str() {
            "kind" => &mut self.kind,
            "prompt" => &mut self.prompt,
            "address" => &mut self.address,
            "stage" => &mut self.stage,
            "at" => &mut self.at,
            "permanent" => &mut self.permanent,
            "connection_id" | "connection_ids" => &mut self.connection_ids,
            _ => return None,
        })
    }

    pub(super) fn claim(self) -> Result<Claim, Fault> {
        let at = match self.at {
            Some(text) => {
                Some(dates::read(text.trim()).ok_or_else(|| Fault::new("at is no time"))?)
            }
            None => None,
        };
        let permanent = self.permanent.as_deref().map(|text| yes_or_no(text.trim())).transpose()?;
        let connections = connections(self.connection_ids.as_deref().unwrap_or_default())?;
        let kind = self.kind.as_deref().unwrap_or_default().trim().to_ascii_lowercase();
        let says = match kind.as_str() {
            "delivered" => Says::Delivered,
            "bounced" if permanent == Some(false) => Says::Bounced(Bounce::Soft),
            "bounced" => Says::Bounced(Bounce::Hard),
            "complained" => Says::Complained,
            "sent" => Says::Sent { connections },
            "" => return Err(Fault::new("kind is missing")),
            _ => {
                return Err(Fault::new("kind is none of delivered, bounced, complained and sent"));
            }
        };
        let about = match (self.prompt, self.address, self.stage) {
            (Some(_), ..) if matches!(says, Says::Sent { .. }) => {
                return Err(Fault::new("what you sent yourself is named by address and stage"));
            }
            (Some(prompt), ..) => About::Prompt(named(&prompt)),
            (None, Some(address), Some(stage)) => {
                let address =
                    address.parse().map_err(|error| Fault::new(format!("address is {error}")))?;
                About::Stage { address, stage: stage.trim().to_owned() }
            }
            _ => return Err(Fault::new("it names neither a prompt nor an address and a stage")),
        };
        Ok(Claim { about, says, at })
    }
}

/// A prompt by its id, its reference, the Message-ID made of its id, or whatever name the
/// provider gave the message.
pub(super) fn named(text: &str) -> Named {
    let text = text.trim();
    let bare = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text);
    let local = bare.split_once('@').map_or(bare, |(local, _)| local);
    match named_prompt(local) {
        Some(digits) => Named::Digits(digits),
        None => Named::Reference(text.to_owned()),
    }
}

fn yes_or_no(text: &str) -> Result<bool, Fault> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(Fault::new("permanent is neither true nor false")),
    }
}

fn connections(text: &str) -> Result<Vec<Uuid>, Fault> {
    let ids: Result<BTreeSet<Uuid>, Fault> = text
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'))
        .filter(|id| !id.is_empty())
        .map(|id| {
            id.parse().map_err(|_| Fault::new("connection_ids holds something that is no id"))
        })
        .collect();
    Ok(ids?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(fields: &[(&str, &str)]) -> Fields {
        let mut all = Fields::default();
        for (name, value) in fields {
            *all.field(name).unwrap() = Some((*value).to_owned());
        }
        all
    }

    fn fault(given: &[(&str, &str)]) -> String {
        fields(given).claim().unwrap_err().0
    }

    #[test]
    fn a_prompt_has_four_names() {
        let id = "1a2b3c4d-5e6f-5a7b-8c9d-0e1f2a3b4c5d";
        let whole = Named::Digits(id.replace('-', ""));
        assert_eq!(named(id), whole);
        assert_eq!(named(&format!(" <{id}@books.example> ")), whole);
        assert_eq!(named("xc-1a2b3-c4d5e"), Named::Digits("1a2b3c4d5e".to_owned()));
        let reference = "0100018d-a-b@eu.example";
        assert_eq!(named(reference), Named::Reference(reference.to_owned()));
    }

    #[test]
    fn a_bounce_is_for_good_unless_it_says_otherwise() {
        for (permanent, bounce) in
            [("true", Bounce::Hard), ("FALSE", Bounce::Soft), ("0", Bounce::Soft)]
        {
            let given = [("kind", "bounced"), ("prompt", "x"), ("permanent", permanent)];
            assert_eq!(fields(&given).claim().unwrap().says, Says::Bounced(bounce));
        }
        let plain = fields(&[("kind", " Bounced "), ("prompt", "x")]).claim().unwrap();
        assert_eq!((plain.says, plain.at), (Says::Bounced(Bounce::Hard), None));
    }

    #[test]
    fn a_fault_names_the_field_and_never_its_content() {
        assert_eq!(fault(&[("prompt", "x")]), "kind is missing");
        assert!(fault(&[("kind", "opened"), ("prompt", "x")]).contains("none of delivered"));
        let sent = [("kind", "sent"), ("address", "jo@@example"), ("stage", "invitation")];
        assert_eq!(fault(&sent), "address is not an e-mail address");
        assert!(fault(&[("kind", "delivered"), ("address", "a@b.cd")]).contains("neither"));
        assert!(fault(&[("kind", "sent"), ("prompt", "x")]).contains("address and stage"));
        let bad = [("kind", "delivered"), ("prompt", "x"), ("at", "yesterday")];
        assert_eq!(fault(&bad), "at is no time");
        let bad = [("kind", "bounced"), ("prompt", "x"), ("permanent", "hard")];
        assert_eq!(fault(&bad), "permanent is neither true nor false");
        let bad =
            [("kind", "sent"), ("address", "a@b.cd"), ("stage", "s"), ("connection_ids", "7")];
        assert!(fault(&bad).contains("no id"));
    }
}
