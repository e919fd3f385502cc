//! All that this role keeps of an account, for its owner: members of one JSON object.

use actix_web::HttpResponse;
use diesel::prelude::*;
use jiff_diesel::DateTime;
use serde_json::{Value, json};

use super::handlers::{Cached, find};
use super::model::User;
use crate::calendar::Format;
use crate::platform::auth::Caller;
use crate::platform::data::Error;
use crate::platform::data::instant::{now, read};
use crate::platform::email::Email;
use crate::platform::http::HttpResult;
use crate::platform::http::json_members::{JsonLists, stream_members};
use crate::platform::jobs::rows::DeliveryRow;
use crate::platform::jobs::store::list_deliveries;
use crate::platform::outbound::mask_credentials;
use crate::roles::user::schema::{calendars, codes, sessions};
use crate::roles::user::store::Store;

/// `GET /internal/export`
pub async fn export(caller: Caller, users: Cached) -> HttpResult {
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
    let delegations = store.delegations(&caller.id).await?;
    let sessions = sessions::table.filter(sessions::user_id.eq(&caller.id));
    let sessions = sessions.select((sessions::created_at, sessions::expires_at));
    let sessions: Vec<(DateTime, DateTime)> = store.owner.db.fetch_all(sessions).await?;
    let session = |(begin, end)| json!({ "created_at": read(begin), "expires_at": read(end) });
    let mails = codes::table.filter(codes::email.eq(caller.email.as_str())).order(codes::id.asc());
    let mails = mails.select((codes::purpose, codes::created_at, codes::expires_at, codes::used_at));
    let mails: Vec<(String, DateTime, DateTime, Option<DateTime>)> = store.owner.db.fetch_all(mails).await?;
    let mail = |(purpose, begin, end, used): (String, DateTime, DateTime, Option<DateTime>)| {
        json!({
            "purpose": purpose, "created_at": read(begin), "expires_at": read(end), "used_at": used.and_then(read),
        })
    };
    Ok(json!({
        "exported_at": now(),
        "user": user.public(Format::default()),
        "account": account,
        "keys": keys,
        "delegations": delegations,
        "sessions": sessions.into_iter().map(session).collect::<Vec<_>>(),
        "letters": mails.into_iter().map(mail).collect::<Vec<_>>(),
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
        if name == "calendars" {
            // one of them may have megabytes
            let next = calendars::table.filter(calendars::email.eq(self.email.as_str()));
            let next = next.filter(calendars::id.gt(after)).order(calendars::id.asc());
            let shown = (calendars::id, calendars::name, calendars::kind, calendars::url, calendars::content);
            let row: Option<(String, String, String, String, String)> =
                self.store.owner.db.fetch_optional(next.select(shown)).await?;
            let shown = |(id, name, kind, url, content): (String, String, String, String, String)| {
                (id, json!({ "name": name, "kind": kind, "url": mask_credentials(&url), "content": content }))
            };
            return Ok(row.into_iter().map(shown).collect());
        }
        let shown = |row: DeliveryRow| {
            let at = read(row.created_at);
            (row.id, json!({ "kind": row.kind, "outcome": row.outcome, "detail": row.detail, "at": at }))
        };
        let found = list_deliveries(&self.store.owner, self.email.as_str(), after).await?;
        Ok(found.into_iter().map(shown).collect())
    }
}
