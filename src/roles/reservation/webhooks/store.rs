//! The queries about webhooks, each named for the question it answers.

use diesel::prelude::*;
use jiff::{SignedDuration, Timestamp};
use jiff_diesel::DateTime;
use serde_json::json;
use uuid::Uuid;

use super::events::events_of;
use super::model::{MAX_WEBHOOKS, Webhook, limit_reached};
use crate::platform::data::instant::{now, read, stored};
use crate::platform::data::schema::{deliveries, idempotency, jobs};
use crate::platform::data::{Abort, Connection, Error, RunQueryDsl, columns};
use crate::platform::http::idempotency::{IdempotencyKey, StoredResponse};
use crate::platform::http::problem::Problem;
use crate::platform::jobs::model::{JobState, OPEN};
use crate::platform::jobs::rows::{create_job, scrub_jobs};
use crate::roles::reservation::jobs::kinds;
use crate::roles::reservation::meetings::model::Meeting;
use crate::roles::reservation::schema::{subjects, webhook_events, webhooks};
use crate::roles::reservation::store::Store;
use crate::roles::reservation::subjects::{find_subjects, lock_subjects};
use crate::roles::user::api::Person;
use crate::transact;

/// How long an event is kept: longer than a webhook that does not answer is tried.
const EVENT_RETENTION: SignedDuration = SignedDuration::from_hours(7 * 24);

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = webhooks)]
struct WebhookRow {
    id: String,
    account: String,
    url: String,
    secret: String,
    events: String,
    created_at: DateTime,
}

impl WebhookRow {
    fn read(self) -> Result<Webhook, Error> {
        let corrupt = |what: &str| Error::Corrupt(format!("the {what} of webhook {}", self.id));
        Ok(Webhook {
            id: self.id.parse().map_err(|_| corrupt("id"))?,
            events: serde_json::from_str(&self.events).map_err(|_| corrupt("events"))?,
            created_at: read(self.created_at).ok_or_else(|| corrupt("time"))?,
            account: self.account,
            url: self.url,
            secret: self.secret,
        })
    }
}

impl From<&Webhook> for WebhookRow {
    fn from(webhook: &Webhook) -> WebhookRow {
        WebhookRow {
            id: webhook.id.to_string(),
            account: webhook.account.clone(),
            url: webhook.url.clone(),
            secret: webhook.secret.clone(),
            events: json!(webhook.events).to_string(),
            created_at: stored(webhook.created_at),
        }
    }
}

impl Store {
    /// Registers a webhook of a person, and saves the response under the caller's key.
    ///
    /// # Errors
    /// 404 for a person who was deleted meanwhile; 422 for an account that has the most webhooks.
    pub async fn create_webhook(
        &self,
        person: &Person,
        webhook: &Webhook,
        key: Option<&IdempotencyKey>,
        response: StoredResponse,
    ) -> Result<StoredResponse, Problem> {
        let work = async |conn: &mut Connection| {
            lock_subjects(conn, std::slice::from_ref(person)).await?;
            let mine = webhooks::table.filter(webhooks::account.eq(&webhook.account));
            if mine.count().get_result::<i64>(conn).await? >= MAX_WEBHOOKS {
                return Err(Abort::Rejected(limit_reached()));
            }
            diesel::insert_into(webhooks::table).values(WebhookRow::from(webhook)).execute(conn).await?;
            Ok(())
        };
        self.owner.write_once(key, response, work).await
    }

    /// The webhooks of an account, the oldest first.
    pub async fn webhooks(&self, account: &str) -> Result<Vec<Webhook>, Error> {
        let mine = webhooks::table.filter(webhooks::account.eq(account)).order(webhooks::id.asc());
        let rows: Vec<WebhookRow> = self.owner.db.fetch_all(mine.select(columns::<WebhookRow>())).await?;
        rows.into_iter().map(WebhookRow::read).collect()
    }

    /// Deletes a webhook of an account; `false` for an unknown id.
    pub async fn delete_webhook(&self, account: &str, id: Uuid) -> Result<bool, Error> {
        transact!(self.owner.db, |conn| {
            let mine = webhooks::table.filter(webhooks::account.eq(account)).filter(webhooks::id.eq(id.to_string()));
            let found: Vec<String> = mine.select(webhooks::id).load(conn).await?;
            erase_webhooks(conn, &found).await?;
            Ok::<bool, Error>(!found.is_empty())
        })
    }

    /// Erases the events that no webhook is told any more.
    pub async fn purge_webhook_events(&self) -> Result<(), Error> {
        let old = stored(now().saturating_sub(EVENT_RETENTION).unwrap_or_default());
        self.owner.db.run(diesel::delete(webhook_events::table.filter(webhook_events::created_at.lt(old)))).await?;
        Ok(())
    }
}

