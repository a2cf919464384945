//! The model of Xero behind real sockets: token endpoint, connections, and the page where a
//! user would log in.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use worker::clock::Clock;
use worker::domain::ids::{TenantId, UserId};
use worker::domain::scopes::ScopeText;
use worker::simulation::xero::http::{Reaction, Request, Response};
use worker::simulation::xero::{App, Tenant, Xero};

use super::http;
use super::standin::{Identity, Notes, Standin, Wire, hang};

pub const CLIENT_ID: &str = "0123456789ABCDEF0123456789ABCDEF";
pub const SECRET: &str = "s3cret/with+signs&äö";
pub const REDIRECT: &str = "https://books.example/xero/callback";

/// An app that may ask for a good deal, and manages its connections.
pub fn app() -> App {
    App {
        client_id: CLIENT_ID.to_owned(),
        secret: Some(SECRET.to_owned()),
        redirect_uri: REDIRECT.to_owned(),
        scopes: ScopeText::read(
            "offline_access openid profile email accounting.transactions accounting.settings \
             accounting.contacts accounting.invoices accounting.payments accounting.attachments",
        )
        .set,
        manages_connections: true,
        cap: None,
    }
}

/// A model with the app and nobody.
pub fn model() -> Xero {
    let mut xero = Xero::new(7);
    xero.register(app());
    xero
}

pub fn user(number: u32) -> UserId {
    UserId(uuid::Uuid::from_u128(0x0005_0000_0000_4000_8000_0000_0000_0000 + u128::from(number)))
}

pub fn tenant(number: u32) -> Tenant {
    let id = 0x0007_0000_0000_4000_8000_0000_0000_0000 + u128::from(number);
    Tenant {
        id: TenantId(uuid::Uuid::from_u128(id)),
        kind: "ORGANISATION".to_owned(),
        name: Some(format!("Tenant {number} & Söhne")),
    }
}

/// A model served over sockets. Dropping it closes them.
pub struct XeroServer {
    pub port: u16,
    /// As they came.
    pub requests: Notes<Request>,
    /// Its certificate, if it speaks TLS.
    pub certificate: Option<String>,
    served: Arc<Served>,
    standin: Standin,
}

struct Served {
    model: Arc<Mutex<Xero>>,
    clock: Arc<dyn Clock>,
    identity: Option<Identity>,
    requests: Notes<Request>,
    in_flight: AtomicUsize,
    most: AtomicUsize,
    gate: Mutex<Option<Arc<Barrier>>>,
    witness: Mutex<Option<Witness>>,
}

/// Sees each call come before it is carried out (`true`), and again when it was. What it gives
/// is done in place of the call, or of its answer.
type Witness = Arc<dyn Fn(&Request, bool) -> Option<Reaction> + Send + Sync>;

impl XeroServer {
    pub fn start(model: Xero, clock: Arc<dyn Clock>) -> Self {
        Self::serving(Arc::new(Mutex::new(model)), clock, None)
    }

    /// With a certificate that nobody knows.
    pub fn encrypted(model: Xero, clock: Arc<dyn Clock>) -> Self {
        Self::serving(Arc::new(Mutex::new(model)), clock, Some(Identity::of("localhost")))
    }

    /// A model that others have too.
    pub fn sharing(model: Arc<Mutex<Xero>>, clock: Arc<dyn Clock>) -> Self {
        Self::serving(model, clock, None)
    }

    fn serving(model: Arc<Mutex<Xero>>, clock: Arc<dyn Clock>, identity: Option<Identity>) -> Self {
        let certificate = identity.as_ref().map(|identity| identity.pem.clone());
        let served = Arc::new(Served {
            model,
            clock,
            identity,
            requests: Notes::default(),
            in_flight: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            gate: Mutex::new(None),
            witness: Mutex::new(None),
        });
        let shared = Arc::clone(&served);
        let standin = Standin::start(move |stream, _| serve(stream, Arc::clone(&shared)));
        let requests = served.requests.clone();
        Self { port: standin.port, requests, certificate, served, standin }
    }

    /// Connections that came in, whether or not anything was said over them.
    pub fn reached(&self) -> usize {
        self.standin.reached()
    }

