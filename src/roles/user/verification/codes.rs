//! One-time codes: an e-mail carries a code, and a client that sends it back has proven that it reads the mailbox.
//!
//! A code works once, until it expires, and only while it is the newest of its purpose and address. A code is requested for an
//! address, whether or not the address has an account: so the response time does not reveal whether an account exists.

use diesel::prelude::*;
use jiff::{SignedDuration, Timestamp};
use jiff_diesel::DateTime;
use uuid::Uuid;

use crate::platform::data::instant::{now, read, stored};
use crate::platform::data::{Abort, Connection, Error, RunQueryDsl, columns, exclusive};
use crate::platform::digest::sha256_hex;
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;
use crate::platform::jobs::{NewJob, create_job};
use crate::platform::request_context::RequestContext;
use crate::roles::user::api::account_mail::Purpose;
use crate::roles::user::api::problems::LINK_VOID;
use crate::roles::user::jobs::kinds::{CodeMail, code_mail};
use crate::roles::user::schema::{codes, users};
use crate::roles::user::store::{Store, lock_user};

/// A code as stored: only its hash, so that the row makes no working link.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = codes)]
pub struct Row {
    pub id: String,
    pub purpose: String,
    pub email: String,
    pub number: i64,
    pub hash: String,
    pub created_at: DateTime,
    pub expires_at: DateTime,
    pub used_at: Option<DateTime>,
}

/// A new code, and the job that mails it.
pub struct OneTimeCode {
    pub row: Row,
    pub job: NewJob,
    /// The public path, with the code, of the link in the e-mail.
    pub link: String,
    /// Replaces an address without an account, so that the limit of e-mails counts its codes too.
    pub address_digest: String,
}

impl OneTimeCode {
    /// Generates a code.
    pub fn generate(purpose: Purpose, email: &Email, store: &Store, now: Timestamp) -> OneTimeCode {
        let minutes = match purpose {
            Purpose::VerifyMailbox => store.auth.verification_minutes,
            Purpose::ResetPassword => store.auth.reset_minutes,
        };
        let (id, code) = (Uuid::now_v7(), generate_secret());
        let life = SignedDuration::try_from_secs_f64(minutes * 60.0).unwrap_or(SignedDuration::from_hours(1));
        let row = Row {
            id: id.to_string(),
            purpose: purpose.name().to_owned(),
            email: email.to_string(),
            number: 0,
            hash: sha256_hex(&code),
            created_at: stored(now),
            expires_at: stored(now.saturating_add(life).unwrap_or(now)),
            used_at: None,
        };
        let link = purpose.link(&code);
        let minutes = u32::try_from(life.as_secs() / 60).unwrap_or(0).max(1);
        let job = code_mail(id, &CodeMail { purpose, email: email.clone(), code, minutes });
        OneTimeCode { row, job, link, address_digest: store.address_digest(email) }
    }
}

/// A secret of 256 random bits: they cannot be guessed, so a fast hash of it is enough for storage.
pub fn generate_secret() -> String {
    format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>())
}

/// Whether a code works, and its address has an account: otherwise no e-mail is sent.
pub async fn is_wanted(conn: &mut Connection, id: Uuid, now: Timestamp) -> Result<bool, Error> {
    let code: Option<Row> = codes::table
        .filter(codes::id.eq(id.to_string()))
        .inner_join(users::table.on(users::email.eq(codes::email)))
        .select(columns::<Row>())
        .first(conn)
        .await
        .optional()?;
    match code {
        Some(code) => is_valid(conn, &code, now).await,
        None => Ok(false),
    }
}

/// Replaces the address of a code by its digest if it has no account: whoever typed it may have typed anybody's.
pub async fn forget_stranger(conn: &mut Connection, store: &Store, id: Uuid) -> Result<(), Error> {
    let mine = codes::table.filter(codes::id.eq(id.to_string()));
    let email: Option<String> = mine.clone().select(codes::email).first(conn).await.optional()?;
    let Some(email) = email.and_then(|email| Email::parse(&email).ok()) else { return Ok(()) };
    let known = users::table.filter(users::email.eq(email.as_str())).count();
    if known.get_result::<i64>(conn).await? == 0 {
        diesel::update(mine).set(codes::email.eq(store.address_digest(&email))).execute(conn).await?;
    }
    Ok(())
}

