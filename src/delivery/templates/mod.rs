//! The templates of messages: three files for each name (subject, text, HTML) and language,
//! the operator's own before the embedded ones (docs/messages.md, "Your own templates"). All are
//! read and compiled when the program starts.

mod embedded;
mod escape;
mod own;
mod problem;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior};
use sha2::{Digest as _, Sha256};

use super::mime::hex;
use crate::domain::language::{shorter, tag};
pub use embedded::{FILES, LANGUAGE};
use own::{ENDING, File, Own};
pub use problem::TemplateProblem;

/// What a message consists of, and so how the names of its three files go on.
const PARTS: [&str; 3] = ["subject.txt", "txt", "html"];
/// Files at the top whose name begins so are for every language: a company's frame.
const FRAME: &str = "layout.";

/// All templates, by language.
pub struct Templates {
    languages: BTreeMap<String, Language>,
    /// For people whose own language has no templates.
    default: String,
}

/// One language's templates, with all that they may include.
pub(super) struct Language {
    pub tag: String,
    environment: Environment<'static>,
    /// Name to file and source.
    sources: BTreeMap<String, (String, String)>,
    /// Template names of which all three files are in this language.
    whole: BTreeSet<String>,
}

/// A message's three texts as the templates give them.
pub(super) struct Texts {
    pub subject: String,
    pub text: String,
    pub html: String,
}

impl Templates {
    /// The embedded templates, and over them those of a folder.
    ///
    /// # Errors
    /// With every file that cannot be read or is no template.
    pub fn load(folder: Option<&Path>, default: &str) -> Result<Self, Vec<TemplateProblem>> {
        let own = folder.map_or_else(|| Ok(Own::default()), Own::read)?;
        let default = tag(default).unwrap_or_else(|| embedded::LANGUAGE.to_owned());
        let tags: BTreeSet<&str> = own
            .languages
            .keys()
            .map(String::as_str)
            .chain([default.as_str(), embedded::LANGUAGE])
            .collect();
        let mut problems = Vec::new();
        let mut languages = BTreeMap::new();
        for tag in tags {
            let layers = Layers::of(tag, &default, &own);
            languages.insert(tag.to_owned(), layers.compile(tag, &mut problems));
        }
        // A file that several languages share is one problem.
        problems.sort_by(|a, b| (&a.file, a.line, &a.what).cmp(&(&b.file, b.line, &b.what)));
        problems.dedup();
        if problems.is_empty() { Ok(Self { languages, default }) } else { Err(problems) }
    }

    /// The language in which a person gets a message: their own, else the default, else
    /// English, whichever first has all three files of it.
    pub(super) fn language(&self, name: &str, locale: Option<&str>) -> Option<&Language> {
        let wanted = locale.and_then(tag);
        let tags = wanted.iter().map(String::as_str).flat_map(shorter);
        tags.chain(shorter(&self.default))
            .chain([embedded::LANGUAGE])
            .filter_map(|tag| self.languages.get(tag))
            .find(|language| language.whole.contains(name))
    }

    /// Every language that has all three files of a template.
    pub(super) fn languages_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Language> {
        self.languages.values().filter(move |language| language.whole.contains(name))
    }

    /// What is missing for a template to be used for everybody.
    pub(super) fn missing(&self, name: &str) -> Option<TemplateProblem> {
        let in_default = shorter(&self.default)
            .filter_map(|tag| self.languages.get(tag))
            .any(|language| language.whole.contains(name));
        let files: Vec<String> =
            PARTS.iter().map(|part| format!("{name}.{part}{ENDING}")).collect();
        (!in_default).then(|| TemplateProblem {
            file: format!("template {name:?}"),
            line: None,
            what: format!("it does not exist in the default language, {}", self.default),
            remedy: format!(
                "write {} into the folder that `templates` in [messages] names, \
                 or use one of {}",
                files.join(", "),
                self.names().into_iter().collect::<Vec<_>>().join(", ")
            ),
        })
    }

    /// SHA-256 in hex over every file of every language.
    #[must_use]
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        for (tag, language) in &self.languages {
            let texts = language.sources.iter().flat_map(|(file, (_, source))| [file, source]);
            for text in [tag].into_iter().chain(texts) {
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text);
            }
        }
        hex(&hash.finalize())
    }

    fn names(&self) -> BTreeSet<&str> {
        self.languages
            .values()
            .flat_map(|language| language.whole.iter().map(String::as_str))
            .collect()
    }
}

