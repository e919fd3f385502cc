//! Digests as text.

use sha2::{Digest as _, Sha256};

/// The SHA-256 digest in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