/// Writes down what a change of a meeting tells the webhooks of its people, and creates the jobs that deliver it.
pub async fn save_events(
    conn: &mut Connection,
    store: &Store,
    before: Option<&Meeting>,
    meeting: &Meeting,
) -> Result<(), Error> {
    let emails = meeting.emails().into_iter().chain(before.map(Meeting::emails).unwrap_or_default());
    let mut emails: Vec<_> = emails.collect();
    emails.sort();
    emails.dedup();
    let registered = webhooks::table
        .inner_join(subjects::table.on(subjects::id.eq(webhooks::account)))
        .filter(subjects::email.eq_any(emails.iter().map(|email| email.as_str())))
        .order(webhooks::id.asc());
    let found: Vec<WebhookRow> = registered.select(columns::<WebhookRow>()).load(conn).await?;
    if found.is_empty() {
        return Ok(());
    }
    let people = find_subjects(conn, &emails).await?;
    let found = found.into_iter().map(WebhookRow::read).collect::<Result<Vec<Webhook>, Error>>()?;
    for event in events_of(before, meeting) {
        let accounts = event.recipients.iter().filter_map(|email| people.get(email.as_str()));
        let accounts: Vec<&str> = accounts.map(|subject| subject.id.as_str()).collect();
        let receives = |one: &&Webhook| accounts.contains(&one.account.as_str()) && one.receives(event.kind);
        let mut receivers = found.iter().filter(receives).peekable();
        if receivers.peek().is_none() {
            continue;
        }
        let id = Uuid::now_v7();
        let row = (
            webhook_events::id.eq(id.to_string()),
            webhook_events::meeting_id.eq(meeting.id.to_string()),
            webhook_events::body.eq(event.body.to_string()),
            webhook_events::created_at.eq(stored(now())),
        );
        diesel::insert_into(webhook_events::table).values(row).execute(conn).await?;
        for webhook in receivers {
            create_job(conn, &store.owner, &kinds::deliver_event(id), webhook.id, &meeting.case_id).await?;
        }
    }
    Ok(())
}

/// One webhook.
pub async fn find_webhook(conn: &mut Connection, id: Uuid) -> Result<Option<Webhook>, Error> {
    let row = webhooks::table.filter(webhooks::id.eq(id.to_string())).select(columns::<WebhookRow>());
    row.first::<WebhookRow>(conn).await.optional()?.map(WebhookRow::read).transpose()
}

/// What an event tells; none for one that was erased.
pub async fn find_event_body(conn: &mut Connection, id: Uuid) -> Result<Option<String>, Error> {
    let body = webhook_events::table.filter(webhook_events::id.eq(id.to_string())).select(webhook_events::body);
    Ok(body.first(conn).await.optional()?)
}

/// Erases the webhooks that an account has registered by then.
pub async fn erase_account_webhooks(conn: &mut Connection, account: &str, until: Timestamp) -> Result<(), Error> {
    let mine = webhooks::table.filter(webhooks::account.eq(account)).filter(webhooks::created_at.le(stored(until)));
    let mine = mine.select(webhooks::id);
    let found: Vec<String> = mine.load(conn).await?;
    erase_webhooks(conn, &found).await
}

/// Erases webhooks, what waits for them, and what was sent to them.
async fn erase_webhooks(conn: &mut Connection, ids: &[String]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    diesel::delete(webhooks::table.filter(webhooks::id.eq_any(ids))).execute(conn).await?;
    let open = jobs::table.filter(jobs::subject.eq_any(ids)).filter(jobs::state.eq_any(OPEN));
    let over = (jobs::state.eq(JobState::Cancelled.name()), jobs::due_at.eq(None::<DateTime>));
    diesel::update(open).set(over).execute(conn).await?;
    let all: Vec<String> = jobs::table.filter(jobs::subject.eq_any(ids)).select(jobs::id).load(conn).await?;
    scrub_jobs(conn, &all).await?;
    diesel::delete(deliveries::table.filter(deliveries::subject.eq_any(ids))).execute(conn).await?;
    // the saved response holds the secret
    diesel::delete(idempotency::table.filter(idempotency::subject.eq_any(ids))).execute(conn).await?;
    Ok(())
}

/// Rewrites the bodies of the events of a meeting, which webhooks are still to be told.
pub async fn rewrite_event_bodies(
    conn: &mut Connection,
    meeting: &str,
    rewrite: impl Fn(&str) -> String,
) -> Result<(), Error> {
    let mine = webhook_events::table.filter(webhook_events::meeting_id.eq(meeting));
    let found: Vec<(String, String)> = mine.select((webhook_events::id, webhook_events::body)).load(conn).await?;
    for (id, body) in found {
        let one = webhook_events::table.filter(webhook_events::id.eq(&id));
        diesel::update(one).set(webhook_events::body.eq(rewrite(&body))).execute(conn).await?;
    }
    Ok(())
}

/// Erases what webhooks were told of a meeting.
pub async fn delete_events(conn: &mut Connection, meeting: &str) -> Result<(), Error> {
    diesel::delete(webhook_events::table.filter(webhook_events::meeting_id.eq(meeting))).execute(conn).await?;
    Ok(())
}
