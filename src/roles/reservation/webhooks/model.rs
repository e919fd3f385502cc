//! A webhook of an account, and the request for a new one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::calendar::Fault;
use crate::platform::http::extract::{Params, parsed};
use crate::platform::http::problem::Problem;
use crate::platform::outbound::{Secret, SsrfGuard};
use crate::roles::reservation::api::meetings::{Participation, Status};

/// The most webhooks of one account.
pub const MAX_WEBHOOKS: i64 = 10;

/// What a webhook is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WebhookEvent)]
pub enum EventType {
    /// A search begins soon. For the organizer.
    #[serde(rename = "meeting.queued")]
    Queued,
    /// A worker searches a time. For the organizer.
    #[serde(rename = "meeting.running")]
    Running,
    /// A time was found, and is held.
    #[serde(rename = "meeting.suggested")]
    Suggested,
    /// The invitations are sent.
    #[serde(rename = "meeting.invited")]
    Invited,
    /// There is no time.
    #[serde(rename = "meeting.no_common_time")]
    NoCommonTime,
    /// The meeting could not be arranged.
    #[serde(rename = "meeting.failed")]
    Failed,
    /// The meeting is cancelled.
    #[serde(rename = "meeting.cancelled")]
    Cancelled,
    /// Something else of the meeting has changed: the title, the place, the attendees.
    #[serde(rename = "meeting.updated")]
    Updated,
    /// An attendee has accepted. For the organizer and this attendee.
    #[serde(rename = "participation.accepted")]
    Accepted,
    /// An attendee may come. For the organizer and this attendee.
    #[serde(rename = "participation.tentative")]
    Tentative,
    /// An attendee has declined. For the organizer and this attendee.
    #[serde(rename = "participation.declined")]
    Declined,
    /// The account was taken out of the meeting. For the account alone.
    #[serde(rename = "participation.removed")]
    Removed,
}

impl EventType {
    /// A meeting is in this state now.
    pub fn of_status(status: Status) -> EventType {
        match status {
            Status::Queued => EventType::Queued,
            Status::Running => EventType::Running,
            Status::Suggested => EventType::Suggested,
            Status::Invited => EventType::Invited,
            Status::NoCommonTime => EventType::NoCommonTime,
            Status::Failed => EventType::Failed,
            Status::Cancelled => EventType::Cancelled,
        }
    }

    /// An attendee has replied; none for an attendee who is asked again.
    pub fn from_reply(reply: Participation) -> Option<EventType> {
        match reply {
            Participation::NeedsAction => None,
            Participation::Accepted => Some(EventType::Accepted),
            Participation::Tentative => Some(EventType::Tentative),
            Participation::Declined => Some(EventType::Declined),
        }
    }
}

/// A webhook as it is stored.
#[derive(Clone, Debug)]
pub struct Webhook {
    pub id: Uuid,
    /// The id of the user.
    pub account: String,
    pub url: String,
    pub secret: String,
    /// Empty for all.
    pub events: Vec<EventType>,
    pub created_at: Timestamp,
}

impl Webhook {
    /// Whether this kind of event is sent to it.
    pub fn receives(&self, event: EventType) -> bool {
        self.events.is_empty() || self.events.contains(&event)
    }

    /// What its account reads of it.
    pub fn view(&self) -> WebhookView<'_> {
        WebhookView { id: self.id, url: &self.url, events: &self.events, created_at: self.created_at }
    }
}

/// A webhook, as its account reads it.
#[derive(Serialize, ToSchema)]
#[schema(as = Webhook)]
pub struct WebhookView<'a> {
    /// The id.
    pub id: Uuid,
    /// The URL that is told.
    pub url: &'a str,
    /// The events that are sent; an empty list for all of them.
    pub events: &'a [EventType],
    /// When it was registered.
    pub created_at: Timestamp,
}

/// A new webhook with its secret, which is shown only once.
#[derive(Serialize, ToSchema)]
#[schema(as = CreatedWebhook)]
pub struct CreatedWebhook<'a> {
    /// The webhook.
    #[serde(flatten)]
    pub webhook: WebhookView<'a>,
    /// The secret that signs the events. No other response contains it.
    pub secret: &'a str,
}

/// The webhooks of an account, the oldest first.
#[derive(Serialize, ToSchema)]
pub struct Webhooks<'a> {
    /// The webhooks.
    pub webhooks: Vec<WebhookView<'a>>,
}

/// A webhook to register.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// The URL that is told: `https:`, on the public internet.
    #[schema(format = "https-url", max_length = 2048)]
    pub url: String,
    /// The secret that signs the events: `whsec_` and the base64 of 24 to 64 bytes. The default is a new one.
    #[schema(value_type = Option<String>, format = "webhook-secret")]
    pub secret: String,
    /// The events to send. The default is all.
    #[schema(value_type = Option<Vec<EventType>>, min_items = 1)]
    pub events: Vec<EventType>,
}

impl NewWebhook {
    /// Reads the body of a `POST`.
    pub fn read(body: Value, guard: &SsrfGuard) -> Result<NewWebhook, Problem> {
        let mut fields = Params::of_body(body)?;
        let callback = |text: &str| guard.parse(text).map(|url| url.as_str().to_owned());
        let url = fields.required("url", parsed("not_a_callback", callback));
        let given = |text: &str| Secret::parse(text).map(|secret| secret.expose());
        let secret = fields.optional("secret", parsed("not_a_secret", given));
        let events = fields.optional("events", read_events).unwrap_or_default();
        let url = fields.finish(url)?;
        Ok(NewWebhook { url, secret: secret.unwrap_or_else(|| Secret::generate().expose()), events })
    }
}

fn read_events(value: &Value) -> Result<Vec<EventType>, Vec<Fault>> {
    let given = value.as_array().filter(|list| !list.is_empty());
    let given = given
        .ok_or_else(|| vec![Fault::new("", "not_a_list", "must be a list of events, or left out for all events")])?;
    let (mut events, mut faults) = (Vec::new(), Vec::new());
    for (at, value) in given.iter().enumerate() {
        match EventType::deserialize(value) {
            Ok(event) if events.contains(&event) => {}
            Ok(event) => events.push(event),
            Err(_) => {
                let detail = "is no event of a webhook: GET /openapi.json lists them as WebhookEvent";
                faults.push(Fault::new(format!("/{at}"), "not_an_event", detail));
            }
        }
    }
    if faults.is_empty() { Ok(events) } else { Err(faults) }
}

/// The problem of an account that has the most webhooks.
pub fn limit_reached() -> Problem {
    let detail = format!("an account has at most {MAX_WEBHOOKS} webhooks: delete one that is no longer used");
    Problem::validation(vec![Fault::new("#", "too_many", detail)])
}
