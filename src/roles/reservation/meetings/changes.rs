//! The rules by which a meeting changes, and what follows from each change. Pure.

use jiff::Timestamp;
use uuid::Uuid;

use super::model::{Callback, Meeting};
use super::request::MeetingDraft;
use crate::calendar::Zone;
use crate::platform::auth::Principal;
use crate::platform::email::Email;
use crate::platform::http::problem::{NOT_FOUND, Problem};
use crate::platform::jobs::NewJob;
use crate::roles::reservation::api::jobs::CancelCause;
use crate::roles::reservation::api::meetings::{Attendee, Participation, Period, Status, StatusChange};
use crate::roles::reservation::api::problems::MEETING_OVER;
use crate::roles::reservation::jobs::kinds::{self, Invitation, SCHEDULE_MEETING};
use crate::roles::user::api::People;

/// States that are remembered.
const LONGEST_HISTORY: usize = 50;

/// A meeting as it is to be, and what follows from that.
pub struct Change {
    pub meeting: Meeting,
    pub jobs: Vec<NewJob>,
    /// The invitations and cancellations that are to be mailed.
    pub mails: Vec<Invitation>,
    /// Whether the open jobs of the meeting are void, but for those that must reach people all the same.
    pub supersedes_jobs: bool,
}

impl Change {
    pub(super) fn of(meeting: Meeting) -> Change {
        Change { meeting, jobs: Vec::new(), mails: Vec::new(), supersedes_jobs: false }
    }

    pub(super) fn superseding(self) -> Change {
        Change { supersedes_jobs: true, ..self }
    }

    pub(super) fn with(mut self, jobs: impl IntoIterator<Item = NewJob>) -> Change {
        self.jobs.extend(jobs);
        self
    }

    pub(super) fn mailing(mut self, mails: impl IntoIterator<Item = Invitation>) -> Change {
        self.mails.extend(mails);
        self
    }

    /// Whether attendees get invitations, now or once there is a time.
    pub fn invites(&self) -> bool {
        self.mails.iter().any(|mail| !mail.cancel) || self.jobs.iter().any(|job| job.kind == &SCHEDULE_MEETING)
    }
}

