//! How a mail server is reached, and how long each step may take.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

#[derive(Clone, Debug)]
pub struct Settings {
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    pub login: Option<Login>,
    /// What we call ourselves; the machine's name where none is given.
    pub hello: Option<String>,
    /// A PEM file of certificates to trust beside the system's.
    pub roots: Option<PathBuf>,
    pub limits: Limits,
}

#[derive(Clone)]
pub struct Login {
    /// Often an address.
    pub username: String,
    pub password: SecretString,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").finish_non_exhaustive()
    }
}

/// How the connection is encrypted. There is no falling back from one to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// From the command STARTTLS on, before anything else is said.
    Starttls,
    /// From the first byte.
    Implicit,
    None,
}

/// The time that each step may take. Shorter than RFC 5321, section 4.5.3.2, allows a patient
/// client, except after the message: giving up there leaves an outcome that nobody knows.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The name and the TCP connection.
    pub connect: Duration,
    /// The server's greeting and the answer to ours.
    pub greeting: Duration,
    /// From STARTTLS up to the second greeting; or TLS from the first byte.
    pub tls: Duration,
    pub login: Duration,
    /// Each of MAIL, RCPT, DATA and RSET.
    pub command: Duration,
    /// Writing the message.
    pub message: Duration,
    /// The answer after the message.
    pub answer: Duration,
    /// A session that was not used for so long is opened anew. Servers close idle ones, and a
    /// firewall may drop them without a word.
    pub idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            greeting: Duration::from_secs(60),
            tls: Duration::from_secs(30),
            login: Duration::from_secs(60),
            command: Duration::from_secs(60),
            message: Duration::from_secs(120),
            answer: Duration::from_secs(300),
            idle: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// The longest that one message can take: a stale session is noticed at MAIL, and all is
    /// begun anew. Whoever leases a message leases it for longer.
    #[must_use]
    pub fn longest(&self) -> Duration {
        let opening = self.connect + self.greeting + self.tls + self.login;
        2 * self.command + opening + 3 * self.command + self.message + self.answer
    }
}
