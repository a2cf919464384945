//! Logs: one line an event on standard error, as text for people or JSON for machines, with
//! the fields of the surrounding spans; and a progress bar where somebody watches.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::sync::Arc;

use chrono::SecondsFormat;
use indicatif::MultiProgress;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::clock::Clock;

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    Text,
    Json,
}

/// A field whose value is a JSON object: its members become fields of the event, `null`
/// included, which tracing itself cannot carry.
pub const MEMBERS: &str = "members";

/// The target of events that are results: they are logged at every level but `off`.
pub const RESULTS: &str = "worker::results";

/// What a span calls the run: for programs. People look at one run at a time, and find its
/// id in the progress event.
const RUN_ID: &str = "run_id";

/// Where logs and bars share the terminal.
#[derive(Clone, Debug)]
pub struct Terminal {
    bars: MultiProgress,
    is_terminal: bool,
}

impl Terminal {
    /// Whether somebody watches, so that a bar tells more than events.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.is_terminal
    }

    #[must_use]
    pub fn bars(&self) -> &MultiProgress {
        &self.bars
    }
}

/// Starts logging for the rest of the process. `level` is an `EnvFilter` directive, such as
/// `info` or `worker=debug`.
///
/// # Errors
/// The level cannot be read.
pub fn start(format: LogFormat, level: &str, clock: Arc<dyn Clock>) -> Result<Terminal, String> {
    let is_terminal = std::io::stderr().is_terminal();
    let terminal = Terminal { bars: MultiProgress::new(), is_terminal };
    let is_off = level.split(',').any(|directive| directive.trim() == "off");
    let results = if is_off { "off" } else { "info" };
    let filter = EnvFilter::builder()
        .parse(format!("{level},sqlx=warn,{RESULTS}={results}"))
        .map_err(|error| format!("the log level {level:?} cannot be read: {error}"))?;
    let is_json = match format {
        LogFormat::Auto => !is_terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let lines = Lines { is_json, terminal: terminal.clone(), clock };
    // A second start in one process (tests do) keeps the first.
    let _ = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
    Ok(terminal)
}

struct Lines {
    is_json: bool,
    terminal: Terminal,
    clock: Arc<dyn Clock>,
}

/// Fields in the order in which they were recorded.
#[derive(Clone, Debug, Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == MEMBERS
            && let Ok(Value::Object(members)) = serde_json::from_str(value)
        {
            self.0.extend(members);
            return;
        }
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut own = Fields::default();
        event.record(&mut own);
        let message = own.0.shift_remove("message").unwrap_or_else(|| "".into());
        let mut fields = Map::new();
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            if let Some(outer) = span.extensions().get::<Fields>() {
                fields.extend(outer.0.clone());
            }
        }
        if !self.is_json {
            fields.shift_remove(RUN_ID);
        }
        fields.extend(own.0);
        let precision = if self.is_json { SecondsFormat::Micros } else { SecondsFormat::Secs };
        let at = self.clock.now().to_rfc3339_opts(precision, true);
        let metadata = event.metadata();
        let line = if self.is_json {
            let mut line = Map::new();
            line.insert("timestamp".into(), at.into());
            line.insert("level".into(), metadata.level().as_str().into());
            line.insert("message".into(), message);
            line.insert("target".into(), metadata.target().into());
            line.extend(fields);
            Value::Object(line).to_string()
        } else {
            text_line(&at, metadata.level().as_str(), &message, &fields)
        };
        // Where standard error is closed there is nobody left to tell.
        self.terminal.bars.suspend(|| {
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        });
    }
}

/// A line for people, who are not told twice what the message says already.
fn text_line(at: &str, level: &str, message: &Value, fields: &Map<String, Value>) -> String {
    let message = message.as_str().unwrap_or_default();
    let mut line = format!("{at} {level:>5} {message}");
    for (name, value) in fields {
        match value {
            Value::String(text) if text == "-" || message.contains(text) => {}
            Value::String(text) if !text.contains([' ', '"', '\n']) && !text.is_empty() => {
                line.push_str(&format!(" {name}={text}"));
            }
            other => line.push_str(&format!(" {name}={other}")),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_text_quotes_what_would_be_ambiguous() {
        let Value::Object(fields) =
            serde_json::json!({"job": "campaign", "text": "two words", "gone": null, "n": 3})
        else {
            unreachable!("an object was written")
        };
        assert_eq!(
            text_line("T", "INFO", &"done".into(), &fields),
            "T  INFO done job=campaign text=\"two words\" gone=null n=3"
        );
    }

    #[test]
    fn a_line_of_text_does_not_repeat_what_its_message_says() {
        let Value::Object(fields) = serde_json::json!({
            "place": "line 7", "field": "-", "code": "broken_id", "times": 7,
        }) else {
            unreachable!("an object was written")
        };
        let message = "bad row: line 7: no UUID".into();
        assert_eq!(
            text_line("T", "WARN", &message, &fields),
            "T  WARN bad row: line 7: no UUID code=broken_id times=7"
        );
    }
}
