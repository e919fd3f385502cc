//! The kinds of jobs of this role, and what they are created with.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::platform::email::Email;
use crate::platform::jobs::backoff::Backoff;
use crate::platform::jobs::model::Retention;
use crate::platform::jobs::{JobKind, NewJob};
use crate::roles::reservation::api::jobs::{CancelCause, Notice, RequestedTime};
use crate::roles::reservation::meetings::model::Meeting;

/// Finds the time of a meeting.
pub const SCHEDULE_MEETING: JobKind = JobKind::new("schedule_meeting");
/// Mails invitations or cancellations of a meeting.
pub const SEND_INVITATIONS: JobKind = JobKind { redact_on_success: true, ..JobKind::new("send_invitations") };
/// Mails a notice to the organizer.
pub const SEND_NOTICE: JobKind = JobKind::new("send_notice");
/// Reports a meeting to its callback URL. An administrator may deliver it once more, under its id.
pub const DELIVER_WEBHOOK: JobKind =
    JobKind { backoff: Backoff::Webhook, replayable: true, ..JobKind::new("deliver_webhook") };

/// Sends an event to a webhook of an account. There may be many.
pub const DELIVER_EVENT: JobKind = JobKind {
    backoff: Backoff::Webhook,
    replayable: true,
    retention: Retention::DayAfterSuccess,
    ..JobKind::new("deliver_event")
};

/// All of them.
pub const ALL: &[JobKind] = &[SCHEDULE_MEETING, SEND_INVITATIONS, SEND_NOTICE, DELIVER_WEBHOOK, DELIVER_EVENT];

/// The payload of [`SEND_INVITATIONS`]: the revision to mail, and its recipients. A later change of the meeting does not reach into it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Invitation {
    pub cancel: bool,
    #[serde(default)]
    pub cause: CancelCause,
    pub sequence: i64,
    pub meeting: Meeting,
    /// The recipients that no mail has reached yet.
    pub recipients: Vec<Email>,
    /// Those of them whom no earlier mail has told of the meeting.
    #[serde(default)]
    pub new: Vec<Email>,
}

/// The payload of [`DELIVER_WEBHOOK`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Callback {
    pub url: String,
    pub secret: String,
    pub body: String,
}

/// A search for the time of a meeting.
pub fn schedule() -> NewJob {
    NewJob { supersedable: true, ..NewJob::new(&SCHEDULE_MEETING, json!({})) }
}

/// The mails of an invitation. A cancellation must reach its recipients whatever happens next.
pub fn invite(invitation: &Invitation, due_at: Option<Timestamp>) -> NewJob {
    NewJob { supersedable: !invitation.cancel, due_at, ..NewJob::new(&SEND_INVITATIONS, json!(invitation)) }
}

/// The payload of [`SEND_NOTICE`]. The notice tells the meeting as it is when the notice is sent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoticeAbout {
    pub about: Notice,
    /// When the meeting was to be, if there is no time for it. A meeting that stands at another time does not tell any more.
    #[serde(default)]
    pub requested: Option<RequestedTime>,
}

/// A notice to the organizer.
pub fn notify_organizer(notice: NoticeAbout, due_at: Option<Timestamp>) -> NewJob {
    NewJob { due_at, ..NewJob::new(&SEND_NOTICE, json!(notice)) }
}

/// A report of the state of a meeting, if its organizer asked for one.
pub fn webhook(meeting: &Meeting) -> Option<NewJob> {
    let callback = meeting.callback.as_ref()?;
    let r#type = format!("meeting.{}", meeting.status.name());
    let body = json!({ "type": r#type, "timestamp": meeting.updated_at, "data": meeting.view() }).to_string();
    let payload = Callback { url: callback.url.clone(), secret: callback.secret.clone(), body };
    Some(NewJob::new(&DELIVER_WEBHOOK, json!(payload)))
}

/// The payload of [`DELIVER_EVENT`], whose subject is the webhook.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct EventDelivery {
    pub event: Uuid,
}

/// The delivery of an event.
pub fn deliver_event(event: Uuid) -> NewJob {
    NewJob::new(&DELIVER_EVENT, json!(EventDelivery { event }))
}
