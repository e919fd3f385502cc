//! What a meeting is, and what can be read off it. Pure.

use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::calendar::{Preference, Zone};
use crate::platform::email::Email;
use crate::platform::http::window::Window;
use crate::roles::reservation::api::jobs::ScheduleRequest;
use crate::roles::reservation::api::meetings::{Attendance, Attendee, Participation, Period, Status, StatusChange};
use crate::roles::reservation::api::views::MeetingView;

/// Days that are searched when nobody names dates, today included.
const DAYS: i64 = 14;

/// A meeting, as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meeting {
    pub id: Uuid,
    pub status: Status,
    pub title: String,
    pub organizer: Email,
    pub attendees: Vec<Attendee>,
    pub duration_minutes: u32,
    pub pick: Option<Preference>,
    pub seed: Option<u64>,
    pub time_zone: Zone,
    /// The dates searched; none when nobody named any, or the time was given.
    pub window: Option<Window>,
    /// Whether the time was given instead of searched.
    pub fixed: bool,
    pub period: Option<Period>,
    pub reason: Option<String>,
    pub callback: Option<Callback>,
    /// The end of its UID in calendars, which tells installations apart.
    pub uid_domain: String,
    /// The revision of the invitation (RFC 5545, SEQUENCE).
    pub sequence: i64,
    /// The time in the last invitation; none before the first one, and after a cancellation.
    pub announced: Option<Period>,
    pub history: Vec<StatusChange>,
    pub case_id: String,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The URL to which the client wants webhooks, and the secret that signs them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Callback {
    pub url: String,
    pub secret: String,
}

impl Meeting {
    /// What a worker is to look for.
    pub fn search(&self, now: Timestamp) -> ScheduleRequest {
        let today = self.time_zone.date_at(now);
        let next = Window { from: today, to: today.saturating_add((DAYS - 1).days()) };
        let of = |kind| {
            self.attendees.iter().filter(move |one| one.attendance == kind).map(|one| one.email.clone()).collect()
        };
        ScheduleRequest {
            required: of(Attendance::Required),
            optional: of(Attendance::Optional),
            time_zone: self.time_zone.clone(),
            window: self.window.unwrap_or(next),
            not_before: now,
            duration_minutes: self.duration_minutes,
            pick: self.pick,
            seed: self.seed,
            fixed: self.period.filter(|_| self.fixed),
        }
    }

    /// Whose time it holds: those who must come and have not said that they will not.
    pub fn held(&self) -> Vec<&Email> {
        let comes = |one: &&Attendee| one.attendance.is_required() && one.participation != Participation::Declined;
        let holds = self.status.holds();
        let mut held: Vec<&Email> =
            self.attendees.iter().filter(|_| holds).filter(comes).map(|one| &one.email).collect();
        held.sort();
        held
    }

    /// Whether this address is an attendee's.
    pub fn has_attendee(&self, email: &Email) -> bool {
        self.attendees.iter().any(|one| one.email == *email)
    }

    pub fn emails(&self) -> Vec<Email> {
        self.attendees.iter().map(|one| one.email.clone()).collect()
    }

    /// What its organizer reads, and other roles.
    pub fn view(&self) -> MeetingView<'_> {
        let clock = |at: Timestamp| self.time_zone.format_rfc3339(at);
        MeetingView {
            id: self.id,
            status: self.status,
            title: &self.title,
            organizer: &self.organizer,
            attendees: &self.attendees,
            duration_minutes: self.duration_minutes,
            pick: self.pick,
            seed: self.seed,
            time_zone: &self.time_zone,
            window: self.window,
            start: self.period.map(|period| clock(period.start)),
            end: self.period.map(|period| clock(period.end)),
            reason: self.reason.as_deref(),
            callback_url: self.callback.as_ref().map(|callback| callback.url.as_str()),
            sequence: self.sequence,
            history: &self.history,
            version: self.version,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    /// What a caller reads. Only the organizer reads the callback URL: such URLs often contain a secret.
    pub fn shown(&self, is_organizer: bool) -> MeetingView<'_> {
        let view = self.view();
        MeetingView { callback_url: view.callback_url.filter(|_| is_organizer), ..view }
    }
}
