//! Xero's own list of the app's connections: may it be had, is it whole, and does it agree
//! with the inventory and the cap?

use std::collections::HashSet;

use crate::domain::row::Flow;
use crate::jobs::calling;
use crate::jobs::workplace::Workplace;
use crate::xero::connections::{Connections, Listing};

use super::inventory::Sample;
use super::{Checking, Checks};

const GROUP: &str = "xero";

/// A share of the cap from which on whoever is removed may not get back in.
const NEAR_PERCENT: u64 = 95;

impl Checking<'_> {
    pub(super) async fn xero(
        &self,
        workplace: Option<&Workplace>,
        sample: Option<&Sample>,
        checks: &mut Checks,
    ) {
        let app = &self.config.app;
        match (app.flow, &app.client_secret) {
            (Flow::Pkce, _) => {
                let text = "a PKCE app has no client credentials: no list, and no removals; everything else works";
                checks.fine(GROUP, "credentials", text);
                return;
            }
            (Flow::Custom, _) => {
                checks.fine(
                    GROUP,
                    "credentials",
                    "of custom connections there is no list of the app's",
                );
                return;
            }
            (_, None) => {
                let text = "[app] client_secret is not written: Xero's list is not asked for";
                let remedy = "write client_secret = { env = \"XERO_CLIENT_SECRET\" } under [app]; removals need it";
                match self.removes() {
                    true => checks.wrong(GROUP, "credentials", text, remedy),
                    false => checks.fine(GROUP, "credentials", text),
                }
                return;
            }
            (_, Some(secret)) => {
                if let Err(error) = secret.resolve(&|name| (self.env)(name)) {
                    checks.lacking(
                        self.removes(),
                        GROUP,
                        "credentials",
                        error.to_string(),
                        error.remedy(),
                    );
                    return;
                }
            }
        }
        if self.offline {
            checks.fine(GROUP, "credentials", "the secret is there; Xero was not asked");
            return;
        }
        let Some(workplace) = workplace else { return };
        let listed = match calling::client(self.config, &workplace.store, self.clock, self.env) {
            Ok(client) => client.list().await.map_err(|error| error.to_string()),
            Err(error) => Err(format!("{error}: {}", error.remedy())),
        };
        match listed {
            Ok(listing) => {
                checks.fine(GROUP, "credentials", "Xero gives a token for app.connections");
                self.compare(&listing, sample, checks);
            }
            Err(why) => {
                let remedy = "compare `client_id` and `client_secret` with developer.xero.com, and [xero] with where Xero is reached";
                checks.lacking(self.removes(), GROUP, "credentials", why, remedy);
            }
        }
    }

    fn compare(&self, listing: &Listing, sample: Option<&Sample>, checks: &mut Checks) {
        let count = listing.connections.len();
        if let Some(why) = &listing.incomplete {
            let text =
                format!("Xero's list has {count} connections and may not be all of it: {why}");
            checks.doubtful(
                GROUP,
                "list",
                text,
                "what it lacks proves nothing; removals read it again and hold back",
            );
        } else if count == 0 && sample.is_some_and(|sample| sample.rows > 0) {
            let text = "Xero's list is empty, and the inventory is not";
            let remedy = "is this the client id that the connections were made with?";
            checks.lacking(self.removes(), GROUP, "list", text, remedy);
        } else {
            checks.fine(GROUP, "list", format!("{count} connections"));
        }
        let tenants: HashSet<_> = listing.connections.iter().map(|listed| listed.tenant).collect();
        if let Some(cap) = self.config.app.connection_cap {
            let (tenants, cap) = (tenants.len() as u64, u64::from(cap));
            let text = format!("{tenants} organisations of the {cap} that your tier allows");
            if tenants * 100 >= cap * NEAR_PERCENT {
                let remedy = "a customer who is removed may be unable to come back: raise the tier first, or do not remove";
                checks.doubtful(GROUP, "[app] connection_cap", text, remedy);
            } else {
                checks.fine(GROUP, "[app] connection_cap", text);
            }
        }
        let Some(sample) = sample else { return };
        let known: HashSet<_> = listing.connections.iter().map(|listed| listed.id).collect();
        let lost = sample.connections.iter().filter(|id| !known.contains(id)).count();
        if lost > 0 && listing.incomplete.is_none() {
            let text = format!(
                "{lost} of {} connections of the inventory are not in Xero's list: they have ended there",
                sample.connections.len()
            );
            checks.doubtful(GROUP, "inventory", text, "take such rows out of the inventory, or let the product ask these customers to connect");
        }
    }
}
