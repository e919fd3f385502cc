//! What other roles see of the availability role: its name, its wire types, and a client that speaks them.

pub mod openapi;
mod question;
mod reading;
mod wanted;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use self::question::{AnswerZone, Hours, Question};
pub use self::reading::quorum;
pub use self::wanted::{IN_A_QUERY, RequestedAttendee};
use crate::calendar::{Attendance, Preference, SearchWindow, WindowError, Zone};
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;
pub use crate::platform::http::window::Window;
use crate::platform::role::Context;
use crate::platform::rpc::Peer;
use crate::platform::rpc::request::RpcRequest;

/// Its name in the table of roles.
pub const ROLE: &str = "availability";

/// What is known of every attendee, over one frame.
#[derive(Debug, Serialize, Deserialize)]
pub struct GroupDetail {
    /// In the order they were asked for, but those whom nobody knows.
    pub attendees: Vec<AttendeeAvailability>,
    /// Whom nobody knows, where they are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<Email>,
    /// The zones of the attendees, each once.
    #[serde(default)]
    pub zones: Vec<Zone>,
    /// The zone of the answer; none when it floats.
    pub time_zone: Option<Zone>,
    /// The day whose offsets count.
    pub as_of: Date,
    /// The dates searched; none for the typical week.
    pub window: Option<Window>,
    /// The same for the same users with the same weeks and busy times.
    pub data_version: String,
}

/// One attendee's time.
#[derive(Debug, Serialize, Deserialize)]
pub struct AttendeeAvailability {
    /// Who.
    pub email: Email,
    /// Which slot they like.
    pub preference: Preference,
    /// Whether they must be there.
    #[serde(default, skip_serializing_if = "is_required")]
    pub attendance: Attendance,
    /// How much their coming counts, 1 to 9.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub weight: u32,
    /// Where in `GroupDetail::zones` theirs is.
    #[serde(default, skip_serializing_if = "is_first")]
    pub zone: usize,
    /// The frame's quarters in which they are free, packed as `Grid::to_text`.
    pub free: String,
    /// Those in which they could be, if it must be; none if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_needed: Option<String>,
}

fn is_required(attendance: &Attendance) -> bool {
    *attendance == Attendance::Required
}

fn once() -> u32 {
    1
}

fn is_once(weight: &u32) -> bool {
    *weight == 1
}

fn is_first(zone: &usize) -> bool {
    *zone == 0
}

impl GroupDetail {
    /// The frame that its grids lie in.
    ///
    /// # Errors
    /// A window that is none.
    pub fn frame(&self) -> Result<SearchWindow, WindowError> {
        frame(self.time_zone.clone(), self.as_of, self.window)
    }
}

/// The frame of a question whose open ends are settled.
///
/// # Errors
/// A window that is none.
pub fn frame(zone: Option<Zone>, as_of: Date, window: Option<Window>) -> Result<SearchWindow, WindowError> {
    match window {
        Some(Window { from, to }) => SearchWindow::dates(zone.unwrap_or_else(Zone::utc), from, to),
        None => Ok(SearchWindow::typical_week(zone, as_of)),
    }
}

/// A client of the availability role.
#[derive(Clone)]
pub struct AvailabilityClient(Peer);

impl AvailabilityClient {
    /// For one worker thread.
    pub fn new(context: &Context) -> AvailabilityClient {
        AvailabilityClient(Peer::new(context, ROLE))
    }

    /// The peer behind it.
    pub fn peer(&self) -> &Peer {
        &self.0
    }

    /// What is known of every attendee.
    ///
    /// # Errors
    /// What [`Peer::call`] says.
    pub async fn detail(&self, question: &Question) -> Result<GroupDetail, Problem> {
        self.0.call(RpcRequest::ask("/internal/availability/detail", question)?).await
    }
}
