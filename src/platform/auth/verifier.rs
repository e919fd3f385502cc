//! Verification of bearer tokens. [`TokenVerifier`] is the interface that the auth layer uses; an OpenID Connect provider could
//! implement it. [`LocalTokenVerifier`] verifies our own access tokens and API keys.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::LocalBoxFuture;
use tokio::sync::Mutex;

use super::token::{Claims, KeySet, Keyring, LEEWAY, Refusal, now};
use super::{Caller, forbidden};
use crate::platform::http::path::UserKey;
use crate::platform::http::problem::{INVALID_TOKEN, Problem};
use crate::platform::request_context::RequestContext;

/// The prefix of API keys; any other bearer token is an access token.
pub const API_KEY_PREFIX: &str = "w2m_";
/// How long the key set counts as current; a revoked key verifies nothing after that.
const KEY_SET_FRESHNESS: Duration = Duration::from_secs(5);
/// Minimum interval between two reloads for an unknown key.
const MIN_RELOAD_INTERVAL: Duration = Duration::from_secs(1);
/// Number of last bytes of a token that are its cache key.
const CACHE_KEY_BYTES: usize = 16;
/// Capacity of the cache of one thread.
const CACHE_CAPACITY: usize = 10_000;

/// Verifies bearer tokens; one for each worker thread.
pub trait TokenVerifier {
    /// The account of a bearer token, or the user on whose behalf it is sent. With `fresh`, for requests that change state, the cache is not trusted: the provider
    /// checks the account again, if it can.
    ///
    /// # Errors
    /// 401 `invalid-token`, 403 for a token that may not act for this user, or 503 when verification is unavailable.
    fn verify<'a>(
        &'a self,
        bearer: &'a str,
        on_behalf_of: Option<&'a UserKey>,
        fresh: bool,
    ) -> LocalBoxFuture<'a, Result<Rc<Caller>, Problem>>;
}

/// The provider of accounts: the role that owns them, or a client of it.
pub trait AccountProvider: 'static {
    /// How long a verified access token is cached; `None`: until it expires.
    const TOKEN_FRESHNESS: Option<Duration>;
    /// How long a verified API key is cached.
    const API_KEY_FRESHNESS: Duration;

    /// The current public keys.
    fn keys(&self) -> impl Future<Output = Result<KeySet, Problem>>;

    /// The current account of a token with a valid signature.
    fn current_account(&self, claims: &Claims) -> impl Future<Output = Result<Caller, Problem>>;

    /// The account of an API key, or the user on whose behalf the key acts.
    fn resolve_api_key(
        &self,
        key: &str,
        on_behalf_of: Option<&UserKey>,
    ) -> impl Future<Output = Result<Caller, Problem>>;
}

/// Verifies tokens and API keys of an [`AccountProvider`]. Results are cached: verifying a signature costs more than the rest
/// of a request.
pub struct LocalTokenVerifier<P>(Rc<Inner<P>>);

struct Inner<P> {
    accounts: P,
    issuer: String,
    role: &'static str,
    keyring: RefCell<Keyring>,
    /// When the key set was loaded; `None` before the first load.
    loaded_at: Cell<Option<Instant>>,
    loading: Mutex<()>,
    /// Verified tokens by their last bytes, which belong to the signature: a whole token is too long for a key. Only tokens with
    /// a valid signature are in here.
    verified: RefCell<HashMap<[u8; CACHE_KEY_BYTES], Verified>>,
}

/// A verified token.
struct Verified {
    bearer: String,
    on_behalf_of: Option<UserKey>,
    caller: Rc<Caller>,
    until: Instant,
}

impl<P: AccountProvider> LocalTokenVerifier<P> {
    /// A verifier of the tokens of `issuer`, for `role`.
    pub fn new(accounts: P, issuer: &str, role: &'static str) -> LocalTokenVerifier<P> {
        LocalTokenVerifier(Rc::new(Inner {
            accounts,
            issuer: issuer.to_owned(),
            role,
            keyring: RefCell::default(),
            loaded_at: Cell::new(None),
            loading: Mutex::new(()),
            verified: RefCell::default(),
        }))
    }
}

impl<P: AccountProvider> TokenVerifier for LocalTokenVerifier<P> {
    fn verify<'a>(
        &'a self,
        bearer: &'a str,
        on_behalf_of: Option<&'a UserKey>,
        fresh: bool,
    ) -> LocalBoxFuture<'a, Result<Rc<Caller>, Problem>> {
        let inner = &self.0;
        let now = Instant::now();
        match inner.loaded_at.get() {
            // no request waits for a reload: the keys are probably the same
            Some(at) if now.saturating_duration_since(at) > KEY_SET_FRESHNESS => {
                inner.loaded_at.set(Some(now));
                let inner = Rc::clone(inner);
                actix_rt::spawn(RequestContext::new(inner.role).scope(async move { drop(inner.load_keys().await) }));
            }
            _ => {}
        }
        // a role that has only the keys cannot check more than it did the first time
        let may_use_cache = !fresh || P::TOKEN_FRESHNESS.is_none();
        if let Some(caller) = inner.find_cached(bearer, on_behalf_of, now).filter(|_| may_use_cache) {
            return Box::pin(std::future::ready(Ok(caller)));
        }
        Box::pin(inner.verify_uncached(bearer, on_behalf_of))
    }
}