/// Whether a code works: it is unused, has not expired, and is the newest of its purpose and address.
async fn is_valid(conn: &mut Connection, code: &Row, now: Timestamp) -> Result<bool, Error> {
    let later = codes::table.filter(codes::email.eq(&code.email)).filter(codes::purpose.eq(&code.purpose));
    let later: i64 = later.filter(codes::number.gt(code.number)).count().get_result(conn).await?;
    let is_open = code.used_at.is_none() && read(code.expires_at).is_some_and(|end| now < end);
    Ok(later == 0 && is_open)
}

/// The number of a new code: the last number of its purpose and address, plus one.
pub async fn next_number(conn: &mut Connection, code: &OneTimeCode) -> Result<i64, Error> {
    let before = codes::table.filter(codes::email.eq_any([&code.row.email, &code.address_digest]));
    let before = before.filter(codes::purpose.eq(&code.row.purpose));
    let last: Option<i64> = before.select(diesel::dsl::max(codes::number)).first(conn).await?;
    Ok(last.unwrap_or(0) + 1)
}

/// Saves a code under this number; `false` if a concurrent request has taken the number: one code is enough.
pub async fn save_code(conn: &mut Connection, code: &OneTimeCode, number: i64) -> Result<bool, Error> {
    let row = Row { number, ..code.row.clone() };
    let unique = (codes::email, codes::purpose, codes::number);
    let saving = diesel::insert_into(codes::table).values(&row).on_conflict(unique).do_nothing();
    Ok(saving.execute(conn).await? == 1)
}

/// Saves a code and its mail job; `false` if the address has reached the hourly limit of e-mails.
pub async fn send_code(conn: &mut Connection, store: &Store, code: &OneTimeCode) -> Result<bool, Error> {
    let now = now();
    let hour = stored(now.saturating_sub(SignedDuration::from_hours(1)).unwrap_or(now));
    // read before the count: a concurrent code takes this number, or is counted
    let number = next_number(conn, code).await?;
    let before = codes::table.filter(codes::email.eq_any([&code.row.email, &code.address_digest]));
    let before = before.filter(codes::purpose.eq(&code.row.purpose)).filter(codes::created_at.gt(hour));
    let allowed = before.count().get_result::<i64>(conn).await? < store.auth.letters_per_hour;
    if allowed && save_code(conn, code, number).await? {
        create_job(conn, &store.owner, &code.job, code.job.id, &RequestContext::current_id()).await?;
    }
    Ok(allowed)
}

/// The row of a code that works, locked: a second request with the code waits for the first, and then finds it used.
///
/// # Errors
/// A code that does not work.
pub async fn find_valid(conn: &mut Connection, purpose: Purpose, code: &str, now: Timestamp) -> Result<Row, Abort> {
    let mine = codes::table.filter(codes::hash.eq(sha256_hex(code))).filter(codes::purpose.eq(purpose.name()));
    let row: Option<Row> = exclusive(mine.select(columns::<Row>())).get_result(conn).await.optional()?;
    match row {
        Some(row) if is_valid(conn, &row, now).await? => Ok(row),
        _ => Err(Abort::Rejected(invalid_code())),
    }
}

/// Uses a code up, in the transaction that it authorizes. Returns the address that it was sent to, and the id of its user, locked.
///
/// # Errors
/// A code that does not work, or whose address has no user.
pub async fn use_code(
    conn: &mut Connection,
    purpose: Purpose,
    code: &str,
    now: Timestamp,
) -> Result<(Email, String), Abort> {
    let known = codes::table.filter(codes::hash.eq(sha256_hex(code))).select(codes::email);
    let email: Option<String> = known.first(conn).await.optional()?;
    // the user before the code, as a deletion locks them
    let user = lock_user(conn, &email.unwrap_or_default()).await?;
    let row = find_valid(conn, purpose, code, now).await?;
    let user = user.ok_or_else(|| Abort::Rejected(invalid_code()))?;
    let mine = codes::table.filter(codes::id.eq(&row.id));
    diesel::update(mine).set(codes::used_at.eq(Some(stored(now)))).execute(conn).await?;
    Ok((row.email()?, user))
}

impl Row {
    /// The address that the code was sent to.
    pub fn email(&self) -> Result<Email, Error> {
        Email::parse(&self.email).map_err(|_| Error::Corrupt("the address of a code".to_owned()))
    }
}

/// The problem of every code that does not work. It does not reveal the reason.
pub fn invalid_code() -> Problem {
    Problem::new(
        LINK_VOID,
        "this link was used before, has expired, or was replaced by a newer one; request another e-mail",
    )
}
