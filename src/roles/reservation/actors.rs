//! The bots that meetings name: their deletion must find every meeting.

use diesel::prelude::*;
use diesel::upsert::excluded;
use jiff::SignedDuration;
use jiff_diesel::DateTime;

use super::meetings::model::Meeting;
use super::schema::{actors, meeting_actors};
use super::store::Store;
use crate::platform::auth::forbidden;
use crate::platform::data::instant::{now, stored};
use crate::platform::data::{Abort, Connection, Error, RunQueryDsl};
use crate::platform::digest::sha256_hex;
use crate::transact;

/// How long the digest of a deleted bot is kept: longer than any request takes.
const DIGEST_RETENTION: SignedDuration = SignedDuration::from_hours(1);

/// Notes that a meeting names a bot, if a bot makes the change. Changes by one bot are made one after the other from here on.
///
/// # Errors
/// 403 for a bot that was deleted after its request was admitted.
pub async fn save_actor(conn: &mut Connection, meeting: &Meeting) -> Result<(), Abort> {
    let Some(id) = &meeting.actor_id else { return Ok(()) };
    // the row is there afterwards and locked: a deletion waits for this transaction, or this one finds its mark
    let lock = diesel::insert_into(actors::table)
        .values((actors::digest.eq(sha256_hex(id.as_bytes())), actors::deleted_at.eq(None::<DateTime>)))
        .on_conflict(actors::digest)
        .do_update()
        .set(actors::digest.eq(excluded(actors::digest)))
        .returning(actors::deleted_at);
    let deleted_at: Option<DateTime> = lock.get_result(conn).await?;
    if deleted_at.is_some() {
        return Err(Abort::Rejected(forbidden("the account of this API key was deleted")));
    }
    let row = (meeting_actors::actor.eq(id), meeting_actors::meeting_id.eq(meeting.id.to_string()));
    let insertion = diesel::insert_into(meeting_actors::table).values(row);
    insertion.on_conflict((meeting_actors::actor, meeting_actors::meeting_id)).do_nothing().execute(conn).await?;
    Ok(())
}

/// The ids of the meetings that name a bot.
pub async fn find_meetings_of_actor(conn: &mut Connection, id: &str) -> Result<Vec<String>, Error> {
    let mine = meeting_actors::table.filter(meeting_actors::actor.eq(id));
    Ok(mine.select(meeting_actors::meeting_id).load(conn).await?)
}

/// Forgets that a meeting names a bot.
pub async fn erase_actor(conn: &mut Connection, meeting: &str, id: &str) -> Result<(), Error> {
    let mine = meeting_actors::table.filter(meeting_actors::actor.eq(id));
    diesel::delete(mine.filter(meeting_actors::meeting_id.eq(meeting))).execute(conn).await?;
    Ok(())
}

impl Store {
    /// Marks a user as deleted. Meetings do not name the user as a bot any more; those that do can be found.
    pub async fn mark_actor_deleted(&self, id: &str) -> Result<(), Error> {
        let row = (actors::digest.eq(sha256_hex(id.as_bytes())), actors::deleted_at.eq(Some(stored(now()))));
        // the transaction holds nothing else, so that it never waits in a circle
        transact!(self.owner.db, |conn| {
            let marking = diesel::insert_into(actors::table).values(row).on_conflict(actors::digest).do_update();
            marking.set(actors::deleted_at.eq(excluded(actors::deleted_at))).execute(conn).await?;
            Ok::<(), Error>(())
        })
    }

    /// Erases the marks that no request needs any more.
    pub async fn purge_actors(&self) -> Result<(), Error> {
        let then = Some(stored(now().saturating_sub(DIGEST_RETENTION).unwrap_or_default()));
        self.owner.db.run(diesel::delete(actors::table.filter(actors::deleted_at.lt(then)))).await?;
        Ok(())
    }
}
