//! Trust and handshake of https, over rustls, and its failures in words that tell an admin what to do.

use super::wire::Timed;
use crate::core::now::{date, CLOCK_SET};
use rustls::crypto::{CryptoProvider, KeyProvider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::SigningKey;
use rustls::{AlertDescription, CertificateError, ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

/// Where systems have their CA bundle: OpenWrt's `ca-bundle` and Debian, Alpine, Fedora.
const BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem", "/etc/pki/tls/certs/ca-bundle.crt"];
/// Bytes of one certificate in a CA file. The largest roots are under 3 KiB.
const CERTIFICATE: usize = 64 * 1024;

/// An open TLS connection.
pub type Stream = StreamOwned<ClientConnection, Timed>;

/// Whom to trust.
pub struct Tls {
    ca_file: Option<PathBuf>,
    config: OnceLock<Arc<ClientConfig>>,
}

/// Why there is no TLS connection.
pub enum Failed {
    /// The connection itself.
    Io(io::Error),
    /// TLS: in words for the admin.
    Tls(String),
}

impl Tls {
    pub fn new(ca_file: Option<&Path>) -> Result<Tls, String> {
        if let Some(path) = ca_file {
            let mut roots = RootCertStore::empty();
            if read(path, &mut roots)? == 0 {
                return Err(format!("ca_file '{}' has no certificate in it; it must be a PEM file", path.display()));
            }
        }
        Ok(Tls { ca_file: ca_file.map(Path::to_path_buf), config: OnceLock::new() })
    }

    pub fn warning(&self) -> Option<&'static str> {
        let none = self.ca_file.is_none() && bundle().is_none();
        none.then_some("there is no CA bundle on this machine, so no https upstream can be checked; install ca-bundle")
    }

    /// The whole handshake, with certificate and name checked.
    pub fn handshake(&self, mut socket: Timed, host: &str) -> Result<Stream, Failed> {
        let (config, trusting) = self.config()?;
        let Ok(name) = ServerName::try_from(host.to_string()) else {
            return Err(Failed::Tls(format!("{host} is no name that a certificate can be for")));
        };
        let fail =
            |e: &rustls::Error| Failed::Tls(if trusting { explain(e, host, now()) } else { NO_BUNDLE.to_string() });
        let mut connection = ClientConnection::new(config, name).map_err(|e| fail(&e))?;
        while connection.is_handshaking() {
            if let Err(e) = connection.complete_io(&mut socket) {
                return Err(match e.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                    Some(inner) => fail(inner),
                    None => Failed::Io(e),
                });
            }
        }
        Ok(StreamOwned::new(connection, socket))
    }

    /// The configuration, and whether there is anybody it trusts. Read again each time as long as there is not.
    fn config(&self) -> Result<(Arc<ClientConfig>, bool), Failed> {
        if let Some(config) = self.config.get() {
            return Ok((config.clone(), true));
        }
        let mut roots = RootCertStore::empty();
        for path in bundle().into_iter().chain(self.ca_file.as_deref()) {
            // a bundle with a bad line is still good for the rest; ca_file was checked at the start
            let _ = read(path, &mut roots);
        }
        let trusting = !roots.is_empty();
        let provider = Arc::new(CryptoProvider { key_provider: &NoKeys, ..rustls::crypto::ring::default_provider() });
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| Failed::Tls("this build has no cipher suites".into()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // tickets of one or two upstreams, not of 256
        config.resumption = rustls::client::Resumption::in_memory_sessions(4);
        let config = Arc::new(config);
        if trusting {
            let _ = self.config.set(config.clone());
        }
        Ok((config, trusting))
    }
}

/// The agent has no certificate, so it signs nothing. With the library's own provider, the code that reads and uses private
/// keys would be in the binary for nothing (docs/dependencies.md).
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General("the agent has no private keys".into()))
    }
}

const NO_BUNDLE: &str =
    "there is no CA bundle on this machine to check certificates with; install ca-bundle or set ca_file";

fn bundle() -> Option<&'static Path> {
    BUNDLES.into_iter().map(Path::new).find(|path| path.exists())
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// Adds a PEM file's certificates, one at a time: a bundle is 200 KiB and more. Returns how many.
fn read(path: &Path, roots: &mut RootCertStore) -> Result<usize, String> {
    let fail = |what: String| format!("ca_file '{}' cannot be read: {what}", path.display());
    let certificates = CertificateDer::pem_file_iter(path).map_err(|e| {
        fail(match e {
            rustls::pki_types::pem::Error::Io(e) => e.to_string(),
            _ => "it is no PEM file".into(),
        })
    })?;
    let mut added = 0;
    let mut bad = 0;
    for certificate in certificates {
        let Ok(certificate) = certificate else {
            // one bad section spoils nothing else, but an unreadable file must come to an end
            bad += 1;
            if bad > 16 {
                break;
            }
            continue;
        };
        if certificate.len() <= CERTIFICATE && roots.add(certificate).is_ok() {
            added += 1;
        }
    }
    Ok(added)
}

/// What a TLS error means for the admin.
fn explain(error: &rustls::Error, host: &str, now: u64) -> String {
    use rustls::Error as E;
    use CertificateError as C;
    let dated = |what: &str| match now < CLOCK_SET {
        true => format!(
            "the router's clock is not set ({}): certificates cannot be checked until NTP has set it",
            date(now)
        ),
        false => format!("the certificate of {host} {what}"),
    };
    match error {
        E::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => dated("expired"),
        E::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => {
            dated("is not valid yet; is the router's clock right?")
        }
        E::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => {
            format!("the certificate is not for the name {host}")
        }
        E::InvalidCertificate(C::UnknownIssuer) => {
            format!("the certificate of {host} is signed by no known CA; set ca_file to the CA's certificate")
        }
        E::InvalidCertificate(C::Revoked) => format!("the certificate of {host} is revoked"),
        E::InvalidCertificate(_) => format!("the certificate of {host} is not usable for a server (self-signed?)"),
        E::InvalidMessage(_) | E::PeerSentOversizedRecord => {
            format!("{host} does not speak TLS at this port; is it an http:// address?")
        }
        E::AlertReceived(AlertDescription::CertificateRequired) => {
            format!("{host} asks for a client certificate, and the agent has none")
        }
        E::AlertReceived(AlertDescription::UnrecognisedName) => format!("{host} does not know itself by that name"),
        E::AlertReceived(_) => format!("{host} refused the handshake"),
        E::PeerIncompatible(_) => format!("{host} speaks no TLS 1.2 or 1.3 that the agent does"),
        _ => format!("the handshake with {host} failed"),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn words_for_admins() {
        let day = CLOCK_SET + 86_400;
        let certificate = |e| explain(&rustls::Error::InvalidCertificate(e), "h", day);
        assert_eq!(certificate(CertificateError::Expired), "the certificate of h expired");
        assert_eq!(
            certificate(CertificateError::NotValidYet),
            "the certificate of h is not valid yet; is the router's clock right?"
        );
        assert!(certificate(CertificateError::BadSignature).contains("self-signed?"));
        for error in [CertificateError::Expired, CertificateError::NotValidYet] {
            let text = explain(&rustls::Error::InvalidCertificate(error), "h", CLOCK_SET - 1);
            assert_eq!(
                text,
                "the router's clock is not set (2024-12-31): certificates cannot be checked until NTP has set it"
            );
        }
        let text = explain(&rustls::Error::AlertReceived(AlertDescription::CertificateRequired), "h", day);
        assert_eq!(text, "h asks for a client certificate, and the agent has none");
    }
}
