//! A certificate authority of the test's own, and certificates of servers.

use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::cluster::make_temp_folder;
use super::servers::{is_root, run};

/// An authority, whose certificate is in a file.
pub struct Authority {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// The certificate of a server and its key, as files.
pub struct ServerCertificate {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        let folder = make_temp_folder();
        std::fs::write(folder.join("authority.pem"), issuer.pem()).expect("a file");
        Authority { folder, issuer }
    }

    /// The file of its certificate.
    pub fn file(&self) -> String {
        self.folder.join("authority.pem").display().to_string()
    }

    /// A certificate for a server of this host name, in `folder`.
    pub fn issue(&self, host: &str, folder: &Path) -> ServerCertificate {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([host.to_owned()]).expect("a host name");
        let signed = params.signed_by(&key, &self.issuer).expect("a certificate");
        write(folder, &signed.pem(), &key)
    }

    /// Its own certificate, in place of one for a server.
    pub fn present_itself(&self, folder: &Path) -> ServerCertificate {
        write(folder, &self.issuer.pem(), self.issuer.key())
    }
}

fn write(folder: &Path, certificate: &str, key: &KeyPair) -> ServerCertificate {
    let files = ServerCertificate { certificate: folder.join("server.crt"), key: folder.join("server.key") };
    std::fs::write(&files.certificate, certificate).expect("a file");
    std::fs::write(&files.key, key.serialize_pem()).expect("a file");
    // PostgreSQL refuses a key that others can read
    run(Command::new("chmod").arg("600").arg(&files.key));
    if is_root() {
        run(Command::new("chown").arg("--reference").arg(folder).args([&files.certificate, &files.key]));
    }
    files
}

impl Drop for Authority {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
