//! The cryptography behind TLS, chosen once for the whole process.

/// Makes ring the provider of every TLS connection that is not told otherwise: HTTP clients
/// cannot be built before. Calling it again changes nothing.
pub fn install() {
    // An error says that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
