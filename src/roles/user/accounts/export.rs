//! All that is kept of an account, for its owner: one JSON document, written as it is read. No more than one calendar, or one
//! page of meetings, is in memory at a time.

use crate::platform::data::{RunQueryDsl, columns};
use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use bytes::Bytes;
use diesel::prelude::*;
use futures_util::stream::try_unfold;
use jiff_diesel::DateTime;
use serde_json::{Value, json};

use super::handlers::{Answer, Cached, find};
use super::model::User;
use crate::calendar::Format;
use crate::platform::auth::Caller;
use crate::platform::data::Error;
use crate::platform::data::instant::{now, read};
use crate::platform::data::schema::deliveries;
use crate::platform::jobs::rows::DeliveryRow;
use crate::read;
use crate::roles::user::api_keys::model::ApiKey;
use crate::roles::user::auth::handlers::account_json;
use crate::roles::user::jobs::kinds::is_for_meeting;
use crate::roles::user::meetings::model::Meeting;
use crate::roles::user::meetings::store::Page;
use crate::roles::user::schema::{calendars, codes, sessions};
use crate::roles::user::store::Store;

/// Things in one go.
const PAGE: i64 = 100;

/// `GET /auth/export`
pub async fn export(caller: Caller, users: Cached) -> Answer {
    let store = users.source().store.clone();
    let user = find(&users, &caller.email).await?;
    let head = head(&store, &caller, &user).await.map_err(|why| store.owner.read_problem(&why))?.to_string();
    // the lists are further members of the same object
    let said = head.strip_suffix('}').unwrap_or(&head).to_owned();
    let begin = Writing { store, user, said, at: 0, after: String::new() };
    let body = try_unfold(begin, |writing| async move { writing.go_on().await });
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"w2meet.json\""))
        .streaming(body))
}

/// What is small; the rest follows in lists.
async fn head(store: &Store, caller: &Caller, user: &User) -> Result<Value, Error> {
    let account = store.account(&caller.email).await?;
    let keys = store.api_keys(&caller.id).await?;
    let id = &caller.id;
    let open: Vec<(DateTime, DateTime)> = read!(store.owner.db, |conn| sessions::table
        .filter(sessions::user_id.eq(id))
        .select((sessions::created_at, sessions::expires_at))
        .load(conn))?;
    let session = |(begin, end): (DateTime, DateTime)| json!({ "created_at": read(begin), "expires_at": read(end) });
    let sent: Vec<(String, DateTime, DateTime, Option<DateTime>)> = read!(store.owner.db, |conn| codes::table
        .filter(codes::email.eq(caller.email.as_str()))
        .order(codes::id.asc())
        .select((codes::purpose, codes::created_at, codes::expires_at, codes::used_at))
        .load(conn))?;
    let letter = |(purpose, begin, end, used): (String, DateTime, DateTime, Option<DateTime>)| json!({ "purpose": purpose, "created_at": read(begin), "expires_at": read(end), "used_at": used.and_then(read) });
    Ok(json!({
        "exported_at": now(),
        "user": user.public(Format::default()),
        "account": account.as_ref().map(account_json),
        "keys": keys.iter().map(ApiKey::public).collect::<Vec<_>>(),
        "sessions": open.into_iter().map(session).collect::<Vec<_>>(),
        "letters": sent.into_iter().map(letter).collect::<Vec<_>>(),
    }))
}

/// The lists, in the order in which they are written.
#[derive(Clone, Copy)]
enum List {
    Calendars,
    Meetings,
    Deliveries,
}

impl List {
    const ALL: [List; 3] = [List::Calendars, List::Meetings, List::Deliveries];

    const fn name(self) -> &'static str {
        match self {
            List::Calendars => "calendars",
            List::Meetings => "meetings",
            List::Deliveries => "deliveries",
        }
    }
}

/// How far the document has been written.
struct Writing {
    store: Store,
    user: User,
    /// What is written next, before any list.
    said: String,
    /// Which list is under way.
    at: usize,
    /// The id of its last item; empty before the first one.
    after: String,
}

impl Writing {
    /// The next piece of the document.
    async fn go_on(mut self) -> Result<Option<(Bytes, Writing)>, Error> {
        if !self.said.is_empty() {
            return Ok(Some((std::mem::take(&mut self.said).into(), self)));
        }
        let Some(list) = List::ALL.get(self.at) else { return Ok(None) };
        let items = self.page(*list).await?;
        let mut text = if self.after.is_empty() { format!(",\"{}\":[", list.name()) } else { String::new() };
        for (id, item) in &items {
            text.push_str(if self.after.is_empty() { "" } else { "," });
            text.push_str(&item.to_string());
            self.after.clone_from(id);
        }
        if items.is_empty() {
            (self.at, self.after) = (self.at + 1, String::new());
            text.push_str(if self.at == List::ALL.len() { "]}" } else { "]" });
        }
        Ok(Some((text.into(), self)))
    }

    /// Some items after the last one, each with its id.
    async fn page(&self, list: List) -> Result<Vec<(String, Value)>, Error> {
        let (db, email, after) = (&self.store.owner.db, self.user.email.as_str(), self.after.as_str());
        match list {
            List::Calendars => {
                // one of them may have megabytes
                let row: Option<(String, String, String, String, String)> = read!(db, |conn| async {
                    let mine = calendars::table.filter(calendars::email.eq(email)).filter(calendars::id.gt(after));
                    let shown = (calendars::id, calendars::name, calendars::kind, calendars::url, calendars::content);
                    mine.order(calendars::id.asc()).select(shown).first(conn).await.optional()
                })?;
                let shown = |(id, name, kind, url, content): (String, String, String, String, String)| {
                    (id, json!({ "name": name, "kind": kind, "url": url, "content": content }))
                };
                Ok(row.into_iter().map(shown).collect())
            }
            List::Meetings => {
                let page = Page { attendee: Some(self.user.email.clone()), after: after.to_owned(), limit: PAGE };
                let found = self.store.meetings(&page).await?;
                let shown = |meeting: &Meeting| meeting.shown(meeting.organizer == self.user.email);
                Ok(found.iter().map(|meeting| (meeting.id.to_string(), shown(meeting))).collect())
            }
            List::Deliveries => {
                let rows: Vec<DeliveryRow> = read!(db, |conn| deliveries::table
                    .filter(deliveries::target.eq(email))
                    .filter(deliveries::id.gt(after))
                    .order(deliveries::id.asc())
                    .limit(PAGE)
                    .select(columns::<DeliveryRow>())
                    .load(conn))?;
                let shown = |row: DeliveryRow| {
                    let (at, meeting) = (read(row.created_at), is_for_meeting(&row.kind).then_some(&row.subject));
                    let shown = json!({
                        "kind": row.kind, "meeting_id": meeting, "outcome": row.outcome, "detail": row.detail, "at": at,
                    });
                    (row.id.clone(), shown)
                };
                Ok(rows.into_iter().map(shown).collect())
            }
        }
    }
}