    /// The address of all its parts.
    pub fn url(&self) -> url::Url {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://localhost:{}", self.port).parse().expect("an address")
    }

    /// # Panics
    /// Whoever had it last did.
    pub fn model(&self) -> MutexGuard<'_, Xero> {
        self.served.model.lock().expect("a model")
    }

    /// From now on lists are answered when so many wait for one, and a moment later.
    ///
    /// # Panics
    /// Never.
    pub fn answer_lists_together(&self, count: usize) {
        *self.served.gate.lock().expect("a gate") = Some(Arc::new(Barrier::new(count)));
    }

    /// From now on somebody looks on.
    ///
    /// # Panics
    /// Never.
    pub fn watch(
        &self,
        witness: impl Fn(&Request, bool) -> Option<Reaction> + Send + Sync + 'static,
    ) {
        *self.served.witness.lock().expect("a witness") = Some(Arc::new(witness));
    }

    /// The most calls that were waiting for an answer at a time.
    pub fn most_at_once(&self) -> usize {
        self.served.most.load(Ordering::SeqCst)
    }
}

async fn serve(stream: TcpStream, served: Arc<Served>) {
    let wire: Box<dyn Wire> = match &served.identity {
        None => Box::new(stream),
        Some(identity) => match identity.acceptor.accept(stream).await {
            Ok(encrypted) => Box::new(encrypted),
            Err(_) => return,
        },
    };
    let mut wire = BufReader::new(wire);
    while let Some(request) = http::read(&mut wire, 0).await {
        let http::Request { method, path, headers, body, .. } = request;
        let request = Request { method, path, headers, body };
        served.requests.push(request.clone());
        let now = served.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        served.most.fetch_max(now, Ordering::SeqCst);
        let reaction = served.react(&request).await;
        served.in_flight.fetch_sub(1, Ordering::SeqCst);
        if !write(wire.get_mut(), reaction).await {
            return;
        }
    }
}

impl Served {
    async fn react(&self, request: &Request) -> Reaction {
        let gate = self.gate.lock().expect("a gate").clone();
        if let Some(gate) = gate.filter(|_| request.path == "/connections") {
            gate.wait().await;
            // Time for one more to come in, if anybody sends it.
            pause(Duration::from_millis(50)).await;
        }
        let witness = self.witness.lock().expect("a witness").clone();
        let sees = |comes| witness.as_ref().and_then(|witness| witness(request, comes));
        if let Some(instead) = sees(true) {
            return instead;
        }
        let now = self.clock.now();
        let reaction = self.model.lock().expect("a model").react(now, request);
        if let Reaction::Late(span, response) = reaction {
            pause(span.to_std().unwrap_or_default()).await;
            return Reaction::Answer(response);
        }
        sees(false).unwrap_or(reaction)
    }
}

async fn pause(span: Duration) {
    let _ = tokio::time::timeout(span, hang()).await;
}

/// Writes what becomes of a request; whether the connection goes on.
async fn write(wire: &mut Box<dyn Wire>, reaction: Reaction) -> bool {
    let (response, is_cut) = match reaction {
        Reaction::Answer(response) | Reaction::Late(_, response) => (response, false),
        Reaction::Half(response) => (response, true),
        Reaction::Reset => return false,
        Reaction::Silence => {
            hang().await;
            return false;
        }
    };
    let bytes = bytes(&response, is_cut);
    wire.write_all(&bytes).await.is_ok() && wire.flush().await.is_ok() && !is_cut
}

fn bytes(response: &Response, is_cut: bool) -> Vec<u8> {
    let Response { status, headers, body } = response;
    let mut head = format!("HTTP/1.1 {status} So\r\n");
    if *status != 204 {
        // An answer without a body breaks off in its headers.
        let length = if is_cut { body.len().max(2) } else { body.len() };
        head.push_str(&format!("content-length: {length}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut bytes = format!("{head}\r\n").into_bytes();
    bytes.extend_from_slice(body);
    if is_cut {
        let whole = if body.is_empty() { head.len() } else { bytes.len() - body.len() / 2 - 1 };
        bytes.truncate(whole);
    }
    bytes
}
