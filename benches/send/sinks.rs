//! What takes the messages: a mail server and a web server that take 20 ms for each answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The time of each answer.
const LATENCY: Duration = Duration::from_millis(20);

pub struct Sinks {
    pub smtp_port: u16,
    pub http_port: u16,
    taken: Arc<AtomicUsize>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Sinks {
    /// On a thread of their own, so that whoever sends does not wait for them.
    pub fn start() -> Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let taken = Arc::new(AtomicUsize::new(0));
        let listen = |serve: fn(TcpStream, Arc<AtomicUsize>) -> Serving| -> Result<u16> {
            let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
            listener.set_nonblocking(true)?;
            let port = listener.local_addr()?.port();
            let taken = Arc::clone(&taken);
            runtime.spawn(async move {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                while let Ok((stream, _)) = listener.accept().await {
                    let _ = stream.set_nodelay(true);
                    tokio::spawn(serve(stream, Arc::clone(&taken)));
                }
            });
            Ok(port)
        };
        let smtp_port = listen(|stream, taken| Box::pin(smtp(stream, taken)))?;
        let http_port = listen(|stream, taken| Box::pin(http(stream, taken)))?;
        Ok(Self { smtp_port, http_port, taken, runtime: Some(runtime) })
    }

    /// Messages taken so far.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

impl Drop for Sinks {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

type Serving = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

#[expect(clippy::disallowed_methods, reason = "the latency of another side is real time")]
async fn wait() {
    tokio::time::sleep(LATENCY).await;
}

async fn smtp(stream: TcpStream, taken: Arc<AtomicUsize>) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    let mut is_data = false;
    let mut answer: &[u8] = b"220 sink\r\n";
    loop {
        if !answer.is_empty() {
            wait().await;
            if stream.get_mut().write_all(answer).await.is_err() {
                return;
            }
        }
        line.clear();
        if !matches!(stream.read_until(b'\n', &mut line).await, Ok(read) if read > 0) {
            return;
        }
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        answer = match (is_data, &verb[..]) {
            (true, _) if line == b".\r\n" => {
                is_data = false;
                taken.fetch_add(1, Ordering::SeqCst);
                b"250 taken\r\n"
            }
            (true, _) => b"",
            (false, b"EHLO") => b"250-sink\r\n250 8BITMIME\r\n",
            (false, b"DATA") => {
                is_data = true;
                b"354 go on\r\n"
            }
            (false, b"QUIT") => return,
            (false, _) => b"250 fine\r\n",
        };
    }
}

/// The webhook's receiver; and Xero's login page and the product's reconnect page.
async fn http(stream: TcpStream, taken: Arc<AtomicUsize>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut length = 0;
        let mut head = String::new();
        let mut line = String::new();
        loop {
            line.clear();
            if !matches!(stream.read_line(&mut line).await, Ok(read) if read > 0) {
                return;
            }
            if head.is_empty() {
                head.clone_from(&line);
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        wait().await;
        let answer: &[u8] = if head.starts_with("POST") {
            taken.fetch_add(1, Ordering::SeqCst);
            b"HTTP/1.1 204 No Content\r\n\r\n"
        } else if head.contains("/identity/connect/authorize") {
            b"HTTP/1.1 302 Found\r\nlocation: /identity/user/login\r\ncontent-length: 0\r\n\r\n"
        } else {
            b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"
        };
        if stream.get_mut().write_all(answer).await.is_err() {
            return;
        }
    }
}
