//! One-time codes: what a letter carries, so that whoever brings it back is known to read the mailbox.
//!
//! A code is good once, for a while, and only as long as it is the newest of its purpose and address. It is asked for by
//! address, not by account: nothing that is done here depends on whether there is one, and so nobody learns it by the clock.

use diesel::prelude::*;
use jiff::{SignedDuration, Timestamp};
use jiff_diesel::DateTime;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::config::Auth;
use crate::platform::data::instant::{read, stored};
use crate::platform::email::Email;
use crate::platform::http::problem::{LINK_VOID, Problem};
use crate::roles::user::api::letters::Purpose;
use crate::roles::user::jobs::model::{NewJob, Note};
use crate::roles::user::schema::codes;

/// A code as it lies in the database: nobody can make a link of it.
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

/// A new code, and the job that takes it to its mailbox.
pub struct Code {
    pub row: Row,
    pub job: NewJob,
    /// The public path that it opens.
    pub link: String,
    /// In the place of the address once it is deleted: who makes and deletes accounts has no more letters sent than others.
    pub digest: String,
}

impl Code {
    /// Draws one.
    pub fn draw(purpose: Purpose, email: &Email, settings: &Auth, now: Timestamp) -> Code {
        let minutes = match purpose {
            Purpose::VerifyMailbox => settings.verification_minutes,
            Purpose::ResetPassword => settings.reset_minutes,
        };
        let (id, code) = (Uuid::now_v7(), secret());
        let life = SignedDuration::try_from_secs_f64(minutes * 60.0).unwrap_or(SignedDuration::from_hours(1));
        let row = Row {
            id: id.to_string(),
            purpose: purpose.name().to_owned(),
            email: email.to_string(),
            number: 0,
            hash: hash(&code),
            created_at: stored(now),
            expires_at: stored(now.saturating_add(life).unwrap_or(now)),
            used_at: None,
        };
        let link = purpose.link(&code);
        let minutes = u32::try_from(life.as_secs() / 60).unwrap_or(0).max(1);
        let job = NewJob::letter(id, &Note { purpose, email: email.clone(), code, minutes });
        Code { row, job, link, digest: hash(email.as_str()) }
    }
}

/// 256 bits that nobody guesses.
pub fn secret() -> String {
    format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>())
}