impl Meeting {
    /// A new one, to be arranged.
    pub fn open(draft: MeetingDraft, people: &People, principal: &Principal, case_id: &str, now: Timestamp) -> Change {
        let organizer = people.people.iter().find(|person| person.email == draft.organizer);
        let home = organizer.map_or_else(Zone::utc, |organizer| organizer.time_zone.clone());
        let meeting = Meeting {
            id: Uuid::now_v7(),
            status: Status::Queued,
            title: draft.title,
            details: draft.details,
            organizer: draft.organizer,
            attendees: draft.attendees,
            duration_minutes: draft.duration_minutes,
            pick: draft.pick,
            seed: draft.seed,
            step_minutes: draft.step_minutes,
            time_zone: draft.time_zone.unwrap_or(home),
            window: draft.window,
            fixed: draft.fixed,
            period: draft.fixed,
            held_on_acceptance: Vec::new(),
            reported_declines: Vec::new(),
            standing: None,
            reason: None,
            callback: draft.callback,
            uid_domain: people.uid_domain.clone(),
            sequence: 0,
            announced: None,
            history: Vec::new(),
            actor: None,
            actor_id: None,
            case_id: case_id.to_owned(),
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let mut meeting = meeting.changed_by(Some(principal));
        meeting.note(Status::Queued, None, now);
        Change::of(meeting).with([kinds::schedule()])
    }

    /// The next version, in this state.
    pub(super) fn passed(mut self, status: Status, reason: Option<String>, now: Timestamp) -> Meeting {
        self.version += 1;
        self.updated_at = now;
        if self.status != status {
            self.note(status, reason.clone(), now);
        }
        self.status = status;
        self.reason = reason;
        self
    }

    /// Writes a state down.
    pub(super) fn note(&mut self, status: Status, reason: Option<String>, now: Timestamp) {
        self.history.push(StatusChange { status, at: now, reason, actor: self.actor.clone() });
        let surplus = self.history.len().saturating_sub(LONGEST_HISTORY);
        self.history.drain(..surplus);
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
    pub fn suggested(mut self, period: Period, reason: String, held_on_acceptance: &[Email], now: Timestamp) -> Change {
        let keeps = self.standing_time().is_some_and(|standing| standing.period == period);
        let stood = self.standing.take();
        // another time is another question
        if stood.as_ref().is_some_and(|stood| stood.period != Some(period)) {
            self.forget_replies();
        }
        self.held_on_acceptance = stood.filter(|_| keeps).map_or_else(Vec::new, |stood| stood.held_on_acceptance);
        self.held_on_acceptance.extend_from_slice(held_on_acceptance);
        self.period = Some(period);
        self.announced = Some(period);
        let meeting = self.passed(Status::Suggested, Some(reason), now);
        let mails = meeting.mails(false, meeting.emails());
        Change::of(meeting).mailing(mails)
    }

    /// This, without any change.
    pub fn unchanged(self) -> Change {
        Change::of(self)
    }

    /// A new one whose time was found before it was made.
    pub fn found(mut self, period: Period, reason: String, now: Timestamp) -> Change {
        let version = self.version;
        self.fixed = None;
        let mut change = self.suggested(period, reason, &[], now);
        change.meeting.version = version;
        change
    }

    /// There is no time for it, or it cannot be arranged, or it is called off. A meeting that stood before stays as it was, unless it
    /// is called off; then whoever was invited learns that.
    pub fn given_up(mut self, status: Status, reason: String, now: Timestamp) -> Change {
        if let Some(stood) = self.standing.take().filter(|_| status != Status::Cancelled) {
            return self.restored(*stood, status, reason, now);
        }
        let cancelled = self.mails_to(true, &self.emails(), self.sequence + 1);
        let mut meeting = self.passed(status, Some(reason), now);
        if cancelled.is_some() {
            meeting.sequence += 1;
        }
        meeting.announced = None;
        if status != Status::Cancelled {
            meeting.period = meeting.fixed;
        }
        Change::of(meeting).superseding().mailing(cancelled)
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
            return Err(Problem::new(NOT_FOUND, format!("{email} is no attendee of this meeting")));
        };
        let again = attendee.participation == participation;
        attendee.participation = participation;
        self.note_reply(email, participation);
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
            let mut change = self.given_up(Status::Cancelled, reason.to_owned(), now);
            change.mails.iter_mut().for_each(|mail| mail.cause = CancelCause::AccountDeleted);
            return Some(change);
        }
        self.attendees.retain(|one| one.email != *email);
        self.forget_former_declines();
        self.standing.iter_mut().for_each(|stood| stood.attendees.retain(|one| one.email != *email));
        match self.status {
            // a worker is looking for a time that suits them, too
            Status::Running => Some(self.queued(now)),
            _ => Some(Change::of(self.same(now))),
        }
    }

    /// A job of it that was given up is tried again.
    pub fn resumed(self, kind: &str, now: Timestamp) -> Option<Change> {
        let waits = kind == SCHEDULE_MEETING.name && self.status == Status::Failed;
        waits.then(|| Change::of(self.passed(Status::Queued, None, now)))
    }

