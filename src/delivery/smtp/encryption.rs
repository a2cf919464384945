//! How a connection to the mail server is encrypted, made ready once.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use lettre::transport::smtp::client::{AsyncTokioStream, Certificate, TlsParameters};
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls_platform_verifier::Verifier;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::settings::{Settings, Tls};

/// Why no connection can even be tried.
#[derive(Debug, thiserror::Error)]
pub enum SmtpError {
    #[error("the certificates in {path} cannot be read: {reason}")]
    Roots { path: String, reason: String },
    #[error("encryption cannot be set up: {0}")]
    Tls(String),
}

impl SmtpError {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Roots { .. } => {
                "`roots` of [email] names a PEM file with at least one certificate"
            }
            Self::Tls(_) => {
                "look at `host` of [email] and at the system's certificate store, or name \
                 certificates with `roots`"
            }
        }
    }
}

/// What each connection is encrypted with.
#[derive(Clone)]
pub(super) enum Encryption {
    None,
    Starttls(TlsParameters),
    Implicit(Implicit),
}

/// Encryption from the first byte. Ours, as lettre's connections of that kind cannot be told
/// not to delay small packets: the final dot would wait for the acknowledgement of the packet
/// before it, 40 ms for each message.
#[derive(Clone)]
pub(super) struct Implicit {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Encryption {
    pub fn of(settings: &Settings) -> Result<Self, SmtpError> {
        let roots = settings.roots.as_deref().map(read).transpose()?.unwrap_or_default();
        let failed = |error: &dyn std::fmt::Display| SmtpError::Tls(error.to_string());
        match settings.tls {
            Tls::None => Ok(Self::None),
            Tls::Starttls => {
                let mut parameters = TlsParameters::builder(settings.host.clone());
                for root in roots {
                    let root = Certificate::from_der(root.to_vec()).map_err(|it| failed(&it))?;
                    parameters = parameters.add_root_certificate(root);
                }
                Ok(Self::Starttls(parameters.build().map_err(|it| failed(&it))?))
            }
            Tls::Implicit => {
                let provider = Arc::new(ring::default_provider());
                let verifier = Verifier::new_with_extra_roots(roots, Arc::clone(&provider))
                    .map_err(|it| failed(&it))?;
                let config = ClientConfig::builder_with_provider(provider)
                    .with_safe_default_protocol_versions()
                    .map_err(|it| failed(&it))?
                    // The system's own verifier is what this name warns of.
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(verifier))
                    .with_no_client_auth();
                let name = ServerName::try_from(settings.host.clone()).map_err(|it| failed(&it))?;
                Ok(Self::Implicit(Implicit { connector: Arc::new(config).into(), name }))
            }
        }
    }
}

impl Implicit {
    pub async fn encrypt(&self, stream: TcpStream) -> io::Result<Encrypted> {
        self.connector.connect(self.name.clone(), stream).await.map(Encrypted)
    }
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, SmtpError> {
    let unreadable = |reason: String| SmtpError::Roots { path: path.display().to_string(), reason };
    let pem = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let roots: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| unreadable(error.to_string()))?;
    if roots.is_empty() {
        return Err(unreadable("there is no certificate in it".to_owned()));
    }
    Ok(roots)
}

/// An encrypted connection that lettre takes.
#[derive(Debug)]
pub(super) struct Encrypted(TlsStream<TcpStream>);

impl AsyncTokioStream for Encrypted {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.get_ref().0.peer_addr()
    }
}

impl AsyncRead for Encrypted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Encrypted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
