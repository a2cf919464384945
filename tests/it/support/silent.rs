//! A network between the worker and a PostgreSQL that can go silent: connections stay open, and
//! nothing comes through until it speaks again.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};

use super::pg::Pg;
use super::replica::LONG;

#[derive(Default)]
struct State {
    is_silent: bool,
    /// Pieces that wait to come through.
    held: usize,
}

type Gate = Arc<(Mutex<State>, Condvar)>;

/// The network; its threads end with the connections.
pub struct Network {
    pub url: String,
    gate: Gate,
}

impl Network {
    /// In front of this database.
    pub fn before(pg: &Pg) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let url = pg.url();
        let (_, dir) = url.split_once("?host=").expect("a socket's directory");
        let (gate, socket) = (Gate::default(), PathBuf::from(dir).join(".s.PGSQL.5432"));
        let shared = Arc::clone(&gate);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                connect(&client, &socket, &shared);
            }
        });
        let url = format!("postgres://postgres@127.0.0.1:{port}/{}?sslmode=disable", pg.name());
        Self { url, gate }
    }

    pub fn falls_silent(&self) {
        self.gate.0.lock().expect("no panic").is_silent = true;
    }

    /// Waits until somebody has said something into the silence.
    pub fn holds_something(&self) {
        let state = self.gate.0.lock().expect("no panic");
        let waited = self.gate.1.wait_timeout_while(state, LONG, |state| state.held == 0);
        assert!(!waited.expect("no panic").1.timed_out(), "nobody said anything");
    }

    pub fn speaks_again(&self) {
        self.gate.0.lock().expect("no panic").is_silent = false;
        self.gate.1.notify_all();
    }
}

fn connect(client: &TcpStream, socket: &PathBuf, gate: &Gate) {
    let Ok(server) = UnixStream::connect(socket) else { return };
    let (Ok(from_client), Ok(from_server)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    let Ok(to_client) = client.try_clone() else { return };
    let (one, other) = (Arc::clone(gate), Arc::clone(gate));
    std::thread::spawn(move || {
        carry(from_client, &server, &one);
        let _ = server.shutdown(Shutdown::Both);
    });
    std::thread::spawn(move || {
        carry(from_server, &to_client, &other);
        let _ = to_client.shutdown(Shutdown::Both);
    });
}

fn carry(mut from: impl Read, mut to: impl Write, gate: &Gate) {
    let mut piece = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        let mut state = gate.0.lock().expect("no panic");
        if state.is_silent {
            state.held += 1;
            gate.1.notify_all();
            state = gate.1.wait_while(state, |state| state.is_silent).expect("no panic");
            state.held -= 1;
        }
        drop(state);
        if to.write_all(&piece[..length]).is_err() {
            return;
        }
    }
}
