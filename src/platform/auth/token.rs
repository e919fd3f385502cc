//! Access tokens: JSON Web Tokens, signed by EdDSA (Ed25519) and nothing else. Pure: keys come in, claims come out.
//!
//! No field of a token is trusted. The algorithm is fixed, `kid` must name a key of the key set, and a token with any other header
//! parameter or claim than those below is refused.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::{AuthMethod, Caller, Scope};
use crate::platform::email::Email;
/// The current keys, as `/.well-known/jwks.json` lists them.
pub use jsonwebtoken::jwk::JwkSet as KeySet;

/// The longest token in bytes. A real one has about 700, with an address of at most 254.
const MAX_TOKEN: usize = 2048;
/// Tolerated clock skew in seconds.
pub const LEEWAY: u64 = 30;
/// The type of the token (RFC 9068, 2.1).
const TOKEN_TYPE: &str = "at+jwt";
/// The PKCS #8 envelope in front of a seed (RFC 8410, 7).
const PKCS8_PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// Bytes of a private or public key.
const KEY_BYTES: usize = 32;

/// The claims of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The issuer.
    pub iss: String,
    /// The audience.
    pub aud: String,
    /// The id of the account.
    pub sub: String,
    /// The address of the account.
    pub email: Email,
    /// The rights of the account.
    pub scope: Scope,
    /// The id of the session.
    pub sid: String,
    /// The id of the token.
    pub jti: String,
    /// Time of issue, in seconds of Unix time.
    pub iat: u64,
    /// Start of validity.
    pub nbf: u64,
    /// End of validity.
    pub exp: u64,
}

impl Claims {
    /// The account that the token belongs to.
    pub fn caller(&self) -> Caller {
        let method = AuthMethod::Session(Some(self.sid.clone()));
        let (id, email) = (self.sub.clone(), self.email.clone());
        Caller { id, email, scope: self.scope, email_verified: false, method, actor: None }
    }

    /// The claims of a token whose signature was verified before.
    pub fn of_verified(token: &str) -> Option<Claims> {
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
        serde_json::from_slice(&claims).ok()
    }
}

/// The header of a token.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    alg: String,
    typ: String,
    kid: String,
}

/// A private key.
pub struct SigningKey {
    kid: String,
    key: EncodingKey,
}

impl SigningKey {
    /// From a seed of 32 bytes.
    pub fn new(kid: &str, seed: &[u8; KEY_BYTES]) -> SigningKey {
        let envelope: Vec<u8> = PKCS8_PREFIX.iter().chain(seed).copied().collect();
        SigningKey { kid: kid.to_owned(), key: EncodingKey::from_ed_der(&envelope) }
    }

    /// Signs these claims as a token.
    ///
    /// # Errors
    /// The key is invalid.
    pub fn sign(&self, claims: &Claims) -> Result<String, jsonwebtoken::errors::Error> {
        let typ = Some(TOKEN_TYPE.to_owned());
        let header = Header { typ, kid: Some(self.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &self.key)
    }

    /// The public key, as a JSON Web Key (RFC 8037); `None` if the private key is invalid.
    pub fn public(&self) -> Option<Jwk> {
        let mut key = Jwk::from_encoding_key(&self.key, Algorithm::EdDSA).ok()?;
        key.common.public_key_use = Some(PublicKeyUse::Signature);
        key.common.key_id = Some(self.kid.clone());
        Some(key)
    }
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The key is unknown; it may be a new one.
    UnknownKey,
    /// The token has expired.
    Expired,
    /// The token is forged or malformed.
    Forged,
}

/// The keys that verify tokens.
#[derive(Default)]
pub struct Keyring {
    keys: HashMap<String, DecodingKey>,
    set: KeySet,
}

impl Keyring {
    /// A keyring of these keys; keys of another kind are left out.
    pub fn new(set: KeySet) -> Keyring {
        let decode = |key: &Jwk| {
            let AlgorithmParameters::OctetKeyPair(pair) = &key.algorithm else { return None };
            let is_ed25519 =
                pair.curve == EllipticCurve::Ed25519 && key.common.key_algorithm == Some(KeyAlgorithm::EdDSA);
            let point = URL_SAFE_NO_PAD.decode(&pair.x).ok().filter(|x| is_ed25519 && x.len() == KEY_BYTES)?;
            Some((key.common.key_id.clone()?, DecodingKey::from_ed_der(&point)))
        };
        Keyring { keys: set.keys.iter().filter_map(decode).collect(), set }
    }

    /// Whether it holds exactly these keys.
    pub fn holds(&self, set: &KeySet) -> bool {
        self.set == *set
    }

    /// The claims of a token, if one of these keys signed it for this issuer and it is valid now.
    ///
    /// # Errors
    /// The reason of the refusal.
    pub fn verify(&self, token: &str, issuer: &str, now: u64) -> Result<Claims, Refusal> {
        let (head, _) = token.split_once('.').filter(|_| token.len() <= MAX_TOKEN).ok_or(Refusal::Forged)?;
        let head = URL_SAFE_NO_PAD.decode(head).map_err(|_| Refusal::Forged)?;
        let head: Head = serde_json::from_slice(&head).map_err(|_| Refusal::Forged)?;
        if head.alg != "EdDSA" || head.typ != TOKEN_TYPE {
            return Err(Refusal::Forged);
        }
        let key = self.keys.get(&head.kid).ok_or(Refusal::UnknownKey)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub", "nbf"]);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[issuer]);
        let data = jsonwebtoken::decode::<Claims>(token, key, &validation).map_err(|why| match why.kind() {
            jsonwebtoken::errors::ErrorKind::ExpiredSignature => Refusal::Expired,
            _ => Refusal::Forged,
        })?;
        // a token from the future was not issued here
        let is_from_future = data.claims.iat > now + LEEWAY;
        let is_canonical = Email::parse(data.claims.email.as_str()).is_ok_and(|email| email == data.claims.email);
        if is_from_future || !is_canonical { Err(Refusal::Forged) } else { Ok(data.claims) }
    }
}

/// The current time in seconds of Unix time.
pub fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default()
}
