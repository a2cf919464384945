//! Believable facts for looking at a message before there are any, and the oddest ones that a
//! template has to bear.

use chrono::{DateTime, Days, TimeDelta, Utc};
use chrono_tz::Tz;
use uuid::Uuid;

use crate::domain::calendar::midnight;
use crate::domain::digest::{Digest, DigestConnection, DigestGrant};
use crate::domain::grant::{ConnectionKey, GrantId};
use crate::domain::ids::{ConnectionId, TenantId, UserId};

/// What the facts of a sample hang on.
#[derive(Clone, Debug)]
pub struct Occasion {
    pub stage: String,
    pub template: String,
    pub is_final: bool,
    pub deadline: DateTime<Utc>,
    pub zone: Tz,
    /// When it would go out.
    pub dated: DateTime<Utc>,
    /// Whether the message names a day of removal, and which.
    pub removal_from: Option<DateTime<Utc>>,
    pub links_until: DateTime<Utc>,
    /// What a consent asks for.
    pub scopes: String,
}

fn id(kind: u128, number: u128) -> Uuid {
    Uuid::from_u128(0x5a3b_1e00 << 96 | kind << 64 | number)
}

fn connection(number: u128, name: Option<&str>, account: Option<&str>) -> DigestConnection {
    DigestConnection {
        key: ConnectionKey(id(1, number)),
        id: Some(ConnectionId(id(1, number))),
        tenant: TenantId(id(2, number)),
        tenant_name: name.map(str::to_owned),
        account: account.map(str::to_owned),
        missing: "accounting.invoices".to_owned(),
        required: "accounting.invoices".to_owned(),
        connected_at: None,
    }
}

fn grant(number: u128, scopes: &str, connections: Vec<DigestConnection>) -> DigestGrant {
    let person = id(3, number);
    DigestGrant {
        grant: GrantId(person),
        user: Some(UserId(person)),
        scopes: scopes.to_owned(),
        connections,
    }
}

impl Occasion {
    /// Somebody with two companies behind one consent and a third behind another.
    #[must_use]
    pub fn sample(&self) -> Digest {
        let grants = vec![
            grant(
                1,
                &self.scopes,
                vec![
                    connection(1, Some("Kauri Coast Plumbing Limited"), Some("AC-96124")),
                    connection(2, Some("Kauri Coast Holdings Limited"), Some("AC-96125")),
                ],
            ),
            grant(2, &self.scopes, vec![connection(3, Some("Tūī & Sons Builders"), None)]),
        ];
        self.digest("Mere Parata", "mere@kauri-coast.example", grants, 0)
    }

    /// In a correction: the day that an earlier message told.
    #[must_use]
    pub fn deadline_before(&self) -> Option<DateTime<Utc>> {
        (self.template == CORRECTION).then(|| self.deadline + TimeDelta::days(14))
    }

    fn digest(
        &self,
        name: &str,
        address: &str,
        grants: Vec<DigestGrant>,
        not_shown: u64,
    ) -> Digest {
        Digest {
            prompt: Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("sample {}", self.stage).as_bytes()),
            stage: self.stage.clone(),
            template: self.template.clone(),
            is_final: self.is_final,
            recipient: address.to_lowercase(),
            address: Some(address.to_owned()),
            name: Some(name.to_owned()).filter(|name| !name.is_empty()),
            locale: None,
            zone: self.zone,
            dated: self.dated,
            deadline: self.deadline,
            deadline_before: self.deadline_before(),
            removal_from: self.removal_from,
            links_until: self.links_until,
            grants,
            not_shown,
        }
    }

    /// Facts that no template may fail with: nothing known, everything long, every script,
    /// and texts that look like markup, templates or headers.
    pub(super) fn oddities(&self) -> Vec<Digest> {
        let long = "Ŵ".repeat(500);
        let odd = [
            "",
            &long,
            "مؤسسة الأفق \u{202e}للتجارة\u{202c}",
            "👩‍🌾 Söhne & Töchter „Zur Mühle“ 'n' Co. <b>GmbH</b>",
            "Break\r\nBcc: everyone@example.org\r\n\r\n<script>alert(1)</script>",
            "{{ app }} {% raw %} {{ 1/0 }} {# no comment",
            "株式会社サクラ\u{0}\u{7f}\u{2028}",
            "\"quoted\" \\ `ticks` $HOME %s %00 &amp;",
        ];
        let mut all = Vec::new();
        for (number, name) in (10_u128..).zip(odd) {
            let named = connection(number, Some(name), Some(name));
            let one = grant(number, &self.scopes, vec![named]);
            all.push(self.digest(name, "jo.o'neil+xero@example.org", vec![one], 0));
        }
        let unknown = grant(50, &self.scopes, vec![connection(50, None, None)]);
        let unknown = DigestGrant { user: None, ..unknown };
        all.push(self.digest("", "zoë@bücher.example", vec![unknown], 0));
        let many = (100..200)
            .zip(odd.iter().cycle())
            .map(|(number, name)| connection(number, Some(name), None))
            .collect::<Vec<_>>();
        let mut grants = vec![grant(60, &self.scopes, many)];
        grants.extend((61..80).map(|number| {
            grant(number, &self.scopes, vec![connection(number, Some(odd[1]), Some(odd[2]))])
        }));
        all.push(self.digest(odd[3], "ALL.CAPS@EXAMPLE.ORG", grants, 10_001));
        all
    }

    /// With a day of removal and without one; other messages than these two never name any.
    pub(super) fn with_and_without_removal(&self) -> Vec<Self> {
        let without = Self { removal_from: None, ..self.clone() };
        if !self.is_final && self.template != CORRECTION {
            return vec![without];
        }
        let day = self.deadline.with_timezone(&self.zone).date_naive();
        let earlier = day.checked_sub_days(Days::new(30)).unwrap_or(day);
        let removal_from = Some(midnight(self.zone, earlier));
        vec![Self { removal_from, ..self.clone() }, without]
    }
}

/// The template of the message that tells another deadline than an earlier one did.
pub const CORRECTION: &str = "correction";
