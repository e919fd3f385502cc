//! Hashing passwords by Argon2id, on a few threads and for a few who wait: it is made to be dear, and must not slow down
//! everything else.

use std::sync::Arc;

use actix_web::web::block;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::policy::Password;
use crate::calendar::Fault;
use crate::config::Auth;
use crate::platform::http::problem::{Problem, UNAVAILABLE};

/// After how many seconds to come again when too many wait.
const LATER: u32 = 2;

/// A place in the queue for hashing.
pub struct Place(#[expect(dead_code, reason = "it is held, not read")] OwnedSemaphorePermit);

/// What makes and checks hashes; one for all worker threads.
pub struct Passwords {
    argon: Argon2<'static>,
    /// Who is being served,
    threads: Arc<Semaphore>,
    /// and who may wait for it as well.
    places: Arc<Semaphore>,
    /// The hash of a password that nobody knows: who has no account costs as much as who has one.
    nobody: String,
}

impl Passwords {
    /// As the settings say.
    ///
    /// # Errors
    /// Costs that Argon2 does not know.
    pub fn new(settings: &Auth) -> anyhow::Result<Passwords> {
        let params = Params::new(settings.password_memory_kib, settings.password_passes, 1, None)
            .map_err(|why| anyhow::anyhow!("auth.password_memory_kib or auth.password_passes: {why}"))?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if settings.hashing_threads == 0 { cores.div_ceil(2) } else { settings.hashing_threads };
        let nobody = hash(&argon, &rand::random::<[u8; 32]>()).map_err(|why| anyhow::anyhow!("Argon2: {why}"))?;
        let (places, threads) = (Semaphore::new(threads + settings.hashing_queue), Semaphore::new(threads));
        Ok(Passwords { argon, threads: Arc::new(threads), places: Arc::new(places), nobody })
    }

    /// The hash of a new password, unless it is easy to guess for who knows these `words` about its owner.
    ///
    /// # Errors
    /// 422 at `#/password`; 503 when too many wait.
    pub async fn make(&self, password: Password, words: Vec<String>) -> Result<String, Problem> {
        let argon = self.argon.clone();
        let made = self.run(self.enter()?, move || match password.is_guessable(&words) {
            true => Ok(None),
            false => hash(&argon, password.bytes()).map(Some),
        });
        let detail = "is among the first that somebody would try: take a few words that do not belong together";
        let weak = || Problem::validation(vec![Fault::new("#/password", "too_common", detail)]);
        made.await?.map_err(Problem::internal)?.ok_or_else(weak)
    }

    /// A place in the queue, before anything else is done for whoever comes.
    ///
    /// # Errors
    /// 503 when too many wait.
    pub fn enter(&self) -> Result<Place, Problem> {
        Arc::clone(&self.places).try_acquire_owned().map(Place).map_err(|_| full())
    }

    /// Whether the password is the one behind this hash, for whoever has a place; never, and just as slowly, where there is none.
    ///
    /// # Errors
    /// A hash that is none.
    pub async fn fits(&self, place: Place, password: Password, hash: Option<&str>) -> Result<bool, Problem> {
        let (argon, known) = (self.argon.clone(), hash.is_some());
        let hash = hash.unwrap_or(&self.nobody).to_owned();
        let fits = self.run(place, move || {
            let parsed = PasswordHash::new(&hash)?;
            Ok::<_, argon2::password_hash::Error>(argon.verify_password(password.bytes(), &parsed).is_ok())
        });
        Ok(fits.await?.map_err(Problem::internal)? && known)
    }

    async fn run<T: Send + 'static>(
        &self,
        place: Place,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let thread = Arc::clone(&self.threads).acquire_owned().await.map_err(Problem::internal)?;
        // the places are held until the work is done, even if nobody waits for it any more
        let done = block(move || {
            let done = work();
            drop((place, thread));
            done
        });
        done.await.map_err(Problem::internal)
    }
}

fn hash(argon: &Argon2<'_>, password: &[u8]) -> Result<String, argon2::password_hash::Error> {
    Ok(argon.hash_password_with_salt(password, &rand::random::<[u8; 16]>())?.to_string())
}

fn full() -> Problem {
    let detail = "too many are signing in just now (auth.hashing_queue); try again in a moment";
    Problem { retry_after: Some(LATER), ..Problem::new(UNAVAILABLE, detail) }
}
