//! Whether connections to PostgreSQL are encrypted, and what is verified of the server's certificate: `sslmode` and `sslrootcert` of a
//! database URL, as libpq reads them. tokio-postgres knows only some of their values.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use anyhow::{anyhow, bail, ensure};
use percent_encoding::percent_decode_str;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, SslNegotiation};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::Tls;
use crate::platform::tls::{client_builder, client_config, own_roots, public_roots, read_roots, trusted_roots};

/// The value of `sslrootcert` that stands for the public authorities.
const SYSTEM: &str = "system";

/// The values of `sslmode`, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

const MODES: [(&str, Mode); 5] = [
    ("disable", Mode::Disable),
    ("prefer", Mode::Prefer),
    ("require", Mode::Require),
    ("verify-ca", Mode::VerifyCa),
    ("verify-full", Mode::VerifyFull),
];

/// What a database URL says about encryption.
#[derive(Debug, PartialEq)]
pub struct Encryption {
    mode: Mode,
    /// The file of the only authorities that count, or [`SYSTEM`].
    root_cert: Option<String>,
}

/// Takes `sslmode` and `sslrootcert` out of a database URL. Returns the rest of it as well.
///
/// # Errors
/// A value that is not known.
pub fn split(url: &str) -> anyhow::Result<(String, Encryption)> {
    // a password may have a question mark
    let host = url.find('@').unwrap_or_default();
    let (base, query) = match url[host..].find('?') {
        Some(at) => (&url[..host + at], &url[host + at + 1..]),
        None => (url, ""),
    };
    let (mut mode, mut root_cert, mut rest) = (None, None, Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = percent_decode_str(value).decode_utf8_lossy();
        match name {
            "sslmode" => mode = Some(value.parse()?),
            "sslrootcert" => root_cert = Some(value.into_owned()),
            _ => rest.push(pair),
        }
    }
    let default = if root_cert.as_deref() == Some(SYSTEM) { Mode::VerifyFull } else { Mode::Prefer };
    let mark = if rest.is_empty() { "" } else { "?" };
    Ok((format!("{base}{mark}{}", rest.join("&")), Encryption { mode: mode.unwrap_or(default), root_cert }))
}

impl Encryption {
    /// Sets the mode of `config`. Returns the client side of TLS, unless the connection is never encrypted.
    ///
    /// # Errors
    /// A combination that would verify less than its author means, and authorities that cannot be read.
    pub fn apply(&self, settings: &Tls, config: &mut Config) -> anyhow::Result<Option<MakeRustlsConnect>> {
        let mode = self.mode;
        let direct = config.get_ssl_negotiation() == SslNegotiation::Direct;
        ensure!(!direct || mode >= Mode::Require, "sslnegotiation=direct needs sslmode=require, or a stronger one");
        let tls = self.tls(settings)?;
        // no traffic leaves the machine: libpq ignores sslmode there
        let is_local = config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        let (Some(mut tls), false) = (tls, is_local && config.get_hostaddrs().is_empty()) else {
            config.ssl_mode(SslMode::Disable);
            return Ok(None);
        };
        if direct {
            tls.alpn_protocols = vec![b"postgresql".to_vec()];
        }
        config.ssl_mode(if mode == Mode::Prefer { SslMode::Prefer } else { SslMode::Require });
        Ok(Some(MakeRustlsConnect::new(tls)))
    }

    fn tls(&self, settings: &Tls) -> anyhow::Result<Option<ClientConfig>> {
        let mode = self.mode;
        let own = match self.root_cert.as_deref() {
            None => own_roots(settings)?,
            Some(_) if mode < Mode::Require => {
                bail!("sslmode={mode} verifies nothing: write sslmode=verify-full, or remove sslrootcert")
            }
            Some(SYSTEM) if mode < Mode::VerifyFull => bail!(
                "sslmode={mode} would accept every server with a public certificate: write sslmode=verify-full, or \
                 remove sslrootcert"
            ),
            Some(SYSTEM) => None,
            Some(path) => Some(read_roots("sslrootcert", Path::new(path))?),
        };
        let tls = match (mode, own) {
            (Mode::Disable, _) => return Ok(None),
            (Mode::Prefer, _) | (Mode::Require, None) => nameless(None)?,
            (Mode::Require | Mode::VerifyCa, Some(own)) => nameless(Some(own))?,
            (Mode::VerifyFull, _) if self.root_cert.is_none() => client_config(trusted_roots(settings)?)?,
            (Mode::VerifyFull, own) => client_config(own.unwrap_or_else(public_roots))?,
            (Mode::VerifyCa, None) => bail!(
                "sslmode=verify-ca would accept every server with a public certificate: set tls.ca_file to your own \
                 authority, or write sslmode=verify-full"
            ),
        };
        Ok(Some(tls))
    }
}

