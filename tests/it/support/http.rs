//! An HTTP server that answers as it is told: late, endlessly, elsewhere, or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::standin::{Identity, Notes, Standin, Wire, dribble, hang};

/// A request that came in whole.
#[derive(Clone, Debug)]
pub struct Request {
    pub connection: usize,
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// What the server does with a request, once it was written down.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A status, headers, and a body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Bytes as they are, after which the connection closes.
    Raw(&'static [u8]),
    /// A good beginning, and then a body that does not end.
    Endless(u16),
    /// A good answer byte by byte, with pauses.
    Slowly(u16, Duration),
    /// A good beginning, and then nothing.
    Half(u16),
    Hang,
    Close,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), String::new())
    }

    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::Answer(status, Vec::new(), body.to_string())
    }
}

pub struct HttpServer {
    pub port: u16,
    pub requests: Notes<Request>,
    /// Set for one that speaks TLS.
    pub certificate: Option<String>,
    standin: Standin,
}

impl HttpServer {
    /// One that answers every request alike.
    pub fn replying(reply: Reply) -> Self {
        Self::start(None, move |_| reply.clone())
    }

    /// One that answers as it is told for each request.
    pub fn serving(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(None, reply)
    }

    /// One with a certificate for a name.
    pub fn encrypted(name: &str, reply: Reply) -> Self {
        Self::start(Some(Identity::of(name)), move |_| reply.clone())
    }

    fn start(
        identity: Option<Identity>,
        reply: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        worker::web::install();
        let requests = Notes::default();
        let certificate = identity.as_ref().map(|identity| identity.pem.clone());
        let shared = Arc::new((identity, reply, requests.clone()));
        let standin = Standin::start(move |stream: TcpStream, number| {
            let shared = Arc::clone(&shared);
            async move {
                let (identity, reply, requests) = &*shared;
                let wire: Box<dyn Wire> = match identity {
                    None => Box::new(stream),
                    Some(identity) => match identity.acceptor.accept(stream).await {
                        Ok(encrypted) => Box::new(encrypted),
                        Err(_) => return,
                    },
                };
                let mut wire = BufReader::new(wire);
                while let Some(request) = read(&mut wire, number).await {
                    let reply = reply(&request);
                    requests.push(request);
                    if !answer(&mut wire, reply).await {
                        return;
                    }
                }
            }
        });
        Self { port: standin.port, requests, certificate, standin }
    }

    /// Connections that came in, whether or not anything was said over them.
    pub fn reached(&self) -> usize {
        self.standin.reached()
    }

    pub fn url(&self, path: &str) -> url::Url {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        let host = if self.certificate.is_some() { "localhost" } else { "127.0.0.1" };
        format!("{scheme}://{host}:{}{path}", self.port).parse().expect("an address")
    }
}

pub async fn read(wire: &mut BufReader<Box<dyn Wire>>, connection: usize) -> Option<Request> {
    let mut line = String::new();
    wire.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        wire.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    wire.read_exact(&mut body).await.ok()?;
    Some(Request { connection, method, path, headers, body })
}

/// Answers; whether the connection goes on.
async fn answer(wire: &mut BufReader<Box<dyn Wire>>, reply: Reply) -> bool {
    let wire = wire.get_mut();
    match reply {
        Reply::Answer(status, headers, body) => {
            let mut text = format!("HTTP/1.1 {status} So\r\ncontent-length: {}\r\n", body.len());
            for (name, value) in headers {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
            text.push_str("\r\n");
            text.push_str(&body);
            wire.write_all(text.as_bytes()).await.is_ok() && wire.flush().await.is_ok()
        }
        Reply::Raw(bytes) => {
            let _ = wire.write_all(bytes).await;
            let _ = wire.flush().await;
            false
        }
        Reply::Endless(status) => {
            let head = format!("HTTP/1.1 {status} So\r\ncontent-type: text/plain\r\n\r\n");
            let mut going = wire.write_all(head.as_bytes()).await.is_ok();
            while going {
                going = wire.write_all(&[b'x'; 1024]).await.is_ok() && wire.flush().await.is_ok();
            }
            false
        }
        Reply::Slowly(status, pause) => {
            let text = format!("HTTP/1.1 {status} So\r\ncontent-length: 0\r\n\r\n");
            dribble(wire, text.as_bytes(), pause).await;
            true
        }
        Reply::Half(status) => {
            let head = format!("HTTP/1.1 {status} So\r\ncontent-length: 100\r\n\r\n{{\"id\":");
            let _ = wire.write_all(head.as_bytes()).await;
            let _ = wire.flush().await;
            hang().await;
            false
        }
        Reply::Hang => {
            hang().await;
            false
        }
        Reply::Close => false,
    }
}
