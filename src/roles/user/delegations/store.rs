//! The queries of delegations.

use diesel::prelude::*;
use jiff::SignedDuration;
use jiff_diesel::DateTime;
use uuid::Uuid;

use super::model::{Delegation, DelegationScope, MAX_DELEGATIONS, NewDelegation, limit_reached, not_an_actor};
use crate::platform::auth::verifier::ended_session;
use crate::platform::auth::{Actor, AuthMethod, Caller, Scope, forbidden, unknown_caller};
use crate::platform::data::instant::{now, read, stored};
use crate::platform::data::{Abort, Connection, Error, RunQueryDsl};
use crate::platform::email::Email;
use crate::platform::http::extract::UserKey;
use crate::platform::http::problem::{FORBIDDEN, Problem};
use crate::roles::user::auth::store::{read_caller, scope_name};
use crate::roles::user::schema::{credentials, delegations, sessions, users};
use crate::roles::user::store::{Store, lock_user};
use crate::transact;

/// The grantor of a delegation for all users.
const INSTALLATION: &str = "";
/// The minimum interval between two updates of `last_used_at`.
const LAST_USED_INTERVAL: SignedDuration = SignedDuration::from_hours(1);

/// The id, the grantor, the address of the actor, and when it was allowed and used last.
type Row = (String, String, String, DateTime, Option<DateTime>);

fn read_row((id, grantor, actor, created_at, last_used_at): Row) -> Result<Delegation, Error> {
    let corrupt = |what: &str| Error::Corrupt(format!("the {what} of delegation {id}"));
    Ok(Delegation {
        id: id.parse().map_err(|_| corrupt("id"))?,
        actor: Email::parse(&actor).map_err(|_| corrupt("actor"))?,
        scope: if grantor == INSTALLATION { DelegationScope::Installation } else { DelegationScope::Account },
        created_at: read(created_at).ok_or_else(|| corrupt("time"))?,
        last_used_at: last_used_at.and_then(read),
    })
}

macro_rules! with_actors {
    () => {
        delegations::table.inner_join(users::table.on(users::id.eq(delegations::actor))).select((
            delegations::id,
            delegations::grantor,
            users::email,
            delegations::created_at,
            delegations::last_used_at,
        ))
    };
}

impl Store {
    /// Lets the keys of an account act on behalf of the caller, or of all users. One that exists stays.
    ///
    /// # Errors
    /// 401 if the caller's session has ended meanwhile; 404 for an unknown account; 422 for one that cannot act, or one too many.
    pub async fn create_delegation(&self, caller: &Caller, new: &NewDelegation) -> Result<Delegation, Abort> {
        let AuthMethod::Session(session) = &caller.method else { return Err(Abort::Rejected(unknown_caller())) };
        let grantor = match new.scope {
            DelegationScope::Account => caller.id.as_str(),
            DelegationScope::Installation => INSTALLATION,
        };
        let row = transact!(self.owner.db, |conn| {
            lock_user(conn, caller.email.as_str()).await?;
            // a proof of the mailbox ends sessions and delegations: a late request must not add one
            let session = sessions::table.find(session.as_deref().unwrap_or_default());
            let session = session.filter(sessions::user_id.eq(&caller.id)).select(sessions::id);
            if session.first::<String>(conn).await.optional()?.is_none() {
                return Err(Abort::Rejected(ended_session()));
            }
            let actor = self.find_actor(conn, caller, &new.actor).await?;
            let mine = delegations::table.filter(delegations::grantor.eq(grantor));
            let others = mine.filter(delegations::actor.ne(&actor)).count().get_result::<i64>(conn).await?;
            if others >= MAX_DELEGATIONS {
                return Err(Abort::Rejected(limit_reached()));
            }
            let row = (
                delegations::id.eq(Uuid::now_v7().to_string()),
                delegations::grantor.eq(grantor),
                delegations::actor.eq(&actor),
                delegations::created_at.eq(stored(now())),
            );
            let insertion = diesel::insert_into(delegations::table).values(row);
            insertion.on_conflict((delegations::grantor, delegations::actor)).do_nothing().execute(conn).await?;
            let made = with_actors!().filter(delegations::grantor.eq(grantor)).filter(delegations::actor.eq(&actor));
            Ok::<Row, Abort>(made.first::<Row>(conn).await?)
        })?;
        tracing::info!(delegation = row.0, account = caller.id, scope = ?new.scope, "an account lets a bot act");
        Ok(read_row(row)?)
    }

