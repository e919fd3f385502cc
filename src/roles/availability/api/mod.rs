//! The availability role as other roles see it: its name, its wire types, and a client.

mod attendees;
mod constraints;
#[expect(dead_code, reason = "the fields of requests are parsed one by one")]
pub mod openapi;
mod question;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use self::attendees::{QUERY_LISTS, RequestedAttendee};
use self::attendees::{default_weight, is_default_weight};
pub use self::question::{AnswerZone, Hours, Question};
use crate::calendar::{Attendance, Preference, SearchWindow, WindowError, Zone};
use crate::platform::email::Email;
use crate::platform::endpoint::Tag;
use crate::platform::http::problem::Problem;
pub use crate::platform::http::window::Window;
use crate::platform::role::Context;
use crate::platform::rpc::Peer;
use crate::platform::rpc::request::RpcRequest;

/// The group of searches for common times in the OpenAPI document.
pub const FINDING_TIMES: Tag =
    Tag { name: "finding times", about: "Finds when a group can meet, and which slot is best." };

/// The name in the table of roles.
pub const ROLE: &str = "availability";

/// The availability of each attendee, in one search window.
#[derive(Debug, Serialize, Deserialize)]
pub struct GroupDetail {
    /// The known attendees, in the order of the question.
    pub attendees: Vec<AttendeeAvailability>,
    /// The unknown attendees, if they are skipped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<Email>,
    /// The zones of the attendees, each once.
    #[serde(default)]
    pub zones: Vec<Zone>,
    /// The zone of the answer; `None` if zones are ignored.
    pub time_zone: Option<Zone>,
    /// The date whose UTC offsets count.
    pub as_of: Date,
    /// The searched dates; `None` for the typical week.
    pub window: Option<Window>,
    /// The version of the data: the same for the same users with the same weeks and busy times.
    pub data_version: String,
}

/// The availability of one attendee.
#[derive(Debug, Serialize, Deserialize)]
pub struct AttendeeAvailability {
    /// The address.
    pub email: Email,
    /// The slot that the attendee prefers.
    pub preference: Preference,
    /// Whether the meeting needs the attendee.
    #[serde(default, skip_serializing_if = "Attendance::is_required")]
    pub attendance: Attendance,
    /// How much the attendee counts, 1 to 9.
    #[serde(default = "default_weight", skip_serializing_if = "is_default_weight")]
    pub weight: u32,
    /// The index of the attendee's zone in `GroupDetail::zones`.
    #[serde(default, skip_serializing_if = "is_first")]
    pub zone: usize,
    /// The quarters in which the attendee is free, as written by `Grid::to_text`.
    pub free: String,
    /// The quarters in which the attendee can meet but prefers not to; absent if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_needed: Option<String>,
    /// The quarters that meetings and calendars take from the attendee; absent if the question does not ask for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy: Option<String>,
    /// Whether the attendee's typical week is empty: nothing was stored yet, or nothing but empty days.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_week_empty: bool,
}

fn is_first(zone: &usize) -> bool {
    *zone == 0
}

impl GroupDetail {
    /// The search window of its grids.
    ///
    /// # Errors
    /// Dates that are not valid.
    pub fn search_window(&self) -> Result<SearchWindow, WindowError> {
        search_window(self.time_zone.clone(), self.as_of, self.window)
    }
}

/// The search window of these dates, or of the typical week.
///
/// # Errors
/// Dates that are not valid.
pub fn search_window(zone: Option<Zone>, as_of: Date, dates: Option<Window>) -> Result<SearchWindow, WindowError> {
    match dates {
        Some(Window { from, to }) => SearchWindow::dates(zone.unwrap_or_else(Zone::utc), from, to),
        None => Ok(SearchWindow::typical_week(zone, as_of)),
    }
}

/// A client of the availability role.
#[derive(Clone)]
pub struct AvailabilityClient(Peer);

impl AvailabilityClient {
    /// A client for one worker thread.
    pub fn new(context: &Context) -> AvailabilityClient {
        AvailabilityClient(Peer::new(context, ROLE))
    }

    /// The role that the client calls.
    pub fn peer(&self) -> &Peer {
        &self.0
    }

    /// The availability of each attendee.
    ///
    /// # Errors
    /// What [`Peer::call`] says.
    pub async fn detail(&self, question: &Question) -> Result<GroupDetail, Problem> {
        self.0.call(RpcRequest::query_by_post("/internal/availability/detail", question)?).await
    }
}
