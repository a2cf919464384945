//! `[http]`: where `worker run` answers for its health.

use std::net::{Ipv4Addr, SocketAddr};

use super::problem::Wrong;
use super::table::Table;
use super::value::{FromToml, Value};

/// For this machine only: the answers need no login.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9464);

#[derive(Clone, Debug)]
pub struct Http {
    pub listen: SocketAddr,
}

impl Http {
    pub(super) fn read(root: &Table<'_>) -> Self {
        let table = root.section("http");
        let listen = table.get("listen").unwrap_or(DEFAULT_LISTEN);
        table.finish();
        Self { listen }
    }
}

impl FromToml for SocketAddr {
    fn from_toml(value: Value<'_>) -> Result<Self, Wrong> {
        let text = value.text()?;
        text.parse().map_err(|_| {
            Wrong::new(
                format!("{} is \"{text}\", which is no IP address with a port", value.label()),
                format!(
                    "{}, or \"0.0.0.0:9464\" for every interface",
                    value.write("\"127.0.0.1:9464\"")
                ),
            )
        })
    }
}
