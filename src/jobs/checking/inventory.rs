//! The inventory: columns, a sample of its rows, and what they lack.

use std::collections::HashSet;

use crate::domain::ids::{ConnectionId, TenantId};
use crate::domain::row::Row;
use crate::domain::scopes::ScopeSet;
use crate::inventory::{BadRow, Reader, Rules, ScopeMemo, parse};
use crate::jobs::Failure;
use crate::jobs::workplace::Workplace;

use super::configuration::GRANULAR_ONLY;
use super::{Checking, Checks};

const GROUP: &str = "inventory";

/// Rows that are looked at.
const SAMPLE: u64 = 50_000;

/// A share from which on something that single rows may lack looks like a mistake.
const MUCH_PERCENT: u64 = 20;

/// What the rows that were looked at came to.
#[derive(Debug, Default)]
pub(super) struct Sample {
    pub rows: u64,
    /// There are more.
    pub is_cut: bool,
    pub bad: u64,
    first_bad: Option<BadRow>,
    no_evidence: u64,
    no_address: u64,
    nobody: u64,
    contradicting: u64,
    broad: u64,
    pub no_connection_id: u64,
    pub awaiting: u64,
    pub recipients: HashSet<String>,
    pub connections: HashSet<ConnectionId>,
    pub tenants: HashSet<TenantId>,
}

