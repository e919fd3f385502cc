//! The queries of e-mail verification and password reset.

use diesel::prelude::*;
use jiff::{SignedDuration, Timestamp};
use jiff_diesel::DateTime;

use super::codes::{self as one_time_codes, OneTimeCode, find_valid, invalid_code, next_number, save_code, use_code};
use crate::platform::auth::Caller;
use crate::platform::data::instant::{now, stored};
use crate::platform::data::schema::jobs;
use crate::platform::data::{Abort, Connection, Error, RunQueryDsl, columns};
use crate::platform::email::Email;
use crate::platform::jobs::model::JobState;
use crate::roles::user::accounts::store::{Users, lock_epoch, reset_profile};
use crate::roles::user::api::account_mail::Purpose;
use crate::roles::user::auth::sessions::end_sessions;
use crate::roles::user::auth::store::{Account, CredentialRow, erase_failures};
use crate::roles::user::calendars::store::erase_calendars;
use crate::roles::user::delegations::store::erase_delegations;
use crate::roles::user::schema::{api_keys, codes, credentials, sessions, users};
use crate::roles::user::store::{Store, lock_user};
use crate::transact;

/// Erases the codes and the e-mails of an account that is being deleted. The digest of its address stays.
pub async fn erase_codes(conn: &mut Connection, email: &Email, digest: &str) -> Result<(), Error> {
    let mine = codes::table.filter(codes::email.eq(email.as_str()));
    // a worker that already has the message of such a job finds it cancelled
    let ids: Vec<String> = mine.select(codes::id).load(conn).await?;
    let mails = jobs::table.filter(jobs::id.eq_any(&ids));
    let erased = (jobs::payload.eq("{}"), jobs::due_at.eq(None::<DateTime>), jobs::errors.eq("[]"));
    diesel::update(mails).set((jobs::state.eq(JobState::Cancelled.name()), erased)).execute(conn).await?;
    let used = Some(stored(now()));
    let anonymous = (codes::email.eq(digest), codes::used_at.eq(used));
    diesel::update(mine).set(anonymous).execute(conn).await?;
    Ok(())
}

impl Store {
    /// Sends a code to an address; `false` if the address has reached its hourly limit. The work is the same whether or not the
    /// address has an account: the job finds that out later.
    pub async fn send_code(&self, purpose: Purpose, email: &Email) -> Result<bool, Abort> {
        let code = OneTimeCode::generate(purpose, email, self, now());
        // the relay is not woken, so that the work of the job cannot delay the response: the relay polls within a second
        transact!(self.owner.db, |conn| {
            self.owner.check_backpressure()?;
            Ok::<bool, Abort>(one_time_codes::send_code(conn, self, &code).await?)
        })
    }

    /// The address that a valid code was sent to. The code stays valid.
    pub async fn owner_of_code(&self, purpose: Purpose, code: &str) -> Result<Email, Abort> {
        transact!(self.owner.db, |conn| { Ok(find_valid(conn, purpose, code, now()).await?.email()?) })
    }

    /// Sends the verification e-mail of an account again, unless its address is verified; `false` if the address has reached its
    /// hourly limit.
    pub async fn send_verification(&self, caller: &Caller) -> Result<bool, Abort> {
        let account = self.account(&caller.email).await?;
        if account.is_some_and(|account| account.email_verified_at.is_some()) {
            return Ok(true);
        }
        self.send_code(Purpose::VerifyMailbox, &caller.email).await
    }

