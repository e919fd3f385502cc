//! The OpenAPI schemas of requests about meetings.

use jiff::Timestamp;
use jiff::civil::Date;
use utoipa::ToSchema;

use crate::calendar::{Preference, Zone};
use crate::platform::email::Email;
use crate::platform::http::openapi::schemas::{Dates, Line, Step};
use crate::roles::reservation::api::meetings::{Attendance, Status};

/// One who is to be asked.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum Invited {
    /// One without whom it cannot be.
    Address(Email),
    /// One of whom more is said.
    Person(InvitedPerson),
}

/// One who is to be asked, and whether it must be.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitedPerson {
    email: Email,
    /// `required` if left out.
    attendance: Option<Attendance>,
}

/// A meeting to be arranged.
#[derive(ToSchema)]
pub struct NewMeeting {
    /// Who calls it, and comes too.
    organizer: Email,
    /// Who else is to come.
    #[schema(min_items = 1, max_items = 500)]
    attendees: Vec<Invited>,
    #[serde(flatten)]
    options: MeetingOptions,
    #[serde(flatten)]
    dates: Dates,
}

/// What to change (RFC 7396); the organizer stays. An empty patch looks again where there was no time.
#[derive(ToSchema)]
pub struct MeetingPatch {
    #[schema(nullable = false)]
    organizer: Option<Email>,
    #[schema(nullable = false, min_items = 1, max_items = 500)]
    attendees: Option<Vec<Invited>>,
    #[serde(flatten)]
    options: MeetingOptions,
    #[serde(flatten)]
    dates: Dates,
}

/// What may be said of a meeting.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MeetingOptions {
    /// The default is `Meeting`.
    title: Option<Line>,
    /// The place.
    location: Option<Line>,
    /// The description, perhaps in several lines.
    #[schema(min_length = 1, max_length = 4000)]
    description: Option<String>,
    /// The URL of the video conference: `https:`.
    #[schema(format = "https-url", max_length = 2048)]
    url: Option<String>,
    /// The default is 60.
    #[schema(minimum = 15, maximum = 1440, multiple_of = 15)]
    duration_minutes: Option<u64>,
    /// The default is the preferences of the attendees.
    pick: Option<Preference>,
    /// The seed of random picks: the same seed gives the same picks.
    #[schema(maximum = 9007199254740991i64)]
    seed: Option<u64>,
    /// The search looks at starts on multiples of these minutes, on the clock of `time_zone`. The default is 15.
    step_minutes: Option<Step>,
    /// The zone of the dates. The default is that of the organizer.
    time_zone: Option<Zone>,
    /// The time itself, instead of dates. Without dates, the next 14 days are searched.
    start: Option<Timestamp>,
    /// The URL that is told of changes: `https:`, on the public internet.
    #[schema(format = "https-url", max_length = 2048)]
    callback_url: Option<String>,
    /// The secret that signs callbacks: `whsec_` and the base64 of 24 to 64 bytes.
    #[schema(format = "webhook-secret")]
    callback_secret: Option<String>,
}

/// Whether somebody comes.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reply {
    email: Email,
    participation: ReplyWord,
    /// As the link in the invitation has it.
    key: Option<String>,
}

/// What somebody says.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum ReplyWord {
    /// Yes.
    Accepted,
    /// Perhaps.
    Tentative,
    /// No.
    Declined,
}

/// Which meetings are listed.
#[derive(ToSchema)]
pub struct Whose {
    /// Only those that this user is asked to come to.
    pub attendee: Option<Email>,
    /// Only those that this user organizes.
    pub organizer: Option<Email>,
    /// Only those in this state.
    pub status: Option<Status>,
    /// Only those with a time on this date or later.
    pub from: Option<Date>,
    /// Only those with a time on this date or earlier.
    pub to: Option<Date>,
    /// The zone of the dates. The default is UTC.
    pub time_zone: Option<Zone>,
}

/// What a link in an invitation says.
#[derive(ToSchema)]
pub struct Link {
    /// Who answers.
    pub email: Email,
    /// Proof of that.
    pub key: Option<String>,
    /// The answer that is made ready.
    pub answer: Option<ReplyWord>,
}
