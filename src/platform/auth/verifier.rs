//! Verification of bearer tokens. [`TokenVerifier`] is the interface that the auth layer uses; an OpenID Connect provider could
//! implement it. [`LocalTokenVerifier`] verifies our own access tokens and API keys.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::LocalBoxFuture;
use tokio::sync::Mutex;

use super::Caller;
use super::token::{Claims, KeySet, Keyring, LEEWAY, Refusal, now};
use crate::platform::http::problem::{INVALID_TOKEN, Problem};
use crate::platform::request_context::RequestContext;

/// The prefix of API keys; any other bearer token is an access token.
pub const API_KEY: &str = "w2m_";
/// How long the key set counts as current; a revoked key verifies nothing after that.
const KEYS_FRESH: Duration = Duration::from_secs(5);
/// Minimum interval between two reloads for an unknown key.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Bytes of a token that are the key of the cache.
const TAIL: usize = 16;
/// Capacity of the cache of one thread.
const REMEMBERED: usize = 10_000;

/// Verifies bearer tokens; one for each worker thread.
pub trait TokenVerifier {
    /// The account of a bearer token. With `fresh`, for requests that change state, the cache is not trusted: the session is
    /// checked again, where this role can check it.
    ///
    /// # Errors
    /// 401 `invalid-token`, or 503 when verification is unavailable.
    fn verify<'a>(&'a self, bearer: &'a str, now: bool) -> LocalBoxFuture<'a, Result<Rc<Caller>, Problem>>;
}

/// The provider of accounts: the role that owns them, or a client of it.
pub trait AccountProvider: 'static {
    /// How long a verified access token is cached; `None`: until it expires.
    const FRESH: Option<Duration>;
    /// How long a verified API key is cached.
    const KEY_FRESH: Duration;

    /// The current public keys.
    fn keys(&self) -> impl Future<Output = Result<KeySet, Problem>>;

    /// The current account of a token with a valid signature.
    fn standing(&self, claims: &Claims) -> impl Future<Output = Result<Caller, Problem>>;

    /// The account of an API key.
    fn exchange(&self, key: &str) -> impl Future<Output = Result<Caller, Problem>>;
}

/// Verifies tokens and API keys of an [`AccountProvider`]. Results are cached: verifying a signature costs more than the rest
/// of a request.
pub struct LocalTokenVerifier<I>(Rc<Inner<I>>);

struct Inner<I> {
    issuer: I,
    name: String,
    role: &'static str,
    ring: RefCell<Keyring>,
    /// When the key set was loaded; `None` before the first load.
    looked: Cell<Option<Instant>>,
    looking: Mutex<()>,
    /// Verified tokens by their last bytes, which belong to the signature. A whole token is too long a key, and only tokens
    /// with a valid signature are in here.
    verified: RefCell<HashMap<[u8; TAIL], Verified>>,
}

/// A verified token.
struct Verified {
    bearer: String,
    caller: Rc<Caller>,
    until: Instant,
}

impl<I: AccountProvider> LocalTokenVerifier<I> {
    /// Verifies tokens of this issuer, for `role`.
    pub fn new(issuer: I, name: &str, role: &'static str) -> LocalTokenVerifier<I> {
        LocalTokenVerifier(Rc::new(Inner {
            issuer,
            name: name.to_owned(),
            role,
            ring: RefCell::default(),
            looked: Cell::new(None),
            looking: Mutex::new(()),
            verified: RefCell::default(),
        }))
    }
}

