//! All that this role keeps of an account, for its owner: members of one JSON object.

use actix_web::HttpResponse;
use diesel::prelude::*;
use jiff_diesel::DateTime;
use serde_json::{Value, json};

use super::handlers::{Answer, Cached, find};
use super::model::User;
use crate::calendar::Format;
use crate::platform::auth::Caller;
use crate::platform::data::instant::{now, read};
use crate::platform::data::schema::deliveries;
use crate::platform::data::{Error, RunQueryDsl, columns};
use crate::platform::email::Email;
use crate::platform::http::json_members::{JsonLists, stream_members};
use crate::platform::jobs::rows::DeliveryRow;
use crate::read;
use crate::roles::user::api_keys::model::ApiKey;
use crate::roles::user::auth::handlers::account_json;
use crate::roles::user::schema::{calendars, codes, sessions};
use crate::roles::user::store::Store;

/// Items in one page.
const PAGE: i64 = 100;

/// `GET /internal/export`
pub async fn export(caller: Caller, users: Cached) -> Answer {
    let store = users.source().store.clone();
    let user = find(&users, &caller.email).await?;
    let head = head(&store, &caller, &user).await?;
    let lists = Lists { store, email: caller.email };
    Ok(HttpResponse::Ok().streaming(Box::pin(stream_members(&head, lists))))
}

/// The small members; the lists follow.
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
    let mail = |(purpose, begin, end, used): (String, DateTime, DateTime, Option<DateTime>)| json!({ "purpose": purpose, "created_at": read(begin), "expires_at": read(end), "used_at": used.and_then(read) });
    Ok(json!({
        "exported_at": now(),
        "user": user.public(Format::default()),
        "account": account.as_ref().map(account_json),
        "keys": keys.iter().map(ApiKey::public).collect::<Vec<_>>(),
        "sessions": open.into_iter().map(session).collect::<Vec<_>>(),
        "letters": sent.into_iter().map(mail).collect::<Vec<_>>(),
    }))
}

/// The lists of one account.
struct Lists {
    store: Store,
    email: Email,
}

impl JsonLists for Lists {
    type Error = Error;
    const NAMES: &'static [&'static str] = &["calendars", "account_deliveries"];

    async fn page(&self, name: &str, after: &str) -> Result<Vec<(String, Value)>, Error> {
        let (db, email) = (&self.store.owner.db, self.email.as_str());
        if name == "calendars" {
            // one of them may have megabytes
            let row: Option<(String, String, String, String, String)> = read!(db, |conn| async {
                let mine = calendars::table.filter(calendars::email.eq(email)).filter(calendars::id.gt(after));
                let shown = (calendars::id, calendars::name, calendars::kind, calendars::url, calendars::content);
                mine.order(calendars::id.asc()).select(shown).first(conn).await.optional()
            })?;
            let shown = |(id, name, kind, url, content): (String, String, String, String, String)| {
                (id, json!({ "name": name, "kind": kind, "url": url, "content": content }))
            };
            return Ok(row.into_iter().map(shown).collect());
        }
        let rows: Vec<DeliveryRow> = read!(db, |conn| deliveries::table
            .filter(deliveries::target.eq(email))
            .filter(deliveries::id.gt(after))
            .order(deliveries::id.asc())
            .limit(PAGE)
            .select(columns::<DeliveryRow>())
            .load(conn))?;
        let shown = |row: DeliveryRow| {
            let at = read(row.created_at);
            (row.id, json!({ "kind": row.kind, "outcome": row.outcome, "detail": row.detail, "at": at }))
        };
        Ok(rows.into_iter().map(shown).collect())
    }
}
