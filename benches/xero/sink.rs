//! What is called: a web server that answers as it is told, after a while.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use worker::simulation::xero::http::{Request, Response};

/// What it says to a request.
pub type Says = dyn Fn(&Request) -> Response + Send + Sync;

pub struct Sink {
    pub url: url::Url,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Sink {
    /// On a thread of its own, so that whoever calls does not wait for it.
    pub fn start(latency: Duration, says: Arc<Says>) -> Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?).parse()?;
        runtime.spawn(async move {
            let Ok(listener) = TcpListener::from_std(listener) else { return };
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                tokio::spawn(serve(stream, latency, Arc::clone(&says)));
            }
        });
        Ok(Self { url, runtime: Some(runtime) })
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the latency of another side is real time")]
async fn serve(stream: TcpStream, latency: Duration, says: Arc<Says>) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await {
        let Response { status, headers, body } = says(&request);
        let mut answer = format!("HTTP/1.1 {status} So\r\n");
        if status != 204 {
            answer.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        for (name, value) in headers {
            answer.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut answer = format!("{answer}\r\n").into_bytes();
        answer.extend_from_slice(&body);
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        if stream.get_mut().write_all(&answer).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace();
    let mut request = Request::new(words.next()?, words.next()?);
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    request.headers = headers;
    request.body = vec![0; length];
    stream.read_exact(&mut request.body).await.ok()?;
    Some(request)
}