impl<I: AccountProvider> TokenVerifier for LocalTokenVerifier<I> {
    fn verify<'a>(&'a self, bearer: &'a str, now: bool) -> LocalBoxFuture<'a, Result<Rc<Caller>, Problem>> {
        let inner = &self.0;
        let moment = Instant::now();
        match inner.looked.get() {
            // no request waits for a reload: the keys are probably the same
            Some(at) if moment.saturating_duration_since(at) > KEYS_FRESH => {
                inner.looked.set(Some(moment));
                let inner = Rc::clone(inner);
                actix_rt::spawn(RequestContext::fresh(inner.role).scope(async move { drop(inner.look().await) }));
            }
            _ => {}
        }
        // a role that has only the keys cannot check more than it has checked before
        let may_remember = !now || I::FRESH.is_none();
        if let Some(caller) = inner.remembered(bearer, moment).filter(|_| may_remember) {
            return Box::pin(std::future::ready(Ok(caller)));
        }
        Box::pin(inner.prove(bearer))
    }
}

impl<I: AccountProvider> Inner<I> {
    fn remembered(&self, bearer: &str, moment: Instant) -> Option<Rc<Caller>> {
        let verified = self.verified.borrow();
        let found = verified.get(tail(bearer)?)?;
        (found.bearer == bearer && found.until > moment).then(|| Rc::clone(&found.caller))
    }

    async fn prove(&self, bearer: &str) -> Result<Rc<Caller>, Problem> {
        let (caller, good_for) = match bearer.starts_with(API_KEY) {
            true => (self.issuer.exchange(bearer).await?, I::KEY_FRESH),
            false => {
                let claims = self.signed(bearer).await?;
                let left = Duration::from_secs((claims.exp + LEEWAY).saturating_sub(now()));
                let caller = self.issuer.standing(&claims).await?;
                (caller, I::FRESH.map_or(left, |fresh| fresh.min(left)))
            }
        };
        let (caller, until) = (Rc::new(caller), Instant::now() + good_for);
        if let Some(tail) = tail(bearer) {
            let mut verified = self.verified.borrow_mut();
            if verified.len() >= REMEMBERED {
                verified.retain(|_, one| one.until > Instant::now());
                if verified.len() >= REMEMBERED {
                    verified.clear();
                }
            }
            verified.insert(*tail, Verified { bearer: bearer.to_owned(), caller: Rc::clone(&caller), until });
        }
        Ok(caller)
    }

    /// The claims of a token with a valid signature; an unknown key reloads the key set.
    async fn signed(&self, token: &str) -> Result<Claims, Problem> {
        if self.looked.get().is_none() {
            self.look_once(|looked| looked.is_none()).await?;
        }
        let verify = || self.ring.borrow().verify(token, &self.name, now());
        let claims = match verify() {
            Err(Refusal::UnknownKey) => {
                self.look_once(|looked| looked.is_none_or(|at| at.elapsed() > LOOK_AGAIN)).await?;
                verify()
            }
            other => other,
        };
        claims.map_err(|why| match why {
            Refusal::Expired => {
                Problem::new(INVALID_TOKEN, "this access token is over: get another by your refresh token")
            }
            Refusal::UnknownKey | Refusal::Forged => invalid(),
        })
    }

    /// Loads the key set, unless another task has loaded it in the meantime.
    async fn look_once(&self, still_due: impl Fn(Option<Instant>) -> bool) -> Result<(), Problem> {
        let _turn = self.looking.lock().await;
        if still_due(self.looked.get()) { self.look().await } else { Ok(()) }
    }

    async fn look(&self) -> Result<(), Problem> {
        let keys =
            self.issuer.keys().await.inspect_err(|why| tracing::warn!(%why, "the keys of tokens stay as they were"))?;
        self.looked.set(Some(Instant::now()));
        if !self.ring.borrow().is(&keys) {
            tracing::debug!(keys = keys.keys.len(), "there are other keys of tokens than before");
            self.ring.replace(Keyring::new(keys));
            self.verified.borrow_mut().clear();
        }
        Ok(())
    }
}

fn tail(bearer: &str) -> Option<&[u8; TAIL]> {
    bearer.as_bytes().last_chunk()
}

/// The problem for a token that is not valid.
pub fn invalid() -> Problem {
    Problem::new(INVALID_TOKEN, "this token is none of ours, or was taken back: sign in again")
}
