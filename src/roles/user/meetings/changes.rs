//! The rules by which a meeting changes, and what follows from each change. Pure.

use jiff::Timestamp;
use uuid::Uuid;

use super::model::{Callback, Meeting};
use super::request::Wish;
use crate::calendar::Zone;
use crate::platform::email::Email;
use crate::platform::http::problem::{MEETING_OVER, NOT_FOUND, Problem};
use crate::platform::jobs::model::NewJob;
use crate::roles::user::api::meetings::{Attendance, Attendee, Participation, Period, Status, StatusChange};
use crate::roles::user::jobs::kinds::{self, Invitation, SCHEDULE};

/// States that are remembered.
const LONGEST_HISTORY: usize = 50;
/// Whom one job writes to: a job that fails repeats no more than this.
const LETTERS: usize = 50;

/// A meeting as it is to be, and what follows from that.
pub struct Change {
    pub meeting: Meeting,
    pub jobs: Vec<NewJob>,
    /// Whether the open jobs of the meeting are void, but for those that must reach people all the same.
    pub supersedes_jobs: bool,
}

impl Change {
    fn of(meeting: Meeting) -> Change {
        Change { meeting, jobs: Vec::new(), supersedes_jobs: false }
    }

    fn superseding(self) -> Change {
        Change { supersedes_jobs: true, ..self }
    }

    fn with(mut self, jobs: impl IntoIterator<Item = NewJob>) -> Change {
        self.jobs.extend(jobs);
        self
    }
}

impl Meeting {
    /// A new one, to be arranged.
    pub fn open(wish: Wish, home: &Zone, case_id: &str, now: Timestamp) -> Change {
        let meeting = Meeting {
            id: Uuid::now_v7(),
            status: Status::Queued,
            title: wish.title,
            organizer: wish.organizer,
            attendees: wish.attendees,
            duration_minutes: wish.duration_minutes,
            pick: wish.pick,
            seed: wish.seed,
            time_zone: wish.time_zone.unwrap_or_else(|| home.clone()),
            window: wish.window,
            fixed: wish.fixed.is_some(),
            period: wish.fixed,
            reason: None,
            callback: wish.callback,
            sequence: 0,
            announced: None,
            history: vec![StatusChange { status: Status::Queued, at: now, reason: None }],
            case_id: case_id.to_owned(),
            version: 1,
            created_at: now,
            updated_at: now,
        };
        Change::of(meeting).with([kinds::schedule()])
    }

    /// The next version, in this state.
    fn passed(mut self, status: Status, reason: Option<String>, now: Timestamp) -> Meeting {
        self.version += 1;
        self.updated_at = now;
        if self.status != status {
            self.history.push(StatusChange { status, at: now, reason: reason.clone() });
            let surplus = self.history.len().saturating_sub(LONGEST_HISTORY);
            self.history.drain(..surplus);
        }
        self.status = status;
        self.reason = reason;
        self
    }

    fn same(self, now: Timestamp) -> Meeting {
        let (status, reason) = (self.status, self.reason.clone());
        self.passed(status, reason, now)
    }

    /// A worker has begun to look for a time.
    pub fn started(self, now: Timestamp) -> Change {
        Change::of(self.passed(Status::Running, None, now))
    }

    /// A time was found; the attendees are to be invited.
    pub fn suggested(mut self, period: Period, reason: String, now: Timestamp) -> Change {
        self.period = Some(period);
        self.announced = Some(period);
        let meeting = self.passed(Status::Suggested, Some(reason), now);
        let letters = meeting.letters(false, meeting.emails());
        Change::of(meeting).with(letters)
    }

    /// This, without any change.
    pub fn unchanged(self) -> Change {
        Change::of(self)
    }

    /// A new one whose time was found before it was made.
    pub fn found(mut self, period: Period, reason: String, now: Timestamp) -> Change {
        let version = self.version;
        self.fixed = false;
        let mut change = self.suggested(period, reason, now);
        change.meeting.version = version;
        change
    }

    /// There is no time for it, or it cannot be arranged. Whoever was invited before learns that it is off.
    pub fn given_up(self, status: Status, reason: String, now: Timestamp) -> Change {
        let cancelled = self.call_off();
        let mut meeting = self.passed(status, Some(reason), now);
        if !cancelled.is_empty() {
            meeting.sequence += 1;
        }
        meeting.announced = None;
        if !meeting.fixed && status != Status::Cancelled {
            meeting.period = None;
        }
        Change::of(meeting).superseding().with(cancelled)
    }

    /// All invitations are out.
    pub fn invited(self, unreached: usize, now: Timestamp) -> Change {
        let reason = match unreached {
            0 => self.reason.clone(),
            1 => Some("one invitation could not be delivered; see deliveries".to_owned()),
            many => Some(format!("{many} invitations could not be delivered; see deliveries")),
        };
        Change::of(self.passed(Status::Invited, reason, now))
    }

    /// Somebody says whether they come.
    pub fn answered(mut self, email: &Email, participation: Participation, now: Timestamp) -> Result<Change, Problem> {
        let Some(attendee) = self.attendees.iter_mut().find(|one| one.email == *email) else {
            return Err(Problem::new(NOT_FOUND, format!("{email} is not asked to come to this meeting")));
        };
        let again = attendee.participation == participation;
        attendee.participation = participation;
        match self.status {
            Status::Cancelled => Err(over()),
            _ if again => Ok(self.unchanged()),
            _ => Ok(Change::of(self.same(now))),
        }
    }

