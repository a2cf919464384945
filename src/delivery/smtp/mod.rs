//! E-mail by SMTP: one message, one recipient, and an outcome that says whether it went out.
//!
//! The protocol is spoken command by command, since what a failure means depends on the step
//! (RFC 5321, section 4.2.5 and 6.1): until the final dot of a message was written, nothing was
//! delivered; from then on only the server's answer tells.

mod encryption;
mod envelope;
mod session;
mod settings;
mod trouble;

use secrecy::ExposeSecret;

pub use encryption::SmtpError;
pub use session::Session;
pub use settings::{Limits, Login, Settings, Tls};

use super::answer::plain;
use super::outcome::Outcome;
use crate::domain::address::Address;
use encryption::Encryption;
use envelope::Envelope;
use session::Failed;

/// A mail server. It holds no connection: each of those who send at the same time keeps a
/// [`Session`] of its own.
#[derive(Clone)]
pub struct Smtp {
    settings: Settings,
    encryption: Encryption,
}

impl Smtp {
    /// # Errors
    /// When there are certificates to be trusted and they cannot be read.
    pub fn new(settings: Settings) -> Result<Self, SmtpError> {
        let encryption = Encryption::of(&settings)?;
        Ok(Self { settings, encryption })
    }

    /// The longest that [`Self::send`] can take.
    #[must_use]
    pub fn longest(&self) -> std::time::Duration {
        self.settings.limits.longest()
    }

    /// Connects, encrypts and logs in, and takes leave again without a message.
    ///
    /// # Errors
    /// What a message would meet.
    pub async fn try_out(&self) -> Result<(), String> {
        match Session::open(&self.settings, &self.encryption).await {
            Ok(session) => {
                session.close().await;
                Ok(())
            }
            Err((step, trouble)) => {
                let login = self.settings.login.as_ref();
                let secrets = login.map(|login| login.password.expose_secret());
                Err(plain(&format!("{step}: {trouble}"), &[], secrets.as_slice()))
            }
        }
    }

    /// Sends a message, over the session if there is one that still works, else over a new
    /// one, which is left in its place.
    ///
    /// Dropping the future before it is done closes the connection. Nothing was delivered
    /// then if the final dot was not yet written; otherwise it is unknown, and the caller
    /// cannot tell which: whoever drops it counts the message as unknown.
    pub async fn send(
        &self,
        session: &mut Option<Session>,
        from: &Address,
        to: &Address,
        message: &[u8],
    ) -> Outcome {
        let envelope = match Envelope::new(from, to, message) {
            Ok(envelope) => envelope,
            Err(outcome) => return outcome,
        };
        let mut open = match self.begin(session.take(), &envelope).await {
            Ok(open) => open,
            Err(NotBegun { outcome, open }) => {
                *session = open;
                return outcome;
            }
        };
        match open.hand_over(&envelope).await {
            Ok(said) => {
                *session = Some(open);
                Outcome::Accepted { reference: Some(self.plain(&said, &envelope)) }
            }
            Err(failed) => {
                if !failed.1.ends_session() {
                    *session = Some(open);
                }
                self.outcome(&failed, &envelope)
            }
        }
    }

    /// Begins a message on a session. An old one may turn out to be gone only here, where
    /// nothing was said yet: then all is begun anew, once.
    async fn begin(
        &self,
        earlier: Option<Session>,
        envelope: &Envelope<'_>,
    ) -> Result<Session, NotBegun> {
        if let Some(mut open) = earlier.filter(|session| !session.is_old()) {
            match self.begin_on(&mut open, envelope).await {
                Ok(()) => return Ok(open),
                Err(Begin::Failed(failed)) if failed.1.ends_session() => {}
                Err(refused) => return Err(self.not_begun(refused, envelope, open)),
            }
        }
        let failed = |failed| NotBegun { outcome: self.outcome(&failed, envelope), open: None };
        let mut open = Session::open(&self.settings, &self.encryption).await.map_err(failed)?;
        match self.begin_on(&mut open, envelope).await {
            Ok(()) => Ok(open),
            Err(refused) => Err(self.not_begun(refused, envelope, open)),
        }
    }

    async fn begin_on(&self, open: &mut Session, envelope: &Envelope<'_>) -> Result<(), Begin> {
        let parameters = envelope.parameters(open.server()).map_err(Begin::Impossible)?;
        open.begin(envelope, parameters).await.map_err(Begin::Failed)
    }

    fn not_begun(&self, refused: Begin, envelope: &Envelope<'_>, open: Session) -> NotBegun {
        match refused {
            Begin::Impossible(outcome) => NotBegun { outcome, open: Some(open) },
            Begin::Failed(failed) => NotBegun {
                outcome: self.outcome(&failed, envelope),
                open: (!failed.1.ends_session()).then_some(open),
            },
        }
    }

    fn outcome(&self, (step, trouble): &Failed, envelope: &Envelope<'_>) -> Outcome {
        trouble.outcome(*step, |text| self.plain(text, envelope))
    }

    fn plain(&self, text: &str, envelope: &Envelope<'_>) -> String {
        let login = self.settings.login.as_ref();
        let secrets = login.map(|login| login.password.expose_secret());
        plain(text, &[envelope.sender, envelope.recipient], secrets.as_slice())
    }
}

/// Why a message was not begun, and the session if it can be used again.
struct NotBegun {
    outcome: Outcome,
    open: Option<Session>,
}

enum Begin {
    /// The server cannot do what the message needs.
    Impossible(Outcome),
    Failed(Failed),
}
