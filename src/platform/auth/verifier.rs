//! Proving who calls. [`TokenVerifier`] is the one interface that the door knows: whoever can say which account stands behind a
//! bearer token can take its place, such as an OpenID Connect provider. [`LocalTokenVerifier`] is our own: tokens that the owner of the
//! accounts has signed, and API keys that it has handed out.

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

/// What an API key begins with; everything else is an access token.
pub const API_KEY: &str = "w2m_";
/// How long keys are taken for current; a key that is revoked verifies nothing after that.
const KEYS_FRESH: Duration = Duration::from_secs(5);
/// How soon after the last look an unknown key is worth another.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Bytes by which a token is remembered.
const TAIL: usize = 16;
/// Tokens that one thread remembers.
const REMEMBERED: usize = 10_000;

/// Whoever can say who calls; one for each worker thread.
pub trait TokenVerifier {
    /// The account behind a bearer token. What is to last is done by nobody who was somebody a moment ago: with `now`, who can
    /// look at the session itself does.
    ///
    /// # Errors
    /// 401 `invalid-token`, or 503 when nobody can say just now.
    fn verify<'a>(&'a self, bearer: &'a str, now: bool) -> LocalBoxFuture<'a, Result<Rc<Caller>, Problem>>;
}

/// Who issues tokens: the owner of the accounts, or the way to it.
pub trait AccountProvider: 'static {
    /// How long a verified token is taken as it is; until it ends, if nothing is said.
    const FRESH: Option<Duration>;
    /// How long an answer about an API key counts.
    const KEY_FRESH: Duration;

    /// The public keys in force.
    fn keys(&self) -> impl Future<Output = Result<KeySet, Problem>>;

    /// The account that a token with a good signature speaks for, as it is now.
    fn standing(&self, claims: &Claims) -> impl Future<Output = Result<Caller, Problem>>;

    /// The account behind an API key.
    fn exchange(&self, key: &str) -> impl Future<Output = Result<Caller, Problem>>;
}

/// Tokens and keys that an [`AccountProvider`] gave out. What was verified is remembered for a while: a signature costs more than all the
/// rest of a request.
pub struct LocalTokenVerifier<I>(Rc<Inner<I>>);

struct Inner<I> {
    issuer: I,
    name: String,
    role: &'static str,
    ring: RefCell<Keyring>,
    /// When the keys were asked for last; `None` before the first answer.
    looked: Cell<Option<Instant>>,
    looking: Mutex<()>,
    /// By their last bytes, which are the signature's: a token is long, and only those are there that we have signed.
    verified: RefCell<HashMap<[u8; TAIL], Verified>>,
}

/// A token that was proved.
struct Verified {
    bearer: String,
    caller: Rc<Caller>,
    until: Instant,
}

impl<I: AccountProvider> LocalTokenVerifier<I> {
    /// Tokens that name this issuer; `role` is who verifies.
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
            // nobody waits for a look at keys that may be the same
            Some(at) if moment.saturating_duration_since(at) > KEYS_FRESH => {
                inner.looked.set(Some(moment));
                let inner = Rc::clone(inner);
                actix_rt::spawn(RequestContext::fresh(inner.role).scope(async move { drop(inner.look().await) }));
            }
            _ => {}
        }
        // who knows only keys has nothing to look at that it has not seen
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

    /// What a token says whose signature is good; a key that is not known yet is asked for.
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

    /// Looks at the keys, unless somebody else has done so meanwhile.
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

/// A token that we did not make, or take back.
pub fn invalid() -> Problem {
    Problem::new(INVALID_TOKEN, "this token is none of ours, or was taken back: sign in again")
}
