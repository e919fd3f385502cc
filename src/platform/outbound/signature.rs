//! Signatures of Standard Webhooks 1.0, and their secrets.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const PREFIX: &str = "whsec_";
/// The size of a secret in bytes. The maximum is one block of SHA-256: the key padded with zeros is the HMAC key.
const MIN_BYTES: usize = 24;
const MAX_BYTES: usize = 64;
const NEW_BYTES: usize = 32;

/// A webhook secret. It prints as stars; [`Secret::expose`] is for the owner and for storage.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    key: [u8; MAX_BYTES],
    length: usize,
}

/// The reason why a text is no secret. It does not contain the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotASecret {
    /// The prefix is wrong.
    #[error("a webhook secret begins with whsec_")]
    Prefix,
    /// The rest is no base64.
    #[error("after whsec_ a webhook secret is standard base64, padded")]
    Base64,
    /// The size is wrong.
    #[error("a webhook secret has 24 to 64 bytes, not {0}")]
    Length(usize),
}

impl Secret {
    /// Reads `whsec_` and base64.
    ///
    /// # Errors
    /// [`NotASecret`].
    pub fn parse(text: &str) -> Result<Secret, NotASecret> {
        let coded = text.strip_prefix(PREFIX).ok_or(NotASecret::Prefix)?;
        let bytes = STANDARD.decode(coded).map_err(|_| NotASecret::Base64)?;
        if !(MIN_BYTES..=MAX_BYTES).contains(&bytes.len()) {
            return Err(NotASecret::Length(bytes.len()));
        }
        Ok(Secret::of(&bytes))
    }

    /// A new secret of 256 random bits.
    pub fn generate() -> Secret {
        Secret::of(&rand::random::<[u8; NEW_BYTES]>())
    }

    fn of(bytes: &[u8]) -> Secret {
        let mut key = [0; MAX_BYTES];
        key[..bytes.len()].copy_from_slice(bytes);
        Secret { key, length: bytes.len() }
    }

    /// The secret in clear text.
    pub fn expose(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(&self.key[..self.length]))
    }

    fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new(&self.key.into());
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("whsec_***")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The `webhook-signature` header: one signature for each secret, so that a receiver can rotate its secret.
pub fn sign(secrets: &[Secret], id: &str, timestamp_seconds: i64, body: &[u8]) -> String {
    let signatures: Vec<String> = secrets.iter().map(|secret| secret.sign(id, timestamp_seconds, body)).collect();
    signatures.join(" ")
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    const OFFICIAL: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    #[test]
    fn the_official_example_is_reproduced() {
        let secret = Secret::parse(OFFICIAL).expect("a secret");
        assert_eq!(sign(&[secret], ID, 1_614_265_330, BODY), SIGNATURE);
    }

    #[test]
    fn two_secrets_sign_side_by_side() {
        let [old, new] = [Secret::parse(OFFICIAL).expect("a secret"), Secret::generate()];
        let both = sign(&[old, new.clone()], ID, 1_614_265_330, BODY);
        assert_eq!(both, format!("{SIGNATURE} {}", sign(&[new], ID, 1_614_265_330, BODY)));
    }

    #[test]
    fn a_secret_is_read_as_it_was_written() {
        for bytes in [24, 25, 32, 63, 64] {
            let text = format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
            assert_eq!(Secret::parse(&text).map(|secret| secret.expose()), Ok(text));
        }
        let fresh = Secret::generate();
        assert_eq!(Secret::parse(&fresh.expose()), Ok(fresh.clone()));
        assert_ne!(Secret::generate(), fresh);
    }

    #[test]
    fn an_invalid_secret_is_refused_with_a_reason() {
        let of = |bytes| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
        for (text, why) in [
            ("", NotASecret::Prefix),
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", NotASecret::Prefix),
            ("WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", NotASecret::Prefix),
            ("whsec_", NotASecret::Length(0)),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", NotASecret::Base64),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS-", NotASecret::Base64),
            (&of(23), NotASecret::Length(23)),
            (&of(65), NotASecret::Length(65)),
        ] {
            assert_eq!(Secret::parse(text), Err(why), "{text}");
        }
    }

    #[test]
    fn a_secret_prints_as_stars() {
        let secret = Secret::parse(OFFICIAL).expect("a secret");
        assert_eq!(format!("{secret} {secret:?}"), "whsec_*** whsec_***");
    }
}
