//! A jobs.toml to begin with: the reference with somebody's own choices in it. So it has every
//! key and every comment that the reference has, and nothing that could go stale beside it.

use super::BUILTIN;

/// What somebody has to begin with.
#[derive(Clone, Debug)]
pub struct Choice {
    pub app: String,
    pub client_id: String,
    /// `csv`, `jsonl`, `sql` or `table`.
    pub inventory: Kind,
    /// How people are told; at least one.
    pub email: bool,
    pub webhook: bool,
    pub file: bool,
    /// A folder of one's own templates.
    pub templates: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Csv,
    Jsonl,
    Sql,
    Table,
}

/// The opening words of the reference, which are about the reference.
const HEAD: &str = "\
# What the worker does, when, and how much of it at most. `worker init` wrote it to begin with;
# it is yours from now on. It sends and removes nothing until you write that it should.
";

/// The text for a choice.
#[must_use]
pub fn draft(choice: &Choice) -> String {
    let mut draft = Draft { lines: BUILTIN.lines().map(str::to_owned).collect() };
    draft.own_head();
    draft.set("[app]", "name", &quoted(&choice.app));
    draft.set("[app]", "client_id", &quoted(&choice.client_id));
    draft.comment("[app]", "created");
    draft.comment("[app]", "connection_cap");
    let (kind, path) = match choice.inventory {
        Kind::Csv => ("csv", "connections.csv"),
        Kind::Jsonl => ("jsonl", "connections.jsonl"),
        Kind::Sql => ("sql", "connections.csv"),
        Kind::Table => ("table", "connections.csv"),
    };
    draft.set("[inventory]", "kind", &quoted(kind));
    draft.set("[inventory]", "path", &quoted(path));
    if matches!(choice.inventory, Kind::Sql | Kind::Table) {
        draft.comment("[inventory]", "path");
    }
    if choice.inventory == Kind::Sql {
        draft.uncomment("[inventory]", "url");
        draft.uncomment("[inventory]", "query");
    }
    draft.set("[inventory]", "floor", "1");
    let channels = [
        (choice.email, "\"email\""),
        (choice.webhook, "\"webhook:product\""),
        (choice.file, "\"file\""),
    ];
    let channels: Vec<&str> =
        channels.iter().filter(|(is_chosen, _)| *is_chosen).map(|(_, channel)| *channel).collect();
    draft.set("[[campaign.stages]]", "channels", &format!("[{}]", channels.join(", ")));
    draft.set("[messages]", "company", &quoted(&choice.app));
    if choice.templates {
        draft.uncomment("[messages]", "templates");
    }
    for key in ["reply_to", "support_url"] {
        draft.comment("[messages]", key);
    }
    if !choice.email && !choice.file {
        draft.comment_table("[email]");
    }
    if !choice.webhook {
        draft.comment_table("[[webhooks]]");
    }
    draft.lines.join("\n") + "\n"
}

/// JSON's escapes are TOML's, too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

struct Draft {
    lines: Vec<String>,
}

impl Draft {
    /// The lines below a header, of every table that has it.
    fn below(&self, header: &str) -> Vec<usize> {
        let mut within = false;
        let mut lines = Vec::new();
        for (at, line) in self.lines.iter().enumerate() {
            if line.starts_with('[') {
                within = line == header;
            } else if within {
                lines.push(at);
            }
        }
        lines
    }

    fn of_key(&self, header: &str, start: &str) -> Vec<usize> {
        let start = format!("{start} = ");
        let mut lines = self.below(header);
        lines.retain(|at| self.lines[*at].starts_with(&start));
        lines
    }

    /// Another value; the comment behind it stays.
    fn set(&mut self, header: &str, key: &str, value: &str) {
        for at in self.of_key(header, key) {
            let line = &self.lines[at];
            let comment = line.find("    # ").or_else(|| line.find("  # "));
            let comment = comment.map_or("", |at| line[at..].trim_start());
            let gap = if comment.is_empty() { "" } else { "    " };
            self.lines[at] = format!("{key} = {value}{gap}{comment}");
        }
    }

    fn comment(&mut self, header: &str, key: &str) {
        for at in self.of_key(header, key) {
            self.lines[at].insert_str(0, "# ");
        }
    }

    fn uncomment(&mut self, header: &str, key: &str) {
        for at in self.of_key(header, &format!("# {key}")) {
            self.lines[at].replace_range(.."# ".len(), "");
        }
    }

    fn comment_table(&mut self, header: &str) {
        let mut lines = self.below(header);
        lines.extend(self.lines.iter().position(|line| line == header));
        for at in lines {
            let line = &mut self.lines[at];
            if !line.is_empty() && !line.starts_with('#') {
                line.insert_str(0, "# ");
            }
        }
    }

    /// Up to the first sentence that is not about the reference itself.
    fn own_head(&mut self) {
        let end = self.lines.iter().position(|line| line == "#").unwrap_or_default();
        self.lines.splice(..end, HEAD.lines().map(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Origin};
    use super::*;

    #[test]
    fn every_choice_makes_a_configuration_that_is_read_and_does_nothing_yet() {
        for inventory in [Kind::Csv, Kind::Jsonl, Kind::Sql, Kind::Table] {
            for channels in 1..8 {
                let choice = Choice {
                    app: "Bücher \"& Co\" # 1".to_owned(),
                    client_id: "FFEEDDCCBBAA99887766554433221100".to_owned(),
                    inventory,
                    email: channels & 1 != 0,
                    webhook: channels & 2 != 0,
                    file: channels & 4 != 0,
                    templates: channels & 1 != 0,
                };
                let text = draft(&choice);
                let config = Config::parse(&text, &Origin::builtin())
                    .unwrap_or_else(|errors| panic!("{choice:?}\n{errors}"));
                assert_eq!(config.app.name, choice.app);
                assert_eq!(config.app.client_id, choice.client_id);
                assert!(!config.prompts.enabled);
                assert!(config.removal.is_some_and(|removal| !removal.enabled));
                assert_eq!(config.campaign.stages[0].channels.len(), channels_of(channels));
                assert_eq!(config.email.is_some(), choice.email || choice.file);
                assert_eq!(config.webhooks.is_empty(), !choice.webhook);
                assert_eq!(config.messages.templates.is_some(), choice.templates);
                assert!(!text.contains("examples/connections.csv"), "{text}");
                assert!(!text.contains("This file is the reference"), "{text}");
            }
        }
    }

    fn channels_of(bits: u32) -> usize {
        bits.count_ones() as usize
    }
}
