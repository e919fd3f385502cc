//! The OpenAPI schemas of requests about meetings.

use jiff::Timestamp;
use jiff::civil::Date;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::calendar::{Preference, Zone};
use crate::platform::email::Email;
use crate::platform::http::openapi::Schemas;
use crate::roles::reservation::api::meetings::Attendance;

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
#[serde(deny_unknown_fields)]
pub struct NewMeeting {
    /// Who calls it, and comes too.
    organizer: Email,
    /// Who else is to come.
    #[schema(min_items = 1, max_items = 500)]
    attendees: Vec<Invited>,
    /// `Meeting` if left out; on one line.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    title: Option<String>,
    /// 60 if left out.
    #[schema(minimum = 15, maximum = 1440, multiple_of = 15)]
    duration_minutes: Option<u64>,
    /// By the attendees' own preferences if left out.
    pick: Option<Preference>,
    /// Makes `random` repeatable.
    #[schema(maximum = 9007199254740991i64)]
    seed: Option<u64>,
    /// Whose dates are meant; the organizer's if left out.
    time_zone: Option<Zone>,
    /// The dates searched, as an ISO week; without dates, the next 14 days.
    #[schema(pattern = "^(19[7-9][0-9]|20[0-9]{2}|21[0-9]{2})-W(0[1-9]|[1-4][0-9]|5[0-2])$")]
    week: Option<String>,
    /// The first date searched; with `to`.
    from: Option<Date>,
    /// The last date searched, at most 62 days in all; with `from`.
    to: Option<Date>,
    /// The time itself, instead of dates.
    start: Option<Timestamp>,
    /// Where to be told what becomes of it: `https:`, on the public internet.
    #[schema(format = "https-url", max_length = 2048)]
    callback_url: Option<String>,
    /// What is to sign callbacks: `whsec_` and the base64 of 24 to 64 bytes.
    #[schema(format = "webhook-secret")]
    callback_secret: Option<String>,
}

/// What of a meeting to change.
pub struct MeetingPatch;

impl ToSchema for MeetingPatch {
    fn schemas(schemas: &mut Schemas) {
        NewMeeting::schemas(schemas);
    }
}

impl PartialSchema for MeetingPatch {
    fn schema() -> RefOr<Schema> {
        let mut patch = NewMeeting::schema();
        if let RefOr::T(Schema::Object(patch)) = &mut patch {
            let about =
                "What to change (RFC 7396); the organizer stays. An empty patch looks again where there was no time.";
            patch.description = Some(about.to_owned());
            patch.required.clear();
        }
        patch
    }
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
