//! One connection to a mail server, command by command, each with its time limit.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, MailParameter, ServerInfo};
use lettre::transport::smtp::response::Response;
use secrecy::ExposeSecret;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::encryption::Encryption;
use super::envelope::Envelope;
use super::settings::{Limits, Settings};
use super::trouble::{Step, Trouble, said};

/// A connection that was greeted, encrypted and logged in to. Dropping it closes it.
pub struct Session {
    connection: AsyncSmtpConnection,
    limits: Limits,
    used: Instant,
    /// A message was begun and not finished.
    begun: bool,
}

pub(super) type Failed = (Step, Trouble);

impl Session {
    /// Opens one; every step of it is for any message alike.
    pub(super) async fn open(settings: &Settings, encryption: &Encryption) -> Result<Self, Failed> {
        let limits = settings.limits;
        let hello = settings.hello.clone().map_or_else(ClientId::default, ClientId::Domain);
        let server = (settings.host.as_str(), settings.port);
        let connect = async {
            let stream = TcpStream::connect(server).await?;
            // The final dot is a packet of its own: it must not wait until the one before
            // is acknowledged, which servers delay.
            stream.set_nodelay(true)?;
            std::io::Result::Ok(stream)
        };
        let plain = within(Step::Connect, limits.connect, connect).await?;
        let stream: Box<dyn AsyncTokioStream> = match encryption {
            Encryption::Implicit(tls) => {
                Box::new(within(Step::Tls, limits.tls, tls.encrypt(plain)).await?)
            }
            Encryption::Starttls(_) | Encryption::None => Box::new(plain),
        };
        let greet = AsyncSmtpConnection::connect_with_transport(stream, &hello);
        let mut connection = within(Step::Greeting, limits.greeting, greet).await?;
        if let Encryption::Starttls(tls) = encryption {
            if !connection.can_starttls() {
                let missing = "the server does not offer STARTTLS, and nothing is sent unencrypted";
                return Err((Step::Tls, Trouble::Refused(missing)));
            }
            let encrypt = connection.starttls(tls.clone(), &hello);
            within(Step::Tls, limits.tls, encrypt).await?;
        }
        if let Some(login) = &settings.login {
            let password = login.password.expose_secret().to_owned();
            let credentials = Credentials::new(login.username.clone(), password);
            let log_in = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials);
            expected(Step::Login, &[235], within(Step::Login, limits.login, log_in).await?)?;
        }
        Ok(Self { connection, limits, used: Instant::now(), begun: false })
    }

    /// Too long without use to be relied on.
    pub(super) fn is_old(&self) -> bool {
        self.used.elapsed() >= self.limits.idle
    }

    pub(super) fn server(&self) -> &ServerInfo {
        self.connection.server_info()
    }

    /// Begins a message. A refusal of the one before is cleared first.
    pub(super) async fn begin(
        &mut self,
        envelope: &Envelope<'_>,
        parameters: Vec<MailParameter>,
    ) -> Result<(), Failed> {
        let limit = self.limits.command;
        if self.begun {
            let reset = self.connection.command(Rset);
            expected(Step::Reset, &[250], within(Step::Reset, limit, reset).await?)?;
        }
        self.begun = true;
        let mail = self.connection.command(Mail::new(Some(envelope.from.clone()), parameters));
        expected(Step::Mail, &[250], within(Step::Mail, limit, mail).await?)?;
        Ok(())
    }

    /// Hands the message over; the server's last word is its name for it.
    pub(super) async fn hand_over(&mut self, envelope: &Envelope<'_>) -> Result<String, Failed> {
        let limit = self.limits.command;
        let rcpt = self.connection.command(Rcpt::new(envelope.to.clone(), Vec::new()));
        expected(Step::Recipient, &[250, 251, 252], within(Step::Recipient, limit, rcpt).await?)?;
        let data = self.connection.command(Data);
        // Anything but 354 would show that answers and commands are out of step.
        expected(Step::Data, &[354], within(Step::Data, limit, data).await?)?;
        let response = self.write(envelope.message).await?;
        if !(200..300).contains(&u16::from(response.code())) {
            return Err((Step::Answer, Trouble::nonsense(&response)));
        }
        self.begun = false;
        self.used = Instant::now();
        Ok(said(&response))
    }

    /// Writes the message and its final dot. The connection asks for the next part of the
    /// message only when the ones before are written, and writes the dot when there is none:
    /// so that question is the moment from which on the dot may be out.
    async fn write(&mut self, message: &[u8]) -> Result<Response, Failed> {
        let limit = self.limits.message;
        let (may_be_out, asked) = (AtomicBool::new(false), Notify::new());
        let end = std::iter::from_fn(|| {
            may_be_out.store(true, Ordering::Relaxed);
            asked.notify_one();
            None
        });
        let mut writing = pin!(self.connection.message_iter(std::iter::once(message).chain(end)));
        let until_the_dot = async {
            tokio::select! {
                biased;
                () = asked.notified() => None,
                done = &mut writing => Some(done),
            }
        };
        let outcome = timeout(limit, until_the_dot).await;
        // Looked at after the fact: one turn may both ask and fail.
        let may_be_out = may_be_out.load(Ordering::Relaxed);
        match outcome {
            Ok(Some(done)) => {
                let step = if may_be_out { Step::Answer } else { Step::Message };
                done.map_err(|error| (step, error.into()))
            }
            Err(_) if !may_be_out => Err((Step::Message, Trouble::Silence(limit))),
            _ => within(Step::Answer, self.limits.answer, writing).await,
        }
    }

    /// Takes leave. Nothing depends on it, so nobody waits long for the answer.
    pub async fn close(mut self) {
        const PATIENCE: Duration = Duration::from_secs(2);
        let _ = timeout(PATIENCE.min(self.limits.command), self.connection.quit()).await;
    }
}

async fn within<T, E: Into<Trouble>>(
    step: Step,
    limit: Duration,
    doing: impl Future<Output = Result<T, E>>,
) -> Result<T, Failed> {
    match timeout(limit, doing).await {
        Ok(done) => done.map_err(|error| (step, error.into())),
        Err(_) => Err((step, Trouble::Silence(limit))),
    }
}

fn expected(step: Step, codes: &[u16], response: Response) -> Result<(), Failed> {
    if codes.contains(&response.code().into()) {
        Ok(())
    } else {
        Err((step, Trouble::nonsense(&response)))
    }
}
