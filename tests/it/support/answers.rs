//! A web server that answers as a test says, and remembers what it was asked.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What it says.
pub enum Answer {
    Status(u16),
    Redirect(String),
    Page(String),
    /// It takes the request and says nothing.
    Silence,
    /// A body without end.
    Endless,
}

/// It ends with this.
pub struct Answers {
    pub url: String,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Answers {
    /// Answers each request by its path and query.
    pub async fn new(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (asked.clone(), Arc::new(answer));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, answer) = (seen.clone(), answer.clone());
                tokio::spawn(async move { serve(stream, &seen, &*answer).await });
            }
        });
        Self { url, asked, task }
    }

    /// The paths with their queries since the last call.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("nobody panics here"))
    }
}

async fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<String>>,
    answer: &(dyn Fn(&str) -> Answer + Send + Sync),
) -> Option<()> {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read).lines();
    let request = lines.next_line().await.ok()??;
    while lines.next_line().await.ok()?.is_some_and(|line| !line.is_empty()) {}
    let path = request.split(' ').nth(1)?.to_owned();
    seen.lock().expect("nobody panics here").push(path.clone());
    let whole = |status: u16, header: &str, body: &str| {
        format!(
            "HTTP/1.1 {status} x\r\n{header}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let text = match answer(&path) {
        Answer::Status(status) => whole(status, "", ""),
        Answer::Redirect(to) => whole(302, &format!("location: {to}\r\n"), ""),
        Answer::Page(body) => whole(200, "content-type: text/html\r\n", &body),
        Answer::Silence => {
            // Until the other side goes away.
            let _ = lines.next_line().await;
            return None;
        }
        Answer::Endless => {
            write.write_all(b"HTTP/1.1 200 x\r\nconnection: close\r\n\r\n").await.ok()?;
            while write.write_all(&[b'x'; 4096]).await.is_ok() {}
            return None;
        }
    };
    write.write_all(text.as_bytes()).await.ok()
}
