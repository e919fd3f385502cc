//! TLS to other servers: the authorities that are trusted, and the client side of rustls.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

use crate::config::Tls;

/// The public authorities, which are compiled in.
pub fn public_roots() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

/// The public authorities and the operator's own.
///
/// # Errors
/// As [`own_roots`].
pub fn trusted_roots(settings: &Tls) -> anyhow::Result<RootCertStore> {
    let mut roots = public_roots();
    roots.roots.extend(own_roots(settings)?.into_iter().flat_map(|own| own.roots));
    Ok(roots)
}

/// The operator's own authorities, if there are any.
///
/// # Errors
/// A file that cannot be read, or holds no certificate.
pub fn own_roots(settings: &Tls) -> anyhow::Result<Option<RootCertStore>> {
    let path = Some(&settings.ca_file).filter(|path| !path.as_os_str().is_empty());
    path.map(|path| read_roots("tls.ca_file", path)).transpose()
}

/// The operator's own authorities as PEM, if there are any.
///
/// # Errors
/// As [`own_roots`].
pub fn own_roots_pem(settings: &Tls) -> anyhow::Result<Option<Vec<u8>>> {
    Ok(own_roots(settings)?.map(|_| std::fs::read(&settings.ca_file)).transpose()?)
}

/// The authorities in a PEM file, which `setting` names.
///
/// # Errors
/// A file that cannot be read, or holds no certificate.
pub fn read_roots(setting: &str, path: &Path) -> anyhow::Result<RootCertStore> {
    let file = format!("{}, the file that {setting} names", path.display());
    let text = std::fs::read(path).with_context(|| format!("cannot read {file}"))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let added = certificate.map_err(anyhow::Error::from).and_then(|certificate| Ok(roots.add(certificate)?));
        added.with_context(|| format!("a certificate is damaged in {file}"))?;
    }
    ensure!(!roots.is_empty(), "there is no certificate in {file}: it must be PEM (-----BEGIN CERTIFICATE-----)");
    Ok(roots)
}

/// The client side of TLS, which demands a certificate of these authorities for the host name of the server.
///
/// # Errors
/// TLS cannot be set up.
pub fn client_config(roots: RootCertStore) -> anyhow::Result<ClientConfig> {
    Ok(client_builder()?.with_root_certificates(roots).with_no_client_auth())
}

/// The client side of TLS, before it is decided what is verified.
///
/// # Errors
/// TLS cannot be set up.
pub fn client_builder() -> anyhow::Result<ConfigBuilder<ClientConfig, WantsVerifier>> {
    // an explicit provider: the default provider of the process depends on which code runs first
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .context("cannot set up TLS")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{own_roots, public_roots, trusted_roots};
    use crate::config::Tls;

    /// The number of authorities, or the refusal, with this text in the file.
    fn with_file(text: &str) -> (PathBuf, anyhow::Result<usize>) {
        let path = std::env::temp_dir().join(format!("w2meet-authorities-{:016x}.pem", rand::random::<u64>()));
        std::fs::write(&path, text).unwrap_or_default();
        let read = trusted_roots(&Tls { ca_file: path.clone() }).map(|roots| roots.len());
        std::fs::remove_file(&path).unwrap_or_default();
        (path, read)
    }

    #[test]
    fn own_authorities_are_trusted_beside_the_public_ones() -> Result<(), Box<dyn std::error::Error>> {
        let (public, none) = (public_roots().len(), Tls { ca_file: PathBuf::new() });
        assert_eq!((trusted_roots(&none)?.len(), own_roots(&none)?.is_none()), (public, true));
        let pem = |name: &str| Ok::<_, rcgen::Error>(rcgen::generate_simple_self_signed([name.to_owned()])?.cert.pem());
        let (_, read) = with_file(&format!("{}\n# a comment\n{}", pem("one.example")?, pem("two.example")?));
        assert_eq!(read?, public + 2);
        Ok(())
    }

    #[test]
    fn a_file_without_certificates_is_refused_by_its_name() {
        let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for text in ["", "nothing", damaged, "-----BEGIN CERTIFICATE-----\nAAAA\n"] {
            let (path, read) = with_file(text);
            let refused = read.err().map(|why| format!("{why:#}")).unwrap_or_default();
            assert!(refused.contains(&path.display().to_string()), "{text:?}: {refused}");
        }
        let missing = own_roots(&Tls { ca_file: "/nothing/here.pem".into() }).err();
        assert!(missing.is_some_and(|why| why.to_string().contains("/nothing/here.pem")));
    }
}
