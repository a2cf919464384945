//! A mail server that can be told to fail in any way at any step, and that can end the worker
//! at any of them: what it is told with is asked before each answer, after the message was
//! written down.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::standin::{Identity, Notes, Standin, Wire, dribble, hang};

/// Where in a session, before the server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Banner,
    Ehlo,
    Starttls,
    /// Instead of the handshake.
    Tls,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// While the message comes in.
    Message,
    /// After the final dot.
    Dot,
    Rset,
    Noop,
    Quit,
}

/// One moment of one session.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Connections are counted from 0, and so are the messages in one.
    pub connection: usize,
    pub message: usize,
    pub step: Step,
    /// What came with the command.
    pub said: String,
}

/// What the server does instead of its usual answer.
#[derive(Clone, Debug)]
pub enum Reaction {
    Usual,
    /// An answer, without its line end.
    Say(&'static str),
    SayAndClose(&'static str),
    /// Bytes as they are.
    Raw(&'static [u8]),
    /// The usual answer byte by byte, with pauses.
    Slowly(Duration),
    Hang,
    Close,
    /// Without the usual farewell of TCP.
    Reset,
}

/// A message that came in whole.
#[derive(Clone, Debug)]
pub struct Received {
    pub connection: usize,
    /// Everything behind `MAIL FROM:` and `RCPT TO:`.
    pub from: String,
    pub to: Vec<String>,
    pub bytes: Vec<u8>,
    pub encrypted: bool,
    pub user: Option<String>,
}

pub struct SmtpServer {
    pub port: u16,
    pub received: Notes<Received>,
    /// Every command with its connection, credentials left out.
    pub commands: Notes<(usize, String)>,
    directory: TempDir,
    standin: Standin,
}

/// How a server is.
#[derive(Clone)]
pub struct Manner {
    /// The lines of its answer to EHLO after the first; STARTTLS is taken out once encrypted.
    pub offers: &'static [&'static str],
    /// From the first byte.
    pub implicit: bool,
    /// Who may log in; without a log-in nobody may send.
    pub login: Option<(&'static str, &'static str)>,
    /// The name in its certificate.
    pub name: &'static str,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            offers: &["STARTTLS", "8BITMIME", "SMTPUTF8"],
            implicit: false,
            login: None,
            name: "localhost",
        }
    }
}

type React = Arc<dyn Fn(&Moment) -> Reaction + Send + Sync>;

struct Serving {
    manner: Manner,
    identity: Identity,
    react: React,
    received: Notes<Received>,
    commands: Notes<(usize, String)>,
}

impl SmtpServer {
    /// One that does as it should.
    pub fn start(manner: Manner) -> Self {
        Self::reacting(manner, |_| Reaction::Usual)
    }

    /// # Panics
    /// There is no directory for its certificate.
    pub fn reacting(
        manner: Manner,
        react: impl Fn(&Moment) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        let identity = Identity::of(manner.name);
        let directory = TempDir::new().expect("a temporary directory");
        std::fs::write(directory.path().join("roots.pem"), &identity.pem).expect("a file");
        let (received, commands) = (Notes::default(), Notes::default());
        let serving = Arc::new(Serving {
            manner,
            identity,
            react: Arc::new(react),
            received: received.clone(),
            commands: commands.clone(),
        });
        let standin = Standin::start(move |stream, number| {
            let serving = Arc::clone(&serving);
            async move { serving.serve(stream, number).await }
        });
        Self { port: standin.port, received, commands, directory, standin }
    }

    /// The file with the certificate to trust.
    pub fn roots(&self) -> PathBuf {
        self.directory.path().join("roots.pem")
    }

    /// Connections that came in, whether or not anything was said over them.
    pub fn reached(&self) -> usize {
        self.standin.reached()
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.commands.all().iter().map(|(number, _)| number + 1).max().unwrap_or(0)
    }
}

