//! Password hashing by Argon2id. It is costly on purpose, so it runs on a few threads with a bounded queue.

use std::sync::Arc;

use actix_web::web::block;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::policy::Password;
use crate::calendar::Fault;
use crate::config::Auth;
use crate::platform::http::problem::{Problem, UNAVAILABLE};

/// Seconds after which to retry when the queue is full.
const RETRY_AFTER: u32 = 2;

/// A permit to hash a password, now or after those before it in the queue.
pub struct HashPermit(#[expect(dead_code, reason = "it is held, not read")] OwnedSemaphorePermit);

/// Hashes and verifies passwords; shared by all worker threads.
pub struct Passwords {
    argon: Argon2<'static>,
    /// The threads that hash.
    threads: Arc<Semaphore>,
    /// The permits: one for each thread, and the length of the queue.
    permits: Arc<Semaphore>,
    /// A hash that no password has: an unknown account costs as much time as a known one.
    dummy_hash: String,
}

impl Passwords {
    /// As configured.
    ///
    /// # Errors
    /// Costs that Argon2 does not know.
    pub fn new(settings: &Auth) -> anyhow::Result<Passwords> {
        let params = Params::new(settings.password_memory_kib, settings.password_passes, 1, None)
            .map_err(|why| anyhow::anyhow!("auth.password_memory_kib or auth.password_passes: {why}"))?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if settings.hashing_threads == 0 { cores.div_ceil(2) } else { settings.hashing_threads };
        let dummy_hash = dummy_hash(settings);
        let (permits, threads) = (Semaphore::new(threads + settings.hashing_queue), Semaphore::new(threads));
        Ok(Passwords { argon, threads: Arc::new(threads), permits: Arc::new(permits), dummy_hash })
    }

    /// Hashes a new password, unless it is easy to guess with these `words` about its owner.
    ///
    /// # Errors
    /// 422 at `#/password`; 503 when the queue is full.
    pub async fn hash(&self, password: Password, words: Vec<String>) -> Result<String, Problem> {
        let argon = self.argon.clone();
        let hashed = self.run(self.acquire()?, move || match password.is_guessable(&words) {
            true => Ok(None),
            false => hash(&argon, password.bytes()).map(Some),
        });
        let detail = "is easy to guess: use a few words that do not belong together";
        let weak = || Problem::validation(vec![Fault::new("#/password", "too_common", detail)]);
        hashed.await?.map_err(Problem::internal)?.ok_or_else(weak)
    }

    /// Acquires a permit, before any other work for the request.
    ///
    /// # Errors
    /// 503 when the queue is full.
    pub fn acquire(&self) -> Result<HashPermit, Problem> {
        Arc::clone(&self.permits).try_acquire_owned().map(HashPermit).map_err(|_| queue_full())
    }

    /// Verifies a password. Without a hash the result is false, after the same time.
    ///
    /// # Errors
    /// An invalid hash.
    pub async fn verify(&self, permit: HashPermit, password: Password, hash: Option<&str>) -> Result<bool, Problem> {
        let (argon, known) = (self.argon.clone(), hash.is_some());
        let hash = hash.unwrap_or(&self.dummy_hash).to_owned();
        let verified = self.run(permit, move || {
            let parsed = PasswordHash::new(&hash)?;
            Ok::<_, argon2::password_hash::Error>(argon.verify_password(password.bytes(), &parsed).is_ok())
        });
        Ok(verified.await?.map_err(Problem::internal)? && known)
    }

    async fn run<T: Send + 'static>(
        &self,
        permit: HashPermit,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let thread = Arc::clone(&self.threads).acquire_owned().await.map_err(Problem::internal)?;
        // the permits are held until the work is done, even if the request was dropped
        let done = block(move || {
            let done = work();
            drop((permit, thread));
            done
        });
        done.await.map_err(Problem::internal)
    }
}

fn hash(argon: &Argon2<'_>, password: &[u8]) -> Result<String, argon2::password_hash::Error> {
    Ok(argon.hash_password_with_salt(password, &rand::random::<[u8; 16]>())?.to_string())
}

/// A random hash of these costs. It is not computed: that would take 19 MiB at the start of a process that may never need them.
fn dummy_hash(Auth { password_memory_kib, password_passes, .. }: &Auth) -> String {
    let (salt, hash) = (rand::random::<[u8; 16]>(), rand::random::<[u8; 32]>());
    let [salt, hash] = [&salt[..], &hash].map(|bytes| STANDARD_NO_PAD.encode(bytes));
    format!("$argon2id$v=19$m={password_memory_kib},t={password_passes},p=1${salt}${hash}")
}

fn queue_full() -> Problem {
    let detail = "too many sign-ins at the same time (auth.hashing_queue); try again in a moment";
    Problem { retry_after: Some(RETRY_AFTER), ..Problem::new(UNAVAILABLE, detail) }
}