    /// As somebody wishes it to be from now on.
    pub fn changed(self, draft: MeetingDraft, now: Timestamp) -> Result<Change, Problem> {
        if self.status == Status::Cancelled {
            return Err(over());
        }
        let before = self.clone();
        let mut meeting = self;
        let again = meeting.asks_anew(&draft) || matches!(meeting.status, Status::NoCommonTime | Status::Failed);
        let removed: Vec<Email> = before.emails().into_iter().filter(|email| !draft.has_attendee(email)).collect();
        meeting.take(draft);
        // Two names of one zone are equal, but the client gets the name that it wrote.
        if meeting == before && meeting.time_zone.name() == before.time_zone.name() && !again {
            return Ok(before.unchanged());
        }
        let seen = again || !meeting.reads_as(&before) || meeting.attendees != before.attendees;
        // the attendees have an invitation or a cancellation with the old number
        if seen && (before.announced.is_some() || before.sequence > 0) {
            meeting.sequence += 1;
        }
        let gone = before.mails_to(true, &removed, meeting.sequence);
        let gone = gone.map(|mail| Invitation { cause: CancelCause::Removed, ..mail });
        if !again {
            let meeting = meeting.same(now);
            let updates = meeting.mails(false, meeting.emails()).filter(|_| seen);
            return Ok(Change::of(meeting).mailing(gone).mailing(updates));
        }
        meeting.standing = before.stands();
        if meeting.standing.is_none() {
            meeting.forget_replies();
            meeting.period = meeting.fixed;
        }
        Ok(meeting.queued(now).mailing(gone))
    }

    /// A time is to be looked for, whatever is under way.
    fn queued(self, now: Timestamp) -> Change {
        Change::of(self.passed(Status::Queued, None, now)).superseding().with([kinds::schedule()])
    }

    /// Whether a draft asks for another time, or for people who must be able to come at the present one.
    fn asks_anew(&self, draft: &MeetingDraft) -> bool {
        let zone = draft.time_zone.as_ref().is_some_and(|zone| *zone != self.time_zone);
        let time = self.fixed != draft.fixed || self.window != draft.window;
        let rules = (draft.duration_minutes, draft.pick, draft.seed, draft.step_minutes);
        let how = (self.duration_minutes, self.pick, self.seed, self.step_minutes) != rules;
        let requires = |email: &Email| self.attendee(email).is_some_and(|one| one.attendance.is_required());
        let mut required = draft.attendees.iter().filter(|one| one.attendance.is_required());
        zone || time || how || required.any(|one| !requires(&one.email))
    }

    fn take(&mut self, draft: MeetingDraft) {
        let known = std::mem::take(&mut self.attendees);
        let as_known = |new: Attendee| match known.iter().find(|old| old.email == new.email) {
            Some(old) => Attendee { participation: old.participation, ..new },
            None => new,
        };
        self.attendees = draft.attendees.into_iter().map(as_known).collect();
        self.forget_former_declines();
        (self.title, self.details, self.duration_minutes) = (draft.title, draft.details, draft.duration_minutes);
        (self.pick, self.seed, self.step_minutes) = (draft.pick, draft.seed, draft.step_minutes);
        self.window = draft.window;
        self.time_zone = draft.time_zone.unwrap_or_else(|| self.time_zone.clone());
        self.fixed = draft.fixed;
        self.callback = draft.callback.map(|new| match &self.callback {
            // the client got the secret when the meeting was created: another address keeps it
            Some(old) if !draft.new_secret => Callback { secret: old.secret.clone(), ..new },
            _ => new,
        });
    }

    pub(super) fn mails(&self, cancel: bool, to: Vec<Email>) -> Option<Invitation> {
        self.mails_to(cancel, &to, self.sequence)
    }

    fn mails_to(&self, cancel: bool, to: &[Email], sequence: i64) -> Option<Invitation> {
        // a cancellation names the time that the attendees know
        let period = self.announced.filter(|_| !to.is_empty())?;
        let snapshot = Meeting {
            callback: None,
            history: Vec::new(),
            standing: None,
            period: Some(period),
            actor: None,
            ..self.clone()
        };
        let cause = CancelCause::Cancelled;
        Some(Invitation { cancel, cause, sequence, meeting: snapshot, recipients: to.to_vec(), new: Vec::new() })
    }
}

fn over() -> Problem {
    Problem::new(MEETING_OVER, "this meeting is cancelled; create a new one")
}
