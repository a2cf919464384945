//! What went wrong at which step, and what that makes of the message.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::response::Response;

use crate::delivery::outcome::Outcome;

/// Where in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Connect,
    Greeting,
    Tls,
    Login,
    Reset,
    Mail,
    Recipient,
    Data,
    /// Until all but the final dot was written.
    Message,
    /// From the moment on when the final dot may have gone out.
    Answer,
}

/// Instead of the answer that a step hoped for.
#[derive(Debug)]
pub(super) enum Trouble {
    /// A refusal.
    Code(u16, String),
    /// An answer that means nothing at this step.
    Nonsense(String),
    Silence(Duration),
    /// By us.
    Refused(&'static str),
    /// The connection could not be made or did not last.
    Broken(String),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let text = match error.source() {
            Some(source) => chain(source),
            None => error.to_string(),
        };
        match error.status() {
            Some(code) => Self::Code(code.into(), text),
            // lettre's words for an answer that ended with the connection.
            None if text == "incomplete response" => Self::Broken("the server closed it".into()),
            None if error.is_response() => Self::Nonsense(text),
            None => Self::Broken(text),
        }
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(chain(&error))
    }
}

impl Trouble {
    pub fn nonsense(response: &Response) -> Self {
        Self::Nonsense(said(response))
    }

    /// Whether the session is over: only after a refusal can it go on with another message.
    pub fn ends_session(&self) -> bool {
        !matches!(self, Self::Code(code, _) if *code != 421)
    }

    pub fn outcome(&self, step: Step, plain: impl Fn(&str) -> String) -> Outcome {
        let why = plain(&format!("{step}: {self}"));
        match (step, self) {
            (Step::Connect | Step::Greeting | Step::Tls | Step::Login | Step::Reset, _) => {
                Outcome::down(why)
            }
            // RFC 5321, section 3.8: the server is about to close. RFC 4954, section 6: it
            // wants another login.
            (_, Self::Code(421 | 530 | 534 | 535 | 538, _)) => Outcome::down(why),
            (Step::Mail, Self::Code(..500, _)) => Outcome::deferred(why),
            // MAIL names the sender and nobody else: every message would fare the same, and
            // no recipient must be given up for it.
            (Step::Mail, _) => Outcome::down(why),
            (_, Self::Code(500.., _)) => Outcome::refused(why),
            (_, Self::Code(..)) => Outcome::deferred(why),
            (Step::Answer, _) => Outcome::unknown(why),
            _ => Outcome::deferred(why),
        }
    }
}

/// The code and text of an answer.
pub(super) fn said(response: &Response) -> String {
    let lines: Vec<&str> = response.message().collect();
    format!("{} {}", response.code(), lines.join(" "))
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        next = error.source();
    }
    text
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting to the mail server",
            Self::Greeting => "greeting the mail server",
            Self::Tls => "encrypting the connection",
            Self::Login => "logging in to the mail server",
            Self::Reset => "clearing the session (RSET)",
            Self::Mail => "naming the sender (MAIL)",
            Self::Recipient => "naming the recipient (RCPT)",
            Self::Data => "announcing the message (DATA)",
            Self::Message => "writing the message",
            Self::Answer => "after the message",
        })
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code, text) => write!(f, "{code} {text}"),
            Self::Nonsense(text) => write!(f, "the server's answer makes no sense: {text}"),
            Self::Silence(limit) => write!(f, "no answer within {limit:?}"),
            Self::Refused(why) => f.write_str(why),
            Self::Broken(text) => write!(f, "the connection broke: {text}"),
        }
    }
}
