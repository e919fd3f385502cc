//! Access tokens: JSON Web Tokens, signed by EdDSA (Ed25519) and nothing else. Pure: keys come in, claims come out.
//!
//! What a token says of itself decides nothing. Its algorithm is that of our key, its key is looked up by `kid` among ours, and
//! a header or a claim that we do not write ourselves makes it none of ours.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::{AuthMethod, Caller, Scope};
use crate::platform::email::Email;

/// Bytes of the longest token that is looked at: ours have some 700, and the longest address 254.
const LONGEST: usize = 2048;
/// Seconds by which two clocks may differ.
pub const LEEWAY: u64 = 30;
/// What sort of token it is (RFC 9068, 2.1).
const TYPE: &str = "at+jwt";
/// What stands before a seed in the envelope of PKCS #8 (RFC 8410, 7).
const ENVELOPE: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
/// Bytes of a key, private or public.
const KEY: usize = 32;

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Who made it.
    pub iss: String,
    /// Whom it is for.
    pub aud: String,
    /// The account's id.
    pub sub: String,
    /// Its address.
    pub email: Email,
    /// Its rights.
    pub scope: Scope,
    /// The session that it belongs to.
    pub sid: String,
    /// Its own id.
    pub jti: String,
    /// When it was made,
    pub iat: u64,
    /// from when on it is good,
    pub nbf: u64,
    /// and until when; all in seconds of Unix time.
    pub exp: u64,
}

impl Claims {
    /// Whom it speaks for.
    pub fn caller(&self) -> Caller {
        let means = AuthMethod::Session(Some(self.sid.clone()));
        Caller { id: self.sub.clone(), email: self.email.clone(), scope: self.scope, means }
    }
}

/// What a token says of itself.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    alg: String,
    typ: String,
    kid: String,
}

/// A public key, as a JSON Web Key (RFC 8037).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    kty: String,
    crv: String,
    #[serde(rename = "use")]
    purpose: String,
    alg: String,
    /// Its id.
    pub kid: String,
    x: String,
}

/// The keys in force, as `/.well-known/jwks.json` has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySet {
    /// Each once.
    pub keys: Vec<PublicKey>,
}

/// What signs.
pub struct SigningKey {
    kid: String,
    key: EncodingKey,
}

impl SigningKey {
    /// From the 32 bytes that it is made of.
    pub fn new(kid: &str, seed: &[u8; KEY]) -> SigningKey {
        let envelope: Vec<u8> = ENVELOPE.iter().chain(seed).copied().collect();
        SigningKey { kid: kid.to_owned(), key: EncodingKey::from_ed_der(&envelope) }
    }

    /// The token that says this.
    ///
    /// # Errors
    /// A key that is none.
    pub fn sign(&self, claims: &Claims) -> Result<String, jsonwebtoken::errors::Error> {
        let typ = Some(TYPE.to_owned());
        let header = Header { typ, kid: Some(self.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &self.key)
    }

    /// What verifies what it signs; `None` for a key that is none.
    pub fn public(&self) -> Option<PublicKey> {
        use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
        let jwk = Jwk::from_encoding_key(&self.key, Algorithm::EdDSA).ok()?;
        let AlgorithmParameters::OctetKeyPair(pair) = jwk.algorithm else { return None };
        let text = str::to_owned;
        Some(PublicKey {
            kty: text("OKP"),
            crv: text("Ed25519"),
            purpose: text("sig"),
            alg: text("EdDSA"),
            kid: self.kid.clone(),
            x: pair.x,
        })
    }
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It names a key that we do not know; perhaps a new one.
    UnknownKey,
    /// It is over.
    Expired,
    /// It is none of ours.
    Forged,
}

/// The keys that tokens are verified with.
#[derive(Default)]
pub struct Keyring {
    keys: HashMap<String, DecodingKey>,
    of: KeySet,
}

impl Keyring {
    /// With these keys; what is no key of ours is left out.
    pub fn new(set: KeySet) -> Keyring {
        let read = |key: &PublicKey| {
            let ours = key.kty == "OKP" && key.crv == "Ed25519" && key.alg == "EdDSA";
            let point = URL_SAFE_NO_PAD.decode(&key.x).ok().filter(|x| ours && x.len() == KEY)?;
            Some((key.kid.clone(), DecodingKey::from_ed_der(&point)))
        };
        Keyring { keys: set.keys.iter().filter_map(read).collect(), of: set }
    }

    /// Whether it holds these very keys.
    pub fn is(&self, set: &KeySet) -> bool {
        self.of == *set
    }

    /// What the token says, if one of these keys has signed it for this issuer, and it is good now.
    ///
    /// # Errors
    /// Why not.
    pub fn verify(&self, token: &str, issuer: &str, now: u64) -> Result<Claims, Refusal> {
        let (head, _) = token.split_once('.').filter(|_| token.len() <= LONGEST).ok_or(Refusal::Forged)?;
        let head = URL_SAFE_NO_PAD.decode(head).map_err(|_| Refusal::Forged)?;
        let head: Head = serde_json::from_slice(&head).map_err(|_| Refusal::Forged)?;
        if head.alg != "EdDSA" || head.typ != TYPE {
            return Err(Refusal::Forged);
        }
        let key = self.keys.get(&head.kid).ok_or(Refusal::UnknownKey)?;
        let mut wanted = Validation::new(Algorithm::EdDSA);
        wanted.leeway = LEEWAY;
        wanted.validate_nbf = true;
        wanted.set_required_spec_claims(&["exp", "iss", "aud", "sub", "nbf"]);
        wanted.set_issuer(&[issuer]);
        wanted.set_audience(&[issuer]);
        let data = jsonwebtoken::decode::<Claims>(token, key, &wanted).map_err(|why| match why.kind() {
            jsonwebtoken::errors::ErrorKind::ExpiredSignature => Refusal::Expired,
            _ => Refusal::Forged,
        })?;
        // made in the future: its clock, or its maker, is not ours
        let early = data.claims.iat > now + LEEWAY;
        let known = Email::parse(data.claims.email.as_str()).is_ok_and(|email| email == data.claims.email);
        if early || !known { Err(Refusal::Forged) } else { Ok(data.claims) }
    }
}

/// Now, in seconds of Unix time.
pub fn now() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default()
}
