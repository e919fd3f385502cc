//! The users whose time can be held. The role that owns accounts describes them; this role keeps what invitations need.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::upsert::excluded;
use futures_util::future::join;
use jiff::SignedDuration;

use super::schema::{deleted_subjects, mails, subjects};
use super::store::Store;
use crate::platform::data::instant::{now, stored};
use crate::platform::data::{Abort, Connection, Error, RunQueryDsl, columns, exclusive, execute_all};
use crate::platform::digest::sha256_hex;
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;
use crate::roles::user::api::Person;
use crate::{read, transact};

/// How long the digest of a deleted user's id is kept: longer than any request takes.
const DIGEST_RETENTION: SignedDuration = SignedDuration::from_hours(1);

/// A user, as this role knows them.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = subjects)]
pub struct Subject {
    pub id: String,
    pub email: String,
    pub typed_email: String,
    pub name: String,
    pub time_zone: String,
}

impl From<&Person> for Subject {
    fn from(person: &Person) -> Subject {
        Subject {
            id: person.id.to_string(),
            email: person.email.to_string(),
            typed_email: person.typed_email.clone(),
            name: person.name.clone(),
            time_zone: person.time_zone.name().to_owned(),
        }
    }
}

/// Some subjects, by their addresses.
pub type Subjects = HashMap<String, Subject>;

/// Locks the subjects until the transaction ends, and updates what is known of them. The locks are taken in one order, so that two
/// transactions never wait for each other.
///
/// # Errors
/// A user who was deleted after the caller looked them up.
pub async fn lock_subjects(conn: &mut Connection, people: &[Person]) -> Result<(), Abort> {
    let mut rows: Vec<Subject> = people.iter().map(Subject::from).collect();
    rows.sort_by(|one, other| one.id.cmp(&other.id));
    let described = (
        subjects::email.eq(excluded(subjects::email)),
        subjects::typed_email.eq(excluded(subjects::typed_email)),
        subjects::name.eq(excluded(subjects::name)),
        subjects::time_zone.eq(excluded(subjects::time_zone)),
    );
    let (conn, locked) = (&*conn, |row: Subject| {
        let insertion = diesel::insert_into(subjects::table).values(row).on_conflict(subjects::id);
        insertion.do_update().set(described).execute(conn)
    });
    let digests: HashMap<String, &Person> =
        people.iter().map(|person| (digest(&person.id.to_string()), person)).collect();
    let deleted = deleted_subjects::table.filter(deleted_subjects::digest.eq_any(digests.keys()));
    let deleted = deleted.select(deleted_subjects::digest).load(conn);
    let (locked, deleted) = join(execute_all(rows.into_iter().map(locked)), deleted).await;
    locked?;
    let deleted: Vec<String> = deleted?;
    match deleted.iter().find_map(|digest| digests.get(digest).copied()) {
        Some(person) => Err(Abort::Rejected(Problem::unknown_user(person.email.as_str()))),
        None => Ok(()),
    }
}

/// Locks the subjects with these addresses until the transaction ends, in the order of [`lock_subjects`]. A transaction locks all attendees
/// of a meeting at once: with some of them locked first, two transactions could wait for each other.
pub async fn lock_attendees(conn: &mut Connection, emails: &[Email]) -> Result<(), Error> {
    let them = subjects::table.filter(subjects::email.eq_any(emails.iter().map(Email::as_str)));
    exclusive(them.order(subjects::id).select(subjects::id)).load::<String>(conn).await?;
    Ok(())
}

/// The subjects with these addresses.
pub async fn find_subjects(conn: &mut Connection, emails: &[Email]) -> Result<Subjects, Error> {
    let emails: Vec<&str> = emails.iter().map(Email::as_str).collect();
    // the account that has an address now is younger than one that had it before
    let found = subjects::table.filter(subjects::email.eq_any(emails)).order(subjects::id.asc());
    let found: Vec<Subject> = found.select(columns::<Subject>()).load(conn).await?;
    Ok(found.into_iter().map(|subject| (subject.email.clone(), subject)).collect())
}

/// Notes that a user was deleted, after every transaction that has locked the subject. Requests that looked the user up before are
/// refused from then on, so all meetings with the user can be found.
pub async fn mark_deleted(conn: &mut Connection, id: &str, email: &str) -> Result<(), Error> {
    // a row that another transaction inserts, and has not committed yet, cannot be locked: inserting it waits for that transaction
    let (id_of, email_of) = (subjects::id.eq(id), subjects::email.eq(email));
    let unnamed = (subjects::typed_email.eq(email), subjects::name.eq(""), subjects::time_zone.eq("UTC"));
    diesel::insert_into(subjects::table)
        .values((id_of, email_of, unnamed))
        .on_conflict(subjects::id)
        .do_update()
        .set(subjects::id.eq(excluded(subjects::id)))
        .execute(conn)
        .await?;
    let row = (deleted_subjects::digest.eq(digest(id)), deleted_subjects::deleted_at.eq(stored(now())));
    diesel::insert_into(deleted_subjects::table)
        .values(row)
        .on_conflict(deleted_subjects::digest)
        .do_update()
        .set(deleted_subjects::deleted_at.eq(excluded(deleted_subjects::deleted_at)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Deletes a subject that is marked as deleted.
pub async fn delete_subject(conn: &mut Connection, id: &str) -> Result<(), Error> {
    diesel::delete(subjects::table.filter(subjects::id.eq(id))).execute(conn).await?;
    diesel::delete(mails::table.filter(mails::recipient.eq(id))).execute(conn).await?;
    diesel::update(mails::table.filter(mails::organizer.eq(id))).set(mails::organizer.eq("")).execute(conn).await?;
    diesel::update(mails::table.filter(mails::actor.eq(id))).set(mails::actor.eq("")).execute(conn).await?;
    Ok(())
}

fn digest(id: &str) -> String {
    sha256_hex(id.as_bytes())
}

impl Store {
    /// The subjects with these addresses.
    pub async fn subjects(&self, emails: &[Email]) -> Result<Subjects, Error> {
        read!(self.owner.db, |conn| find_subjects(conn, emails))
    }

    /// Erases the digests that no request needs any more.
    pub async fn purge_subjects(&self) -> Result<(), Error> {
        let then = stored(now().saturating_sub(DIGEST_RETENTION).unwrap_or_default());
        transact!(self.owner.db, |conn| {
            let old = deleted_subjects::table.filter(deleted_subjects::deleted_at.lt(then));
            diesel::delete(old).execute(conn).await?;
            Ok::<(), Error>(())
        })
    }
}