    /// The id of an account that may get a delegation of the caller.
    async fn find_actor(&self, conn: &mut Connection, caller: &Caller, email: &Email) -> Result<String, Abort> {
        let account = users::table.inner_join(credentials::table.on(credentials::user_id.eq(users::id)));
        let account = account.filter(users::email.eq(email.as_str()));
        let found = account.select((users::id, credentials::email_verified_at));
        let found: Option<(String, Option<DateTime>)> = found.first(conn).await.optional()?;
        let (id, verified_at) = found.ok_or_else(|| Abort::Rejected(Problem::unknown_user(email.as_str())))?;
        if id == caller.id {
            let detail = "is your own account, whose API keys act for you anyway";
            return Err(Abort::Rejected(not_an_actor("own_account", detail)));
        }
        if self.auth.verify_email && verified_at.is_none() {
            // another person may have registered the address
            let detail = "has not verified its mailbox: its owner follows the link in the e-mail of registration first";
            return Err(Abort::Rejected(not_an_actor("mailbox_unverified", detail)));
        }
        Ok(id)
    }

    /// The delegations of an account and of the installation, the oldest first.
    pub async fn delegations(&self, account: &str) -> Result<Vec<Delegation>, Error> {
        let mine = with_actors!().filter(delegations::grantor.eq_any([account, INSTALLATION]));
        let rows: Vec<Row> = self.owner.db.fetch_all(mine.order(delegations::id.asc())).await?;
        rows.into_iter().map(read_row).collect()
    }

    /// Deletes a delegation; `false` for an unknown id.
    ///
    /// # Errors
    /// 403 for one of the installation, if the caller is no administrator.
    pub async fn delete_delegation(&self, caller: &Caller, id: Uuid) -> Result<bool, Abort> {
        let id = id.to_string();
        let is_deleted = transact!(self.owner.db, |conn| {
            let seen = delegations::table.filter(delegations::id.eq(&id));
            let seen = seen.filter(delegations::grantor.eq_any([caller.id.as_str(), INSTALLATION]));
            let grantor: Option<String> = seen.select(delegations::grantor).first(conn).await.optional()?;
            match grantor {
                None => return Ok(false),
                Some(grantor) if grantor == INSTALLATION && caller.scope < Scope::Admin => {
                    let detail =
                        "an administrator has allowed this for all users, and only administrators take it back";
                    return Err(Abort::Rejected(forbidden(detail)));
                }
                Some(_) => {}
            }
            diesel::delete(delegations::table.filter(delegations::id.eq(&id))).execute(conn).await?;
            Ok::<bool, Abort>(true)
        })?;
        if is_deleted {
            tracing::info!(delegation = id, account = caller.id, "an account takes a delegation back");
        }
        Ok(is_deleted)
    }

    /// A user as the caller, on whose behalf the key of another account acts: with the rights of a user, whatever the user may do
    /// otherwise. `key`: its id and its name.
    ///
    /// # Errors
    /// 403 if nobody has allowed it; an unknown user is refused alike.
    pub async fn caller_on_behalf_of(
        &self,
        actor: Caller,
        key: (&str, &str),
        user: &UserKey,
    ) -> Result<Caller, Problem> {
        let text = user.to_string();
        let mine = users::table.left_join(credentials::table.on(credentials::user_id.eq(users::id)));
        let mine = mine.filter(users::email.eq(&text).or(users::id.eq(&text)));
        let mine = mine.select((users::id, users::email, credentials::email_verified_at.nullable()));
        let found: Option<(String, String, Option<DateTime>)> = self.owner.db.fetch_optional(mine).await?;
        let grantor = found.as_ref().map(|(id, ..)| id.clone()).unwrap_or_default();
        let allowed = delegations::table
            .filter(delegations::actor.eq(&actor.id))
            .filter(delegations::grantor.eq_any([grantor.as_str(), INSTALLATION]))
            .order(delegations::grantor.desc())
            .select((delegations::id, delegations::last_used_at));
        let allowed: Option<(String, Option<DateTime>)> = self.owner.db.fetch_optional(allowed).await?;
        let Some(((id, email, verified_at), (delegation, used_at))) = found.zip(allowed) else {
            let detail = format!(
                "{} may not act on behalf of {user}: the user, or an administrator for all users, allows it by \
                 POST /api/auth/delegations",
                actor.email
            );
            return Err(Problem::new(FORBIDDEN, detail));
        };
        let now = now();
        if used_at.and_then(read).is_none_or(|used| now.duration_since(used) >= LAST_USED_INTERVAL) {
            let one = delegations::table.filter(delegations::id.eq(&delegation));
            self.owner.db.run(diesel::update(one).set(delegations::last_used_at.eq(Some(stored(now))))).await?;
        }
        tracing::info!(actor = actor.id, key = key.0, on_behalf_of = id, "an API key acts on behalf of a user");
        let rights = scope_name(Scope::User).to_owned();
        let caller = read_caller(id, (email, rights, verified_at), actor.method)?;
        let actor = Actor { id: actor.id, email: actor.email, key: key.1.to_owned() };
        Ok(Caller { actor: Some(actor), ..caller })
    }
}

/// Erases the delegations by an account, and those to it.
pub async fn erase_delegations(conn: &mut Connection, account: &str) -> Result<(), Error> {
    let mine = delegations::grantor.eq(account).or(delegations::actor.eq(account));
    diesel::delete(delegations::table.filter(mine)).execute(conn).await?;
    Ok(())
}