/// What is kept of a secret. No slow hash: those make up for secrets that can be guessed, and 256 random bits cannot.
pub fn hash(secret: &str) -> String {
    Sha256::digest(secret.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a code has still to be brought to its mailbox, and there is somebody behind that; within a transaction.
macro_rules! is_code_good {
    ($conn:ident, $id:expr, $now:expr) => {{
        use $crate::roles::user::schema::{codes, users};
        let code: Option<$crate::roles::user::mailbox::codes::Row> = codes::table
            .filter(codes::id.eq($id.to_string()))
            .inner_join(users::table.on(users::email.eq(codes::email)))
            .select($crate::roles::user::mailbox::codes::Row::as_select())
            .first($conn)
            .await
            .optional()?;
        match &code {
            Some(code) => $crate::roles::user::mailbox::codes::is_newest!($conn, code) && code.is_open($now),
            None => false,
        }
    }};
}

/// Whether no later code of the same purpose went to the same address; within a transaction.
macro_rules! is_newest {
    ($conn:ident, $code:expr) => {{
        use $crate::roles::user::schema::codes;
        let later = codes::table.filter(codes::email.eq(&$code.email)).filter(codes::purpose.eq(&$code.purpose));
        later.filter(codes::number.gt($code.number)).count().get_result::<i64>($conn).await? == 0
    }};
}

/// The number that this code will have: one more than the last of its purpose that went to its address; within a transaction.
macro_rules! next_number {
    ($conn:ident, $code:expr) => {{
        use $crate::roles::user::schema::codes;
        let before = codes::table.filter(codes::email.eq_any([&$code.row.email, &$code.digest]));
        let before = before.filter(codes::purpose.eq(&$code.row.purpose));
        let last: Option<i64> = before.select(diesel::dsl::max(codes::number)).first($conn).await?;
        last.unwrap_or(0) + 1
    }};
}

/// Keeps a code under this number, within a transaction; says whether it was kept: of two that are made at once, one is enough.
macro_rules! keep_code {
    ($conn:ident, $code:expr, $number:expr) => {{
        use $crate::roles::user::schema::codes;
        let row = $crate::roles::user::mailbox::codes::Row { number: $number, ..$code.row.clone() };
        let keeping = diesel::insert_into(codes::table).values(&row);
        let place = (codes::email, codes::purpose, codes::number);
        keeping.on_conflict(place).do_nothing().execute($conn).await? == 1
    }};
}

/// Keeps a code and has it brought to its mailbox, within a transaction, unless that had as many in the last hour as it may; says
/// whether it had not.
macro_rules! send_code {
    ($store:expr, $conn:ident, $code:expr) => {{
        use $crate::platform::data::instant::{now, stored};
        use $crate::roles::user::schema::{codes, jobs};
        let code: &$crate::roles::user::mailbox::codes::Code = $code;
        let now = now();
        let hour = stored(now.saturating_sub(jiff::SignedDuration::from_hours(1)).unwrap_or(now));
        // before the others are counted: who comes between takes this number, or is counted
        let number = $crate::roles::user::mailbox::codes::next_number!($conn, code);
        let before = codes::table.filter(codes::email.eq_any([&code.row.email, &code.digest]));
        let before = before.filter(codes::purpose.eq(&code.row.purpose)).filter(codes::created_at.gt(hour));
        let may = before.count().get_result::<i64>($conn).await? < $store.auth.letters_per_hour;
        if may && $crate::roles::user::mailbox::codes::keep_code!($conn, code, number) {
            let case_id = $crate::platform::request_context::RequestContext::current_id();
            let limits = &$store.limits;
            let row = $crate::roles::user::jobs::rows::JobRow::of(&code.job, code.job.id, &case_id, limits, now);
            diesel::insert_into(jobs::table).values(&row).execute($conn).await?;
            $crate::roles::user::jobs::meters::count(&row.kind, $crate::roles::user::jobs::model::State::Queued);
            let origin = (row.case_id.as_str(), row.traceparent.as_str());
            let notice = $crate::roles::user::outbox::Row::job(code.job.id, code.job.kind, origin, 0, now);
            $crate::roles::user::outbox::post!($conn, &[notice]);
        }
        may
    }};
}

/// Spends a code within the transaction of what it is for, and gives the address that it was sent to.
macro_rules! use_code {
    ($conn:ident, $purpose:expr, $code:expr, $now:expr) => {{
        use $crate::roles::user::schema::codes;
        let hash = $crate::roles::user::mailbox::codes::hash($code);
        let purpose: $crate::roles::user::api::letters::Purpose = $purpose;
        let mine = codes::table.filter(codes::hash.eq(&hash)).filter(codes::purpose.eq(purpose.name()));
        // who comes second waits here for the first, and then finds it used
        let held = diesel::update(mine).set(codes::hash.eq(&hash));
        let held = held.returning($crate::roles::user::mailbox::codes::Row::as_returning());
        let code: Option<$crate::roles::user::mailbox::codes::Row> = held.get_result($conn).await.optional()?;
        let good = match &code {
            Some(code) => $crate::roles::user::mailbox::codes::is_newest!($conn, code) && code.is_open($now),
            None => false,
        };
        let Some(code) = code.filter(|_| good) else {
            return Err(Stop::Refused($crate::roles::user::mailbox::codes::void()));
        };
        let used = Some($crate::platform::data::instant::stored($now));
        diesel::update(codes::table.filter(codes::id.eq(&code.id))).set(codes::used_at.eq(used)).execute($conn).await?;
        $crate::platform::email::Email::parse(&code.email)
            .map_err(|_| $crate::platform::data::Error::Corrupt("the address of a code".to_owned()))?
    }};
}
pub(in crate::roles::user) use {is_code_good, is_newest, keep_code, next_number, send_code, use_code};

impl Row {
    /// Whether it was not used yet, nor is too old.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.used_at.is_none() && read(self.expires_at).is_some_and(|end| now < end)
    }
}

/// One answer to all codes that do not work: which of it is so concerns nobody.
pub fn void() -> Problem {
    Problem::new(
        LINK_VOID,
        "this link was used before, is too old, or a newer letter has taken its place; ask for another letter",
    )
}