/// One connection.
struct Talk<'a> {
    serving: &'a Serving,
    /// For what is no matter of reading and writing.
    socket: TcpStream,
    wire: BufReader<Box<dyn Wire>>,
    moment: Moment,
    encrypted: bool,
    user: Option<String>,
    from: Option<String>,
    to: Vec<String>,
}

/// The connection is over.
struct Over;

impl Serving {
    async fn serve(&self, stream: TcpStream, connection: usize) {
        let (stream, socket) = two_handles(stream);
        let mut wire: Box<dyn Wire> = Box::new(stream);
        if self.manner.implicit {
            match self.identity.acceptor.accept(wire).await {
                Ok(encrypted) => wire = Box::new(encrypted),
                Err(_) => return,
            }
        }
        let moment = Moment { connection, message: 0, step: Step::Banner, said: String::new() };
        let mut talk = Talk {
            serving: self,
            socket,
            wire: BufReader::new(wire),
            moment,
            encrypted: self.manner.implicit,
            user: None,
            from: None,
            to: Vec::new(),
        };
        let _ = talk.run().await;
    }
}

/// A second handle on the same socket.
fn two_handles(stream: TcpStream) -> (TcpStream, TcpStream) {
    let first = stream.into_std().expect("a socket of the system's");
    let second = first.try_clone().expect("a second handle");
    let registered = |socket| TcpStream::from_std(socket).expect("a socket of the runtime's");
    (registered(first), registered(second))
}

