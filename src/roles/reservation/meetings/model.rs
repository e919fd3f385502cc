//! What a meeting is, and what can be read off it. Pure.

use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::calendar::{EventDetails, Preference, Zone};
use crate::platform::auth::Principal;
use crate::platform::email::Email;
use crate::platform::http::window::Window;
use crate::roles::reservation::api::jobs::{RequestedTime, ScheduleRequest};
use crate::roles::reservation::api::meetings::{
    Actor, Attendance, Attendee, Participation, Period, Status, StatusChange,
};
use crate::roles::reservation::api::views::MeetingView;

/// Days that are searched when nobody names dates, today included.
const DAYS: i64 = 14;

/// A meeting, as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meeting {
    pub id: Uuid,
    pub status: Status,
    pub title: String,
    pub details: EventDetails,
    pub organizer: Email,
    pub attendees: Vec<Attendee>,
    pub duration_minutes: u32,
    pub pick: Option<Preference>,
    pub seed: Option<u64>,
    /// It starts on a multiple of these minutes on the clock of `time_zone`.
    pub step_minutes: u32,
    pub time_zone: Zone,
    /// The dates searched; none when nobody named any, or the time was given.
    pub window: Option<Window>,
    /// The time that was given; none when it is searched.
    pub fixed: Option<Period>,
    /// The time of the meeting. While another time is searched, the one at which the meeting stands.
    pub period: Option<Period>,
    /// Required attendees whose time is held only when they accept: a given time is outside their weeks, or other meetings of the
    /// organizer hold enough of their time.
    pub held_on_acceptance: Vec<Email>,
    /// Attendees whose decline the organizer has been told of: who changes their mind again and again causes one mail.
    #[serde(default)]
    pub reported_declines: Vec<Email>,
    /// The meeting as it stands until another time is found: its time is held, and it stays if there is no other.
    pub standing: Option<Box<Meeting>>,
    pub reason: Option<String>,
    pub callback: Option<Callback>,
    /// The end of its UID in calendars, which tells installations apart.
    pub uid_domain: String,
    /// The revision of the invitation (RFC 5545, SEQUENCE).
    pub sequence: i64,
    /// The time in the last invitation; none before the first one, and after a cancellation.
    pub announced: Option<Period>,
    pub history: Vec<StatusChange>,
    /// The bot that made the last change, if a bot did.
    #[serde(default)]
    pub actor: Option<Actor>,
    /// The id of its account, while the change is made.
    #[serde(skip)]
    pub actor_id: Option<String>,
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
            organizer: self.organizer.clone(),
            required: of(Attendance::Required),
            optional: of(Attendance::Optional),
            time_zone: self.time_zone.clone(),
            window: self.window.unwrap_or(next),
            not_before: now,
            duration_minutes: self.duration_minutes,
            pick: self.pick,
            seed: self.seed,
            step_minutes: self.step_minutes,
            fixed: self.fixed,
            meeting: self.id,
            standing: self.standing_time(),
        }
    }

    /// When it is requested to be.
    pub fn requested(&self) -> RequestedTime {
        if let Some(period) = self.fixed {
            return RequestedTime::Fixed(period);
        }
        let Window { from, to } = self.search(self.updated_at).window;
        let (start, end) = (self.time_zone.start_of(from), self.time_zone.start_of(to.saturating_add(1.day())));
        RequestedTime::Dates(Period { start, end })
    }

    /// The time at which the meeting takes place, as things are.
    pub fn time(&self) -> Option<Period> {
        self.period.filter(|_| self.terms().status.holds())
    }

    /// Whose time it holds: those who must come and have not said that they will not, and who have offered the time or accepted it.
    pub fn held(&self) -> Vec<&Email> {
        let terms = self.terms();
        let comes = |email: &Email| match self.attendee(email).map(|one| one.participation) {
            Some(Participation::Accepted) => true,
            Some(Participation::NeedsAction | Participation::Tentative) => !terms.held_on_acceptance.contains(email),
            Some(Participation::Declined) | None => false,
        };
        let required = terms.attendees.iter().filter(|one| one.attendance.is_required()).map(|one| &one.email);
        let mut held: Vec<&Email> = required.filter(|email| terms.status.holds() && comes(email)).collect();
        held.sort();
        held
    }

    /// What holds until another time is found: the meeting as it stands, or the meeting itself.
    fn terms(&self) -> &Meeting {
        self.standing.as_deref().unwrap_or(self)
    }

    /// The meeting before a change by a principal, whose bot it names if there is one.
    pub fn changed_by(self, principal: Option<&Principal>) -> Meeting {
        let (actor, actor_id) = match principal {
            Some(Principal::Account(caller)) => caller.actor.as_ref().map(|actor| {
                let (email, key) = (actor.email.clone(), actor.key.clone());
                (Actor { email, key, on_behalf_of: caller.email.clone() }, actor.id.clone())
            }),
            Some(Principal::Anonymous) | None => None,
        }
        .unzip();
        Meeting { actor, actor_id, ..self }
    }

    /// The attendee with this address.
    pub fn attendee(&self, email: &Email) -> Option<&Attendee> {
        self.attendees.iter().find(|one| one.email == *email)
    }

    /// Whether the attendee with this address has accepted.
    pub fn has_accepted(&self, email: &Email) -> bool {
        self.attendee(email).is_some_and(|one| one.participation == Participation::Accepted)
    }

    /// Whether this address is an attendee's.
    pub fn has_attendee(&self, email: &Email) -> bool {
        self.attendee(email).is_some()
    }

    pub fn emails(&self) -> Vec<Email> {
        self.attendees.iter().map(|one| one.email.clone()).collect()
    }

    /// What its organizer reads, and other roles.
    pub fn view(&self) -> MeetingView<'_> {
        let clock = |at: Timestamp| self.time_zone.format_rfc3339(at);
        let has_declined =
            |one: &&Attendee| one.attendance.is_required() && one.participation == Participation::Declined;
        MeetingView {
            id: self.id,
            status: self.status,
            title: &self.title,
            location: self.details.location.as_deref(),
            description: self.details.description.as_deref(),
            url: self.details.url.as_deref(),
            organizer: &self.organizer,
            attendees: &self.attendees,
            declined: self.attendees.iter().filter(has_declined).map(|one| &one.email).collect(),
            duration_minutes: self.duration_minutes,
            pick: self.pick,
            seed: self.seed,
            step_minutes: self.step_minutes,
            time_zone: &self.time_zone,
            window: self.window,
            start: self.period.map(|period| clock(period.start)),
            end: self.period.map(|period| clock(period.end)),
            reason: self.reason.as_deref(),
            callback_url: self.callback.as_ref().map(|callback| callback.url.as_str()),
            sequence: self.sequence,
            history: &self.history,
            actor: self.actor.as_ref(),
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