impl std::str::FromStr for Mode {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Mode> {
        let found = MODES.iter().find(|(name, _)| *name == text).map(|(_, mode)| *mode);
        found.ok_or_else(|| {
            let known = MODES.map(|(name, _)| name).join(", ");
            anyhow!("sslmode is {text:?}: it must be one of {known}")
        })
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MODES.iter().find(|(_, mode)| mode == self).map_or("", |(name, _)| name))
    }
}

/// The client side of TLS that accepts a certificate for any name.
fn nameless(roots: Option<RootCertStore>) -> anyhow::Result<ClientConfig> {
    let builder = client_builder()?;
    let verifier = NamelessVerifier { roots, provider: Arc::clone(builder.crypto_provider()) };
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

/// Accepts a certificate for any name: of these authorities, or of any if there are none. The server must have its key, because the
/// password exchange (SCRAM) is bound to the certificate.
#[derive(Debug)]
struct NamelessVerifier {
    roots: Option<RootCertStore>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for NamelessVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(roots) = &self.roots {
            let certificate = ParsedCertificate::try_from(certificate)?;
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, algorithms)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use tokio_postgres::Config;
    use tokio_postgres::config::SslMode;

    use super::{Encryption, Mode, split};
    use crate::config::Tls;

    fn apply(url: &str, ca_file: &str) -> anyhow::Result<(SslMode, bool)> {
        let (rest, encryption) = split(url)?;
        let mut config: Config = rest.parse()?;
        let tls = encryption.apply(&Tls { ca_file: ca_file.into() }, &mut config)?;
        Ok((config.get_ssl_mode(), tls.is_some()))
    }

    #[test]
    fn what_is_about_encryption_is_taken_out_of_the_url() -> Result<(), Box<dyn std::error::Error>> {
        for (url, rest, mode, root_cert) in [
            ("postgres://a@b/c", "postgres://a@b/c", Mode::Prefer, None),
            ("postgres://a@b/c?sslmode=verify-full", "postgres://a@b/c", Mode::VerifyFull, None),
            ("postgres://a:p?sslmode=x@b/c", "postgres://a:p?sslmode=x@b/c", Mode::Prefer, None),
            ("postgres://b,d:1/c?x=1&sslmode=disable&y=%26", "postgres://b,d:1/c?x=1&y=%26", Mode::Disable, None),
            ("postgres://b?sslrootcert=%2Fa%20b&sslmode=require", "postgres://b", Mode::Require, Some("/a b")),
            ("postgres://b?sslrootcert=system", "postgres://b", Mode::VerifyFull, Some("system")),
        ] {
            let expected = Encryption { mode, root_cert: root_cert.map(str::to_owned) };
            assert_eq!(split(url)?, (rest.to_owned(), expected), "{url}");
        }
        Ok(())
    }

    #[test]
    fn each_mode_encrypts_as_it_does_in_libpq() -> Result<(), Box<dyn std::error::Error>> {
        for (query, expected) in [
            ("", (SslMode::Prefer, true)),
            ("sslmode=disable", (SslMode::Disable, false)),
            ("sslmode=prefer", (SslMode::Prefer, true)),
            ("sslmode=require", (SslMode::Require, true)),
            ("sslmode=verify-full", (SslMode::Require, true)),
            ("sslmode=verify-full&host=/run/postgresql", (SslMode::Require, true)),
            ("sslmode=require&sslnegotiation=direct", (SslMode::Require, true)),
        ] {
            assert_eq!(apply(&format!("postgres://a@b/c?{query}"), "")?, expected, "{query}");
        }
        let over_socket = apply("postgres://a@%2Frun%2Fpostgresql/c?sslmode=verify-full", "")?;
        assert_eq!(over_socket, (SslMode::Disable, false), "a socket of this machine is not encrypted");
        Ok(())
    }

    #[test]
    fn a_mode_that_would_verify_less_than_it_says_is_refused() {
        for (query, reason) in [
            ("sslmode=verify_full", "verify-full"),
            ("sslmode=allow", "prefer"),
            ("sslmode=verify-ca", "tls.ca_file"),
            ("sslmode=require&sslrootcert=system", "verify-full"),
            ("sslmode=prefer&sslrootcert=/a.pem", "verify-full"),
            ("sslrootcert=/nothing/a.pem&sslmode=verify-full", "/nothing/a.pem"),
            ("sslnegotiation=direct", "sslmode=require"),
            ("sslcert=/a.pem", "sslcert"),
        ] {
            let refused = apply(&format!("postgres://a@b/c?{query}"), "").err();
            let refused = refused.map(|why| format!("{why:#}")).unwrap_or_default();
            assert!(refused.contains(reason), "{query}: {refused}");
        }
    }
}