impl Talk<'_> {
    async fn run(&mut self) -> Result<(), Over> {
        self.answer(Step::Banner, "220 localhost stands in").await?;
        loop {
            let line = self.line().await?;
            let (verb, said) = line.split_once(' ').unwrap_or((&line, ""));
            let verb = verb.to_uppercase();
            let shown = if verb == "AUTH" { "AUTH" } else { line.as_str() };
            self.serving.commands.push((self.moment.connection, shown.to_owned()));
            self.moment.said = said.to_owned();
            match verb.as_str() {
                "EHLO" => {
                    let offers = self.offers();
                    self.answer(Step::Ehlo, &offers).await?;
                }
                "STARTTLS" => self.starttls().await?,
                "AUTH" => self.log_in(said).await?,
                "MAIL" if self.serving.manner.login.is_some() && self.user.is_none() => {
                    self.answer(Step::Mail, "530 5.7.0 Authentication required").await?;
                }
                "MAIL" => {
                    self.from = Some(said.to_owned());
                    self.to.clear();
                    self.answer(Step::Mail, "250 2.1.0 Ok").await?;
                }
                "RCPT" => {
                    self.to.push(said.to_owned());
                    self.answer(Step::Rcpt, "250 2.1.5 Ok").await?;
                }
                "DATA" => self.data().await?,
                "RSET" => self.answer(Step::Rset, "250 2.0.0 Ok").await?,
                "NOOP" => self.answer(Step::Noop, "250 2.0.0 Ok").await?,
                "QUIT" => {
                    self.answer(Step::Quit, "221 2.0.0 Bye").await?;
                    return Err(Over);
                }
                _ => self.answer(Step::Noop, "502 5.5.2 What?").await?,
            }
        }
    }

    fn offers(&self) -> String {
        let mut lines = vec!["localhost greets you"];
        let offers = self.serving.manner.offers.iter();
        lines.extend(offers.filter(|offer| !(self.encrypted && **offer == "STARTTLS")));
        let last = lines.len() - 1;
        let line = |(number, line)| format!("250{}{line}", if number == last { ' ' } else { '-' });
        lines.into_iter().enumerate().map(line).collect::<Vec<_>>().join("\r\n")
    }

    async fn starttls(&mut self) -> Result<(), Over> {
        self.answer(Step::Starttls, "220 2.0.0 Ready").await?;
        self.answer(Step::Tls, "").await?;
        let nothing: Box<dyn Wire> = Box::new(tokio::io::empty());
        let plain = std::mem::replace(&mut self.wire, BufReader::new(nothing)).into_inner();
        let encrypted = self.serving.identity.acceptor.accept(plain).await.map_err(|_| Over)?;
        self.wire = BufReader::new(Box::new(encrypted));
        self.encrypted = true;
        Ok(())
    }

    async fn log_in(&mut self, said: &str) -> Result<(), Over> {
        let decoded = |text: &str| {
            String::from_utf8(STANDARD.decode(text).unwrap_or_default()).unwrap_or_default()
        };
        let (user, password) = match said.split_once(' ') {
            Some(("PLAIN", response)) => {
                let text = decoded(response);
                let mut parts = text.split('\0').skip(1).map(str::to_owned);
                (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
            }
            _ => {
                let mut asked = [String::new(), String::new()];
                for (prompt, answer) in ["VXNlcm5hbWU6", "UGFzc3dvcmQ6"].iter().zip(&mut asked) {
                    self.say(format!("334 {prompt}\r\n").as_bytes()).await?;
                    *answer = decoded(&self.line().await?);
                }
                asked.into()
            }
        };
        let good = self.serving.manner.login == Some((user.as_str(), password.as_str()));
        self.user = good.then_some(user);
        let usual = if good { "235 2.7.0 Welcome" } else { "535 5.7.8 Wrong user or password" };
        self.answer(Step::Auth, usual).await
    }

    async fn data(&mut self) -> Result<(), Over> {
        if self.to.is_empty() {
            return self.answer(Step::Data, "503 5.5.1 No recipient").await;
        }
        self.answer(Step::Data, "354 Go on").await?;
        self.answer(Step::Message, "").await?;
        let mut bytes = Vec::new();
        loop {
            let start = bytes.len();
            self.wire.read_until(b'\n', &mut bytes).await.map_err(|_| Over)?;
            match &bytes[start..] {
                b"" => return Err(Over),
                b".\r\n" => {
                    bytes.truncate(start);
                    break;
                }
                [b'.', ..] => drop(bytes.remove(start)),
                _ => {}
            }
        }
        self.serving.received.push(Received {
            connection: self.moment.connection,
            from: self.from.take().unwrap_or_default(),
            to: std::mem::take(&mut self.to),
            bytes,
            encrypted: self.encrypted,
            user: self.user.clone(),
        });
        let number = self.moment.message;
        self.answer(Step::Dot, &format!("250 2.0.0 Ok: queued as Q{number}")).await?;
        self.moment.message += 1;
        Ok(())
    }

    async fn line(&mut self) -> Result<String, Over> {
        let mut line = String::new();
        match self.wire.read_line(&mut line).await {
            Ok(0) | Err(_) => Err(Over),
            Ok(_) => Ok(line.trim_end().to_owned()),
        }
    }

    async fn say(&mut self, bytes: &[u8]) -> Result<(), Over> {
        let wire = self.wire.get_mut();
        wire.write_all(bytes).await.map_err(|_| Over)?;
        wire.flush().await.map_err(|_| Over)
    }

    /// An empty answer is none.
    async fn answer(&mut self, step: Step, usual: &str) -> Result<(), Over> {
        self.moment.step = step;
        let whole = if usual.is_empty() { String::new() } else { format!("{usual}\r\n") };
        match (self.serving.react)(&self.moment) {
            Reaction::Usual => self.say(whole.as_bytes()).await,
            Reaction::Say(text) => self.say(format!("{text}\r\n").as_bytes()).await,
            Reaction::Raw(bytes) => self.say(bytes).await,
            Reaction::SayAndClose(text) => {
                self.say(format!("{text}\r\n").as_bytes()).await?;
                Err(Over)
            }
            Reaction::Slowly(pause) => {
                dribble(self.wire.get_mut(), whole.as_bytes(), pause).await;
                Ok(())
            }
            Reaction::Hang => {
                hang().await;
                Err(Over)
            }
            Reaction::Close => Err(Over),
            Reaction::Reset => {
                self.socket.set_zero_linger().map_err(|_| Over)?;
                Err(Over)
            }
        }
    }
}
