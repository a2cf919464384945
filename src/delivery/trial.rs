//! Tries every template with the oddest data before anything is sent, so that a campaign does
//! not find out in its second month that a template fails.

use super::render::{RenderError, Renderer};
use super::sample::Occasion;
use super::templates::TemplateProblem;

impl Renderer {
    /// Renders the templates of these occasions in every language they are in, with the
    /// longest and the oddest facts. Empty when all is well.
    #[must_use]
    pub fn try_templates(&self, occasions: &[Occasion]) -> Vec<TemplateProblem> {
        let mut problems = Vec::new();
        for occasion in occasions {
            problems.extend(self.templates.missing(&occasion.template));
            let languages: Vec<&str> = self
                .templates
                .languages_of(&occasion.template)
                .map(|language| language.tag.as_str())
                .collect();
            for language in languages {
                for occasion in occasion.with_and_without_removal() {
                    self.try_one(&occasion, language, &mut problems);
                }
            }
        }
        problems.sort_by(|a, b| (&a.file, a.line, &a.what).cmp(&(&b.file, b.line, &b.what)));
        problems.dedup();
        problems
    }

    fn try_one(&self, occasion: &Occasion, language: &str, problems: &mut Vec<TemplateProblem>) {
        for mut digest in occasion.oddities() {
            digest.locale = Some(language.to_owned());
            let Err(error) = self.render(&digest) else { continue };
            let remedy = error.remedy();
            problems.push(match error {
                RenderError::Template(problem) => problem,
                other => TemplateProblem {
                    file: format!("template {:?} ({language})", occasion.template),
                    line: None,
                    what: other.to_string(),
                    remedy,
                },
            });
        }
    }
}