impl<P: AccountProvider> Inner<P> {
    fn find_cached(&self, bearer: &str, on_behalf_of: Option<&UserKey>, now: Instant) -> Option<Rc<Caller>> {
        let verified = self.verified.borrow();
        let found = verified.get(cache_key(bearer)?)?;
        let is_same = found.bearer == bearer && found.on_behalf_of.as_ref() == on_behalf_of;
        (is_same && found.until > now).then(|| Rc::clone(&found.caller))
    }

    async fn verify_uncached(&self, bearer: &str, on_behalf_of: Option<&UserKey>) -> Result<Rc<Caller>, Problem> {
        let (caller, lifetime) = match bearer.starts_with(API_KEY_PREFIX) {
            true => (self.accounts.resolve_api_key(bearer, on_behalf_of).await?, P::API_KEY_FRESHNESS),
            false if on_behalf_of.is_some() => {
                return Err(forbidden("only an API key acts on behalf of another user: leave On-Behalf-Of out"));
            }
            false => {
                let claims = self.verify_signature(bearer).await?;
                let left = Duration::from_secs((claims.exp + LEEWAY).saturating_sub(now()));
                let caller = self.accounts.current_account(&claims).await?;
                (caller, P::TOKEN_FRESHNESS.map_or(left, |fresh| fresh.min(left)))
            }
        };
        let (caller, until) = (Rc::new(caller), Instant::now() + lifetime);
        if let Some(key) = cache_key(bearer) {
            let mut verified = self.verified.borrow_mut();
            if verified.len() >= CACHE_CAPACITY {
                verified.retain(|_, one| one.until > Instant::now());
                if verified.len() >= CACHE_CAPACITY {
                    verified.clear();
                }
            }
            let (bearer, on_behalf_of) = (bearer.to_owned(), on_behalf_of.cloned());
            verified.insert(*key, Verified { bearer, on_behalf_of, caller: Rc::clone(&caller), until });
        }
        Ok(caller)
    }

    /// The claims of a token with a valid signature; an unknown key reloads the key set.
    async fn verify_signature(&self, token: &str) -> Result<Claims, Problem> {
        if self.loaded_at.get().is_none() {
            self.reload_keys_if(|loaded_at| loaded_at.is_none()).await?;
        }
        let verify = || self.keyring.borrow().verify(token, &self.issuer, now());
        let claims = match verify() {
            Err(Refusal::UnknownKey) => {
                self.reload_keys_if(|loaded_at| loaded_at.is_none_or(|at| at.elapsed() > MIN_RELOAD_INTERVAL)).await?;
                verify()
            }
            other => other,
        };
        claims.map_err(|why| match why {
            Refusal::Expired => {
                Problem::new(INVALID_TOKEN, "this access token has expired: get a new one with the refresh token")
            }
            Refusal::UnknownKey | Refusal::Forged => invalid(),
        })
    }

    /// Loads the key set if it is still due when no other task loads it.
    async fn reload_keys_if(&self, is_due: impl Fn(Option<Instant>) -> bool) -> Result<(), Problem> {
        let _guard = self.loading.lock().await;
        if is_due(self.loaded_at.get()) { self.load_keys().await } else { Ok(()) }
    }

    async fn load_keys(&self) -> Result<(), Problem> {
        let keys = self
            .accounts
            .keys()
            .await
            .inspect_err(|why| tracing::warn!(%why, "the signing keys could not be reloaded"))?;
        self.loaded_at.set(Some(Instant::now()));
        if !self.keyring.borrow().holds(&keys) {
            tracing::debug!(keys = keys.keys.len(), "the signing keys have changed");
            self.keyring.replace(Keyring::new(keys));
            self.verified.borrow_mut().clear();
        }
        Ok(())
    }
}

fn cache_key(bearer: &str) -> Option<&[u8; CACHE_KEY_BYTES]> {
    bearer.as_bytes().last_chunk()
}

/// The problem for a token that this installation has not signed, or whose signing key was revoked.
fn invalid() -> Problem {
    Problem::new(INVALID_TOKEN, "this access token is not valid here: sign in again")
}

/// The problem for a token whose session has ended.
pub fn ended_session() -> Problem {
    Problem::new(INVALID_TOKEN, "the session of this access token has ended: sign in again")
}
