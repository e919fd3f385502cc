//! All that this role keeps of an account, for its owner: members of one JSON object.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Value, json};

use super::meetings::access::is_verified;
use super::meetings::model::Meeting;
use super::meetings::store::MeetingFilter;
use super::store::Store;
use crate::platform::auth::Caller;
use crate::platform::data::Error;
use crate::platform::data::instant::read;
use crate::platform::email::Email;
use crate::platform::http::json_members::{JsonLists, stream_members};
use crate::platform::http::problem::Problem;
use crate::platform::jobs::rows::DeliveryRow;
use crate::platform::jobs::store::list_deliveries;

/// Items in one page.
const PAGE: i64 = 100;

/// `GET /internal/export`
pub async fn export(caller: Caller, store: Data<Store>) -> Result<HttpResponse, Problem> {
    let is_verified = is_verified(&caller, &store.auth);
    let lists = Lists { store: store.get_ref().clone(), email: caller.email, id: caller.id, is_verified };
    Ok(HttpResponse::Ok().streaming(Box::pin(stream_members(&json!({}), lists))))
}

/// The lists of one account.
struct Lists {
    store: Store,
    email: Email,
    id: String,
    /// Without it, invitations to the address are not the account's.
    is_verified: bool,
}

impl JsonLists for Lists {
    type Error = Error;
    const NAMES: &'static [&'static str] = &["meetings", "deliveries", "webhooks"];

    async fn page(&self, name: &str, after: &str) -> Result<Vec<(String, Value)>, Error> {
        if !self.is_verified {
            return Ok(Vec::new());
        }
        if name == "meetings" {
            let mine = MeetingFilter { attendee: Some(self.email.clone()), ..MeetingFilter::default() };
            let found = self.store.meetings(&mine, after, PAGE).await?;
            let shown = |meeting: &Meeting| json!(meeting.shown(meeting.organizer == self.email));
            return Ok(found.iter().map(|meeting| (meeting.id.to_string(), shown(meeting))).collect());
        }
        if name == "webhooks" {
            let found = self.store.webhooks(&self.id).await?.into_iter().filter(|one| *one.id.to_string() > *after);
            return Ok(found.map(|webhook| (webhook.id.to_string(), json!(webhook.view()))).collect());
        }
        let rows = list_deliveries(&self.store.owner, self.email.as_str(), after).await?;
        let shown = |row: DeliveryRow| {
            let at = read(row.created_at);
            let shown = json!({
                "kind": row.kind, "meeting_id": row.subject, "outcome": row.outcome, "detail": row.detail, "at": at,
            });
            (row.id, shown)
        };
        Ok(rows.into_iter().map(shown).collect())
    }
}