    /// Somebody is no user any more. Without its organizer, or with nobody to meet, it is off; what has been stays.
    pub fn without_attendee(mut self, email: &Email, now: Timestamp) -> Option<Change> {
        if self.is_past(now) {
            return None;
        }
        if self.organizer == *email || self.attendees.len() <= 2 {
            let reason = "somebody without whom it cannot be is no longer here";
            return Some(self.given_up(Status::Cancelled, reason.to_owned(), now));
        }
        self.attendees.retain(|one| one.email != *email);
        match self.status {
            // a worker is looking for a time that suits them, too
            Status::Running => Some(self.queued(now)),
            _ => Some(Change::of(self.same(now))),
        }
    }

    /// A job of it that was given up is tried again.
    pub fn resumed(self, kind: &str, now: Timestamp) -> Option<Change> {
        let waits = kind == SCHEDULE.name && self.status == Status::Failed;
        waits.then(|| Change::of(self.passed(Status::Queued, None, now)))
    }

    /// As somebody wishes it to be from now on.
    pub fn changed(self, wish: Wish, now: Timestamp) -> Result<Change, Problem> {
        if self.status == Status::Cancelled {
            return Err(over());
        }
        let before = self.clone();
        let mut meeting = self;
        let again = meeting.asks_anew(&wish) || matches!(meeting.status, Status::NoCommonTime | Status::Failed);
        let removed: Vec<Email> = before.emails().into_iter().filter(|email| !wish.comes(email)).collect();
        meeting.take(wish);
        if meeting == before && !again {
            return Ok(before.unchanged());
        }
        let seen = again || meeting.title != before.title || meeting.attendees != before.attendees;
        // the attendees know of it, or were told that it is off: either way they have the old number
        if seen && (before.announced.is_some() || before.sequence > 0) {
            meeting.sequence += 1;
        }
        let gone = before.letters_to(true, &removed, meeting.sequence);
        if !again {
            let meeting = meeting.same(now);
            let told = if seen { meeting.letters(false, meeting.emails()) } else { Vec::new() };
            return Ok(Change::of(meeting).with(gone).with(told));
        }
        for attendee in &mut meeting.attendees {
            attendee.participation = Participation::NeedsAction;
        }
        if !meeting.fixed {
            meeting.period = None;
        }
        Ok(meeting.queued(now).with(gone))
    }

    /// A time is to be looked for, whatever is under way.
    fn queued(self, now: Timestamp) -> Change {
        Change::of(self.passed(Status::Queued, None, now)).superseding().with([kinds::schedule()])
    }

    /// Whether a wish is about more than how the meeting is called.
    fn asks_anew(&self, wish: &Wish) -> bool {
        let required = |all: &[Attendee]| -> Vec<Email> {
            let mut emails: Vec<Email> =
                all.iter().filter(|one| one.attendance == Attendance::Required).map(|one| one.email.clone()).collect();
            emails.sort();
            emails
        };
        let zone = wish.time_zone.as_ref().is_some_and(|zone| *zone != self.time_zone);
        let time = match wish.fixed {
            Some(period) => !self.fixed || self.period != Some(period),
            None => self.fixed || self.window != wish.window,
        };
        let how = self.duration_minutes != wish.duration_minutes || self.pick != wish.pick || self.seed != wish.seed;
        zone || time || how || required(&self.attendees) != required(&wish.attendees)
    }

    fn take(&mut self, wish: Wish) {
        let known = std::mem::take(&mut self.attendees);
        let as_known = |new: Attendee| match known.iter().find(|old| old.email == new.email) {
            Some(old) => Attendee { participation: old.participation, ..new },
            None => new,
        };
        self.attendees = wish.attendees.into_iter().map(as_known).collect();
        self.title = wish.title;
        self.duration_minutes = wish.duration_minutes;
        (self.pick, self.seed, self.window) = (wish.pick, wish.seed, wish.window);
        self.time_zone = wish.time_zone.unwrap_or_else(|| self.time_zone.clone());
        if wish.fixed.is_some() {
            self.period = wish.fixed;
        }
        self.fixed = wish.fixed.is_some();
        self.callback = wish.callback.map(|new| match &self.callback {
            // a secret is told once, when the meeting is made: another address keeps it
            Some(old) if !wish.new_secret => Callback { secret: old.secret.clone(), ..new },
            _ => new,
        });
    }

    /// Letters that take the invitations back, if there were any.
    fn call_off(&self) -> Vec<NewJob> {
        self.letters_to(true, &self.emails(), self.sequence + 1)
    }

    fn letters(&self, cancel: bool, to: Vec<Email>) -> Vec<NewJob> {
        self.letters_to(cancel, &to, self.sequence)
    }

    fn letters_to(&self, cancel: bool, to: &[Email], sequence: i64) -> Vec<NewJob> {
        // what is off is told with the time that people know
        let Some(period) = self.announced else { return Vec::new() };
        let snapshot = Meeting { callback: None, history: Vec::new(), period: Some(period), ..self.clone() };
        let letter = |to: &[Email]| Invitation { cancel, sequence, meeting: snapshot.clone(), recipients: to.to_vec() };
        to.chunks(LETTERS).map(|to| kinds::invite(&letter(to))).collect()
    }
}

fn over() -> Problem {
    Problem::new(MEETING_OVER, "this meeting is called off; make a new one")
}
