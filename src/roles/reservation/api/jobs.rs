//! What jobs of this role carry: the input of the worker's handlers, and their results.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::meetings::Period;
use crate::calendar::{CalAddress, EventDetails, Invitee, Preference, Zone};
use crate::platform::email::Email;
use crate::platform::http::window::Window;

/// The kinds of jobs, each with its input.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JobPayload {
    /// Find a time for a meeting.
    ScheduleMeeting(ScheduleRequest),
    /// Mail invitations or cancellations to attendees.
    SendInvitations(InvitationMail),
    /// Mail a notice to the organizer.
    SendNotice(NoticeMail),
    /// Report a meeting to the client's callback URL.
    DeliverWebhook(Webhook),
    /// A kind that this release does not know.
    Other,
}

/// A search for the time of a meeting.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScheduleRequest {
    /// The organizer.
    pub organizer: Email,
    /// The required attendees.
    pub required: Vec<Email>,
    /// The optional attendees.
    pub optional: Vec<Email>,
    /// The zone of the dates.
    pub time_zone: Zone,
    /// The dates that are searched.
    pub window: Window,
    /// The meeting starts at this instant or later.
    pub not_before: Timestamp,
    /// The length of the meeting.
    pub duration_minutes: u32,
    /// Which slot to pick; the attendees' preferences decide if it is absent.
    pub pick: Option<Preference>,
    /// The seed of random picks.
    pub seed: Option<u64>,
    /// The meeting starts on a multiple of these minutes.
    pub step_minutes: u32,
    /// The requested time; if it is there, nothing is searched.
    pub fixed: Option<Period>,
    /// The meeting. The time that it holds itself is free for it.
    pub meeting: Uuid,
    /// The time that the meeting has and keeps, if it suits the newcomers.
    pub standing: Option<StandingTime>,
}

/// The time of a meeting that gets more attendees.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StandingTime {
    /// The time.
    pub period: Period,
    /// The required attendees who were not asked for it yet.
    pub newcomers: Vec<Email>,
}

/// Why recipients get a cancellation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelCause {
    /// The organizer has cancelled the meeting.
    #[default]
    Cancelled,
    /// The organizer has removed the recipients from the attendees.
    Removed,
    /// The meeting cannot be without a person whose account was deleted.
    AccountDeleted,
}

/// An invitation, or a cancellation, and its recipients.
#[derive(Debug, Serialize, Deserialize)]
pub struct InvitationMail {
    /// Whether it is a cancellation.
    pub cancel: bool,
    /// Why it is a cancellation, if it is one.
    #[serde(default)]
    pub cause: CancelCause,
    /// The end of the UID in calendars.
    pub uid_domain: String,
    /// The revision, which grows with every change that is mailed (RFC 5545, SEQUENCE).
    pub sequence: i64,
    /// The instant of this revision.
    pub stamp: Timestamp,
    /// The title of the meeting.
    pub title: String,
    /// The place, the description, and the video conference.
    pub details: EventDetails,
    /// The time of the meeting.
    pub period: Period,
    /// The organizer.
    pub organizer: CalAddress,
    /// The organizer's time zone.
    pub organizer_time_zone: Zone,
    /// All attendees.
    pub attendees: Vec<Invitee>,
    /// The recipients of this job that no mail has reached yet.
    pub recipients: Vec<Recipient>,
}

/// One recipient of an invitation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Recipient {
    /// The user.
    pub email: Email,
    /// The name, and the address as typed.
    pub person: CalAddress,
    /// The recipient's time zone.
    pub time_zone: Zone,
    /// The public path, with query, of the page that takes the recipient's answer.
    pub answer_path: String,
    /// Whether no earlier mail has told the recipient of the meeting.
    #[serde(default)]
    pub is_new: bool,
}

/// What an organizer hears of a meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// Attendees have declined.
    Declined,
    /// There is no common time.
    NoCommonTime,
    /// The meeting could not be arranged.
    Failed,
}

impl Notice {
    /// The name, as JSON has it.
    pub const fn name(self) -> &'static str {
        match self {
            Notice::Declined => "declined",
            Notice::NoCommonTime => "no_common_time",
            Notice::Failed => "failed",
        }
    }
}

/// When a meeting was to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestedTime {
    /// At this time.
    Fixed(Period),
    /// On the dates from this midnight to that one.
    Dates(Period),
}

/// A notice to the organizer.
#[derive(Debug, Serialize, Deserialize)]
pub struct NoticeMail {
    /// What it is about.
    pub about: Notice,
    /// The version of the meeting.
    pub version: i64,
    /// The instant of this version.
    pub stamp: Timestamp,
    /// The title of the meeting.
    pub title: String,
    /// The time of the meeting, if it has one.
    pub period: Option<Period>,
    /// The dates or the time that were requested, if there is no common time.
    #[serde(default)]
    pub requested: Option<RequestedTime>,
    /// Why there is no time.
    pub reason: Option<String>,
    /// The attendees who have declined.
    pub declined: Vec<CalAddress>,
    /// The organizer.
    pub recipient: Recipient,
}

/// A request to a client's callback URL.
#[derive(Debug, Serialize, Deserialize)]
pub struct Webhook {
    /// The callback URL.
    pub url: String,
    /// The message id, the same for every attempt.
    pub id: String,
    /// The body to sign and to send.
    pub body: String,
    /// The secret that signs it.
    pub secret: String,
}

/// The result of a job.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum JobResult {
    /// A time was found for the meeting.
    Suggested {
        /// The time.
        period: Period,
        /// Why this time.
        reason: String,
        /// The required attendees whose weeks do not have this time. It is held for them when they accept.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        held_on_acceptance: Vec<Email>,
    },
    /// No time was found for the meeting.
    NoCommonTime {
        /// Why.
        reason: String,
    },
    /// The mail, or the webhook, was sent.
    Sent,
}
