//! A meeting that has a time keeps it until another one is found, and for good if there is none. Pure.

use jiff::Timestamp;

use super::changes::Change;
use super::model::Meeting;
use crate::platform::email::Email;
use crate::roles::reservation::api::jobs::StandingTime;
use crate::roles::reservation::api::meetings::{Attendee, Participation, Status};

/// The reply of an attendee who was not asked yet. The organizer need not be asked.
pub fn first_reply(attendee: &Email, organizer: &Email) -> Participation {
    if attendee == organizer { Participation::Accepted } else { Participation::NeedsAction }
}

impl Meeting {
    /// The meeting as it stands when another time is to be searched; none without a time.
    pub(super) fn stands(&self) -> Option<Box<Meeting>> {
        let now = || Box::new(Meeting { callback: None, history: Vec::new(), actor: None, ..self.clone() });
        self.standing.clone().or_else(|| self.status.holds().then(now))
    }

    /// The time at which it stands, if nothing but its attendees has changed: it keeps this time if it suits the newcomers.
    pub(super) fn standing_time(&self) -> Option<StandingTime> {
        let stood = self.standing.as_deref()?;
        let terms = |it: &Meeting| {
            (it.time_zone.clone(), it.window, it.fixed, it.duration_minutes, it.pick, it.seed, it.step_minutes)
        };
        let is_new = |one: &&Attendee| {
            one.attendance.is_required() && stood.attendee(&one.email).is_none_or(|old| !old.attendance.is_required())
        };
        let newcomers = self.attendees.iter().filter(is_new).map(|one| one.email.clone()).collect();
        let period = stood.period.filter(|_| terms(stood) == terms(self))?;
        Some(StandingTime { period, newcomers })
    }

    /// Whether the attendees read the same, apart from the time and the other attendees.
    pub(super) fn reads_as(&self, other: &Meeting) -> bool {
        self.title == other.title && self.details == other.details
    }

    /// Whoever was asked for an earlier time is asked anew; the organizer has chosen the new one.
    pub(super) fn forget_replies(&mut self) {
        for attendee in &mut self.attendees {
            attendee.participation = first_reply(&attendee.email, &self.organizer);
        }
        self.reported_declines.clear();
    }

    /// Notes a decline that the organizer has not been told of.
    pub(super) fn note_reply(&mut self, email: &Email, participation: Participation) {
        if participation == Participation::Declined && !self.reported_declines.contains(email) {
            self.reported_declines.push(email.clone());
        }
    }

    /// Forgets the declines of people who are no attendees any more.
    pub(super) fn forget_former_declines(&mut self) {
        let attendees = &self.attendees;
        self.reported_declines.retain(|one| attendees.iter().any(|attendee| attendee.email == *one));
    }

    /// No other time was found: the meeting stays as it `stood`, without those who were to come in addition.
    pub(super) fn restored(mut self, stood: Meeting, status: Status, why: String, now: Timestamp) -> Change {
        let stays = |old: Attendee| {
            let participation = self.attendee(&old.email)?.participation;
            Some(Attendee { participation, ..old })
        };
        let (had, is_up_to_date) = (stood.attendees.len(), stood.status == Status::Invited && self.reads_as(&stood));
        let attendees: Vec<Attendee> = stood.attendees.into_iter().filter_map(stays).collect();
        let is_up_to_date = is_up_to_date && attendees.len() == had;
        self.attendees = attendees;
        self.forget_former_declines();
        (self.window, self.fixed, self.period) = (stood.window, stood.fixed, stood.period);
        self.held_on_acceptance = stood.held_on_acceptance;
        (self.duration_minutes, self.time_zone) = (stood.duration_minutes, stood.time_zone);
        (self.pick, self.seed, self.step_minutes) = (stood.pick, stood.seed, stood.step_minutes);
        self.note(status, Some(why.clone()), now);
        let reason = format!("the meeting stays as it was, because the change is not possible: {why}");
        let meeting = self.passed(if is_up_to_date { Status::Invited } else { Status::Suggested }, Some(reason), now);
        // a letter is due if more has changed than the time that was searched, or the search came before the first letters were out
        let updates = meeting.mails(false, meeting.emails()).filter(|_| !is_up_to_date);
        Change::of(meeting).superseding().mailing(updates)
    }
}
