//! `worker healthcheck`: for containers without a shell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::jobs::exit::Exit;

use super::context::{Context, Trouble};

/// Container engines give up after thirty seconds by themselves.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Ask whether runs can begin, not only whether the process is alive
    #[arg(long)]
    ready: bool,
}

pub(super) async fn run(context: &Context, arguments: Arguments) -> Result<Exit, Trouble> {
    let listen = reachable(context.configured()?.config.http.listen);
    let path = if arguments.ready { "/readyz" } else { "/healthz" };
    let answer = tokio::time::timeout(PATIENCE, ask(listen, path)).await;
    let what = match answer {
        Ok(Ok(answer)) if answer.starts_with("HTTP/1.1 200 ") => return Ok(Exit::Done),
        Ok(Ok(answer)) => answer.lines().last().unwrap_or_default().to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no answer".to_owned(),
    };
    Err(Trouble::CannotRun(
        format!("http://{listen}{path}: {what}"),
        "is `worker run` running here, with the same [http] listen?".to_owned(),
    ))
}

/// Where a process that listens on every interface is reached from its own machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

async fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer).await?;
    Ok(answer)
}
