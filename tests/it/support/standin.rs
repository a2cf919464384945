//! Servers that stand in for others: real sockets on a thread of their own, so that they
//! also serve a worker that is another process, and one that gets killed.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// A listening socket on this machine. Dropping it closes all its connections.
pub struct Standin {
    pub port: u16,
    reached: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Standin {
    /// Serves each connection, numbered from 0.
    ///
    /// # Panics
    /// There is no port, or no thread.
    pub fn start<F>(serve: impl Fn(TcpStream, usize) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket that does not block");
        let port = listener.local_addr().expect("an address").port();
        let (stop, stopped) = oneshot::channel();
        let reached = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&reached);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                let accepting = async {
                    for number in 0.. {
                        let (stream, _) = listener.accept().await.expect("a connection");
                        counted.fetch_add(1, Ordering::SeqCst);
                        stream.set_nodelay(true).expect("an option that every socket has");
                        tokio::spawn(serve(stream, number));
                    }
                };
                tokio::select! { () = accepting => {}, _ = stopped => {} }
            });
        });
        Self { port, reached, stop: Some(stop), thread: Some(thread) }
    }

    /// Connections that came in, whether or not anything was said over them.
    pub fn reached(&self) -> usize {
        self.reached.load(Ordering::SeqCst)
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic over there was shown when it happened.
            let _ = thread.join();
        }
    }
}

/// What a stand-in remembers, shared with the test.
pub struct Notes<T>(Arc<Mutex<Vec<T>>>);

impl<T> Clone for Notes<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Notes<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Notes<T> {
    pub fn push(&self, note: T) {
        self.all().push(note);
    }

    /// # Panics
    /// Whoever wrote last did.
    pub fn all(&self) -> MutexGuard<'_, Vec<T>> {
        self.0.lock().expect("nobody panics while writing a note")
    }
}

/// A certificate for a name, and whoever trusts it.
pub struct Identity {
    pub acceptor: TlsAcceptor,
    /// The certificate as a PEM file says it.
    pub pem: String,
    /// Its key, for a server that is another process.
    pub key: String,
}

impl Identity {
    /// # Panics
    /// The certificate cannot be made.
    pub fn of(name: &str) -> Self {
        worker::web::install();
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).expect("a name");
        let (pem, secret) = (made.cert.pem(), made.signing_key.serialize_pem());
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a certificate with its key");
        Self { acceptor: TlsAcceptor::from(Arc::new(config)), pem, key: secret }
    }
}

pub trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// Never comes back: until the other side gives up.
pub async fn hang() {
    std::future::pending::<()>().await;
}

/// Writes byte by byte, with a pause before each.
pub async fn dribble(wire: &mut (impl AsyncWrite + Unpin), bytes: &[u8], pause: Duration) {
    let mut ticks = tokio::time::interval(pause);
    for byte in bytes {
        ticks.tick().await;
        if wire.write_all(&[*byte]).await.is_err() || wire.flush().await.is_err() {
            return;
        }
    }
}