impl Language {
    /// Renders the three files of a template with one message's data.
    pub(super) fn render(
        &self,
        name: &str,
        data: &minijinja::Value,
    ) -> Result<Texts, TemplateProblem> {
        let [subject, text, html] = PARTS.map(|part| format!("{name}.{part}{ENDING}"));
        let subject = one_line(&self.file(&subject, data.clone())?);
        let text = paragraphs(&self.file(&text, data.clone())?);
        let with_subject = minijinja::context! { subject => subject.as_str(), ..data.clone() };
        let html = self.file(&html, with_subject)?;
        Ok(Texts { subject, text, html })
    }

    fn file(&self, file: &str, data: minijinja::Value) -> Result<String, TemplateProblem> {
        self.environment
            .get_template(file)
            .and_then(|template| template.render(data))
            .map_err(|error| TemplateProblem::of_error(&error, file, |name| self.path(name)))
    }

    fn path(&self, name: &str) -> String {
        self.sources.get(name).map_or_else(|| name.to_owned(), |(path, _)| path.clone())
    }

    /// SHA-256 in hex over all that a message of this template is rendered from: its three
    /// files, and those that they may include.
    pub(super) fn sha256(&self, name: &str) -> String {
        let own: Vec<String> = PARTS.iter().map(|part| format!("{name}.{part}{ENDING}")).collect();
        let mut hash = Sha256::new();
        for (file, (_, source)) in &self.sources {
            if own.contains(file) || message_of(file).is_none_or(|name| !self.whole.contains(name))
            {
                // Lengths keep names and sources apart.
                hash.update((file.len() as u64).to_be_bytes());
                hash.update(file);
                hash.update((source.len() as u64).to_be_bytes());
                hash.update(source);
            }
        }
        hex(&hash.finalize())
    }
}

/// A language's files, from the weakest claim to the strongest.
struct Layers {
    files: BTreeMap<String, (String, String)>,
    /// Files that are in this language, not another's that fills in.
    speaking: BTreeSet<String>,
}

impl Layers {
    fn of(language: &str, default: &str, own: &Own) -> Self {
        let mut layers = Self { files: BTreeMap::new(), speaking: BTreeSet::new() };
        let chain: Vec<&str> = shorter(language).collect();
        let speaks_english = chain.contains(&embedded::LANGUAGE);
        for (name, source) in embedded::FILES {
            let path = format!("embedded {}/{name}", embedded::LANGUAGE);
            layers.put(name, path, source, speaks_english);
        }
        let is_default = shorter(default).any(|tag| chain.contains(&tag));
        let frame = own.top.iter().filter(|(name, _)| is_default || name.starts_with(FRAME));
        layers.put_all(frame, is_default);
        for tag in chain.into_iter().rev() {
            layers.put_all(own.languages.get(tag).into_iter().flatten(), true);
        }
        layers
    }

    fn put_all<'a>(&mut self, files: impl Iterator<Item = (&'a String, &'a File)>, speaks: bool) {
        for (name, file) in files {
            self.put(name, file.path.display().to_string(), &file.text, speaks);
        }
    }

    fn put(&mut self, name: &str, path: String, source: &str, speaks: bool) {
        self.files.insert(name.to_owned(), (path, source.to_owned()));
        if speaks {
            self.speaking.insert(name.to_owned());
        }
    }

    fn compile(self, tag: &str, problems: &mut Vec<TemplateProblem>) -> Language {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(lines_of_their_own());
        environment.set_formatter(escape::format);
        for (name, (path, source)) in &self.files {
            if let Err(error) = environment.add_template_owned(name.clone(), source.clone()) {
                problems.push(TemplateProblem::of_error(&error, name, |_| path.clone()));
            }
        }
        let has =
            |name: &str, part: &str| self.speaking.contains(&format!("{name}.{part}{ENDING}"));
        let whole = self
            .speaking
            .iter()
            .filter_map(|file| message_of(file))
            .filter(|name| PARTS.iter().all(|part| has(name, part)))
            .map(str::to_owned)
            .collect();
        Language { tag: tag.to_owned(), environment, sources: self.files, whole }
    }
}

/// A tag on a line of its own leaves no line behind.
fn lines_of_their_own() -> SyntaxConfig {
    SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
        .expect("the usual delimiters differ from each other")
}

/// The template's name, if a file is one of its three.
fn message_of(file: &str) -> Option<&str> {
    let name = file.strip_suffix(ENDING)?;
    PARTS.iter().find_map(|part| name.strip_suffix(part)?.strip_suffix('.'))
}

/// A subject is one line, whatever a template or a name has in it.
fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// No white space at line ends, and one blank line at most: a template's conditions leave
/// others behind.
fn paragraphs(text: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines().map(str::trim_end) {
        if !line.is_empty() || lines.last().is_some_and(|last| !last.is_empty()) {
            lines.push(line);
        }
    }
    while lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    lines.join("\n") + "\n"
}