    /// Replaces the password that this account was authenticated with, and ends all sessions but this one; `false` if the session has
    /// ended or the password was changed meanwhile.
    pub async fn change_password(&self, account: &Account, session: &str, password_hash: &str) -> Result<bool, Error> {
        transact!(self.owner.db, |conn| {
            lock_user(conn, account.email.as_str()).await?;
            let current = sessions::table.filter(sessions::id.eq(session)).select(sessions::user_id);
            let mine = credentials::table
                .filter(credentials::user_id.eq(&account.id).and(credentials::user_id.eq_any(current)))
                .filter(credentials::password_hash.eq(&account.password_hash));
            let changed = (credentials::password_hash.eq(password_hash), credentials::updated_at.eq(stored(now())));
            let is_changed = diesel::update(mine).set(changed).execute(conn).await? > 0;
            if is_changed {
                end_sessions(conn, &account.id, session).await?;
            }
            Ok::<bool, Error>(is_changed)
        })
    }

    /// The public path of the page that sets a new password; `None` for an address without an account.
    pub async fn reset_link(&self, email: &Email) -> Result<Option<String>, Error> {
        let code = OneTimeCode::generate(Purpose::ResetPassword, email, self, now());
        transact!(self.owner.db, |conn| {
            let known = users::table.filter(users::email.eq(email.as_str())).count().get_result::<i64>(conn).await?;
            if known == 0 {
                return Ok(None);
            }
            let number = next_number(conn, &code).await?;
            Ok::<_, Error>(save_code(conn, &code, number).await?.then(|| code.link.clone()))
        })
    }

    /// Deletes codes that expired long ago.
    pub async fn purge_codes(&self) -> Result<(), Error> {
        let old = stored(now().saturating_sub(SignedDuration::from_hours(72)).unwrap_or(Timestamp::UNIX_EPOCH));
        self.owner.db.run(diesel::delete(codes::table.filter(codes::created_at.lt(old)))).await.map(drop)
    }
}

impl Users {
    /// Accepts a code that was sent to an account's address as the proof that its owner reads the mailbox, and sets the password. All
    /// sessions end. The first proof also ends all API keys and delegations: until then, another person may have made them. It keeps
    /// the profile and the calendars only if the owner knows the password from before: `known` is its hash then. The code of a
    /// registration works for the first proof only.
    pub async fn prove_mailbox(
        &self,
        (purpose, code): (Purpose, &str),
        password_hash: &str,
        known: Option<&str>,
        tombstone: Option<i64>,
    ) -> Result<(Email, i64), Abort> {
        let now = now();
        let at = stored(now);
        transact!(self.store.owner.db, |conn| {
            let epoch = lock_epoch(conn, tombstone).await?;
            let (email, user) = use_code(conn, purpose, code, now).await?;
            let mine = credentials::table.filter(credentials::user_id.eq(&user));
            let found: Option<CredentialRow> = mine.select(columns::<CredentialRow>()).first(conn).await.optional()?;
            let proven_at = found.as_ref().and_then(|row| row.email_verified_at);
            let registered = found.as_ref().filter(|row| row.email_verified_at.is_none());
            let is_foreign = registered.is_some_and(|row| known != Some(row.password_hash.as_str()));
            let row = match found {
                Some(row) => CredentialRow { password_hash: password_hash.to_owned(), ..row },
                None => CredentialRow::new(&user, password_hash),
            };
            if purpose == Purpose::VerifyMailbox && proven_at.is_some() {
                return Err(Abort::Rejected(invalid_code()));
            }
            let row = CredentialRow { email_verified_at: proven_at.or(Some(at)), updated_at: at, ..row };
            let insertion = diesel::insert_into(credentials::table).values(&row);
            insertion.on_conflict(credentials::user_id).do_update().set(&row).execute(conn).await?;
            end_sessions(conn, &user, "").await?;
            if proven_at.is_none() {
                diesel::delete(api_keys::table.filter(api_keys::user_id.eq(&user))).execute(conn).await?;
                erase_delegations(conn, &user).await?;
            }
            if is_foreign && self.store.requires_proof() {
                erase_calendars(conn, &email).await?;
                reset_profile(conn, &email).await?;
            }
            // the failed attempts of others must not delay the owner of the address
            erase_failures(conn, &self.store.address_digest(&email)).await?;
            Ok::<_, Abort>((email, epoch))
        })
    }
}