impl Checking<'_> {
    pub(super) async fn inventory(
        &self,
        workplace: &Workplace,
        checks: &mut Checks,
    ) -> Option<Sample> {
        let opened = workplace.inventory(self.config, self.is_builtin, self.env).await;
        let sample = match opened {
            Ok(reader) => self.sample(reader).await.map_err(Failure::from),
            Err(failure) => Err(failure),
        };
        let sample = match sample {
            Ok(sample) => sample,
            Err(failure) => {
                checks.wrong(GROUP, "[inventory]", failure.to_string(), failure.remedy());
                return None;
            }
        };
        self.judge(&sample, checks);
        Some(sample)
    }

    async fn sample(&self, mut reader: Reader) -> Result<Sample, crate::inventory::Error> {
        let rules = Rules {
            client_id: self.config.app.client_id.clone(),
            ignore_refresh_tokens: self.config.inventory.ignore_refresh_tokens,
        };
        let mut memo = ScopeMemo::default();
        let mut sample = Sample::default();
        while let Some(batch) = reader.next().await? {
            for raw in batch.rows() {
                if sample.rows == SAMPLE {
                    sample.is_cut = true;
                    return Ok(sample);
                }
                sample.rows += 1;
                match parse(&raw, &rules, &mut memo) {
                    Ok((row, _)) => sample.add(&row, self.config.campaign.required),
                    Err(bad) => {
                        sample.bad += 1;
                        sample.first_bad.get_or_insert(bad);
                    }
                }
            }
            reader.recycle(batch);
        }
        Ok(sample)
    }

    fn judge(&self, sample: &Sample, checks: &mut Checks) {
        let Sample { rows, is_cut, bad, .. } = sample;
        let looked_at =
            if *is_cut { format!("the first {rows} rows") } else { format!("{rows} rows") };
        let limits = &self.config.guard;
        if !is_cut && *rows < limits.floor {
            let text = format!(
                "{looked_at}, and [inventory] floor is {}: a scan would be stopped",
                limits.floor
            );
            let remedy = if *rows == 0 {
                "does the export or query give anything? an empty inventory is never put in force"
                    .to_owned()
            } else {
                format!(
                    "if that is all there are, write `floor = {}`, or less, under [inventory]",
                    rows.max(&1)
                )
            };
            checks.wrong(GROUP, "rows", text, remedy);
        } else {
            checks.fine(
                GROUP,
                "rows",
                format!("{looked_at} read, with all columns that are needed"),
            );
        }
        if *rows == 0 {
            return;
        }
        if let Some(first) = &sample.first_bad {
            let text = format!("{bad} of {looked_at} are bad; the first: {first}");
            let remedy = "docs/inventory.md, \"Bad rows\", has every reason; a bad row is counted and never acted on";
            #[expect(clippy::cast_precision_loss, reason = "a share of a few rows")]
            let is_too_many = *bad as f64 * 100.0 > limits.max_bad_percent * *rows as f64;
            checks.lacking(is_too_many, GROUP, "bad rows", text, remedy);
        }
        self.judge_what_is_lacking(sample, checks);
        if sample.contradicting > 0 {
            let text = format!(
                "in {} rows a stored token names another person than `xero_user_id`, or another app: their grants count as unknown",
                sample.contradicting
            );
            let remedy = "compare [app] client_id, and where the host stores whose token";
            let all = sample.contradicting == rows - bad;
            checks.lacking(all, GROUP, "tokens", text, remedy);
        }
        let app = &self.config.app;
        if sample.broad > 0
            && app.created.zip(GRANULAR_ONLY).is_some_and(|(made, from)| made >= from)
        {
            let text = format!(
                "{} rows hold broad scopes, which an app of 2 March 2026 or later never had",
                sample.broad
            );
            let remedy = "correct `created` under [app], or find out whose tokens these are (docs/special.md)";
            checks.doubtful(GROUP, "[app] created", text, remedy);
        }
    }

    fn judge_what_is_lacking(&self, sample: &Sample, checks: &mut Checks) {
        let good = sample.rows - sample.bad;
        for (what, count, lack, remedy, is_needed) in [
            (
                "evidence",
                sample.no_evidence,
                "no scopes and no token: what they consented to is unknown, and they are never acted on",
                "give `scopes`, `access_token` or `token_response` (docs/inventory.md, \"Columns\")",
                true,
            ),
            (
                "addresses",
                sample.no_address,
                "no address: whoever is behind them can be told by webhook only",
                "give `email`, or name the column in [inventory.columns]",
                self.prompts() && self.mails(),
            ),
            (
                "people",
                sample.nobody,
                "neither `xero_user_id` nor a token that names one: each counts as a consent of its own",
                "give `xero_user_id`, so that one consent of a person counts for all of theirs",
                false,
            ),
            (
                "connection ids",
                sample.no_connection_id,
                "no `connection_id`: it is looked up in Xero's list, and where that is not clear there is no removal",
                "give Xero's id of the connection, from GET /connections",
                false,
            ),
        ] {
            let percent = (count * 100).checked_div(good).unwrap_or_default();
            if count == 0 {
                checks.fine(GROUP, what, "every row has them");
            } else if count == good {
                checks.lacking(is_needed, GROUP, what, format!("all rows have {lack}"), remedy);
            } else if percent >= MUCH_PERCENT {
                checks.doubtful(GROUP, what, format!("{percent}% of the rows have {lack}"), remedy);
            } else {
                checks.fine(GROUP, what, format!("{count} rows have {lack}"));
            }
        }
    }

    fn mails(&self) -> bool {
        use crate::domain::campaign::Channel;
        self.config.campaign.stages.iter().any(|stage| stage.channels.contains(&Channel::Email))
    }
}

impl Sample {
    fn add(&mut self, row: &Row, required: ScopeSet) {
        let held =
            row.evidence.iter().map(|read| read.scopes).fold(ScopeSet::EMPTY, ScopeSet::union);
        self.no_evidence += u64::from(row.evidence.is_empty());
        self.no_address += u64::from(row.person.email.is_none());
        self.nobody += u64::from(row.user.is_none() && row.token_user.is_none());
        self.contradicting += u64::from(row.doubt.is_some());
        self.broad += u64::from(held.any_broad());
        self.no_connection_id += u64::from(row.connection.is_none());
        self.connections.extend(row.connection);
        self.tenants.insert(row.tenant);
        let is_affected = held.any_broad() || held.any_granular();
        if is_affected && !held.missing(row.required.unwrap_or(required)).is_empty() {
            self.awaiting += 1;
            self.recipients.extend(row.person.email.as_ref().map(|email| email.key().to_owned()));
        }
    }
}
