//! `[[webhooks]]`: the host's own addresses that prompts can go to.

use url::Url;

use super::problem::{Kind, Wrong};
use super::secret::SecretRef;
use super::table::Table;
use super::web::SafeUrl;

#[derive(Clone, Debug)]
pub struct Webhook {
    /// As stages' channels refer to it.
    pub name: String,
    pub url: Url,
    /// Each signs, so that the receiver can change over; there is one at least.
    pub secrets: Vec<SecretRef>,
    /// Whoever it is accepted for counts as told.
    pub counts_as_notice: bool,
    /// It may be on this machine or in a private network.
    pub private: bool,
}

impl Webhook {
    pub(super) fn read_all(root: &Table<'_>) -> Option<Vec<Self>> {
        let tables = match root.tables("webhooks") {
            Some(tables) => tables,
            None if root.has("webhooks") => return None,
            None => return Some(Vec::new()),
        };
        let count = tables.len();
        let mut webhooks: Vec<Self> = Vec::new();
        for table in tables {
            webhooks.extend(Self::read(&table, &webhooks));
            table.finish();
        }
        (webhooks.len() == count).then_some(webhooks)
    }

    fn read(table: &Table<'_>, above: &[Self]) -> Option<Self> {
        let name = table.require_spanned::<String>("name", "\"product\"");
        let url = table.require("url", "\"https://books.example/hooks\"");
        table.need(true, "secrets", EXAMPLE);
        let secrets = table.list("secrets");
        let counts_as_notice = table.get("counts_as_notice").unwrap_or(false);
        let private = table.get("private");
        if let Some(value) = table.value("secrets")
            && value.len() == Some(0)
        {
            value.wrong(Wrong::new(
                "`secrets` is empty: the receiver could not tell whose message it is",
                format!("write `secrets = {EXAMPLE}`"),
            ));
        }
        let name = name?;
        if above.iter().any(|other| other.name == *name.get_ref()) {
            let message = format!("a second [[webhooks]] is called \"{}\"", name.get_ref());
            table.reading().report(
                name.span(),
                Kind::Wrong,
                Wrong::new(message, "write a name of its own"),
            );
        }
        let SafeUrl(url) = url?;
        // `http` is read for this machine only: whoever writes it means it.
        let private = private.unwrap_or(url.scheme() == "http");
        let secrets = secrets?.into_iter().map(toml::Spanned::into_inner).collect();
        Some(Self { name: name.into_inner(), url, secrets, counts_as_notice, private })
    }
}

const EXAMPLE: &str = "[{ env = \"HOOK_SECRET\" }]";
