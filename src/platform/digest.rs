//! Digests as text.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};

/// The SHA-256 digest in lower-case hexadecimal.
pub fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The HMAC-SHA256 of a text under a secret, in lower-case hexadecimal: who does not know the secret cannot find out the text by trying.
pub fn keyed_hex(secret: &str, text: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The SHA-256 of `bytes` as a number, for entity tags.
pub fn sha256_number(bytes: &[u8]) -> i64 {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    i64::from_le_bytes(std::array::from_fn(|index| digest[index])) & i64::MAX
}
