//! Arranging a meeting in the moment it is asked for: the best slot goes to user at once, which invites.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde_json::Value;

use super::api::{Suggestion, Suggestions};
use super::model::Candidates;
use super::relaxations;
use super::request::Request;
use crate::calendar::{Fault, Preference, Zone};
use crate::platform::email::Email;
use crate::platform::http::extract::{Params, text};
use crate::platform::http::idempotency::{IdempotencyKey, StoredResponse};
use crate::platform::http::problem::{Problem, SLOT_TAKEN};
use crate::platform::http::window::Window;
use crate::roles::availability::api::{AnswerZone, AvailabilityClient, Question};
use crate::roles::user::api::UserClient;
use crate::roles::user::api::meetings::{Period, ScheduledMeeting};

/// Days that are searched when nobody names dates, as for every meeting.
const DAYS: i64 = 14;
/// How often another meeting may snatch the slot before the caller hears of it.
const ROUNDS: usize = 4;
const LONGEST_TITLE: usize = 200;

/// What a request with `notify` says of the meeting.
pub struct Booking {
    title: Option<String>,
    key: Option<IdempotencyKey>,
}

impl Booking {
    /// Reads it; `None` when nobody is to be told.
    pub fn read(fields: &mut Params, key: Option<IdempotencyKey>) -> Option<Booking> {
        let flag = |value: &Value| {
            value.as_bool().ok_or_else(|| vec![Fault::new("", "not_a_boolean", "must be true or false")])
        };
        let notify = fields.optional("notify", flag).unwrap_or_default();
        if !notify {
            return None;
        }
        let title = fields.optional("title", text(LONGEST_TITLE));
        Some(Booking { title, key })
    }

    /// Finds the slot and has it recorded; gives the answer.
    pub async fn arrange(
        self,
        times: &AvailabilityClient,
        users: &UserClient,
        request: &Request,
        mut question: Question,
    ) -> Result<StoredResponse, Problem> {
        let now = Timestamp::now();
        let today = match &question.time_zone {
            Some(AnswerZone::Zone(zone)) => zone.date_at(now),
            Some(AnswerZone::Floating) => return Err(no_dates("#/time_zone")),
            None => Zone::utc().date_at(now),
        };
        if question.as_of.is_some() {
            return Err(no_dates("#/as_of"));
        }
        if let Some(key) = &self.key
            && let Some(kept) = users.answered(key).await?
        {
            return Ok(kept);
        }
        let dated = question.window.is_some();
        question.window.get_or_insert(next_days(today));
        question.not_before = Some(now);
        let mut rounds = 0;
        loop {
            let detail = times.detail(&question).await?;
            let zone = detail.time_zone.clone().unwrap_or_else(Zone::utc);
            let days = next_days(zone.date_at(now));
            if !dated && question.window != Some(days) {
                // only now it is known on whose calendar today is
                question.window = Some(days);
                continue;
            }
            let strangers = detail.unknown.clone();
            let mut room =
                Candidates::enter(request, detail, rand::random).map_err(|fault| Problem::internal(fault.detail))?;
            let mut answer = room.answer();
            relaxations::look(times, request, &question, &mut answer).await?;
            let told = serde_json::to_value(&answer).map_err(Problem::internal)?;
            let Some(best) = answer.suggestions.first() else { return Ok(StoredResponse::new(200, &[], &told)) };
            question.attendees.retain(|one| !strangers.contains(&one.email));
            let found = self.found(request, &question, &zone, best, &answer, told)?;
            rounds += 1;
            match users.record(&found).await {
                Ok(kept) => return Ok(kept),
                Err(problem) if problem.kind == SLOT_TAKEN && rounds < ROUNDS => {
                    tracing::info!("the slot was taken meanwhile: looking again");
                }
                Err(problem) => return Err(problem),
            }
        }
    }

    fn found(
        &self,
        request: &Request,
        question: &Question,
        zone: &Zone,
        best: &Suggestion<&Email>,
        answer: &Suggestions<&Email>,
        told: Value,
    ) -> Result<ScheduledMeeting, Problem> {
        let instant = |text: &str| text.parse().map_err(|_| Problem::internal(format!("{text} is no instant")));
        // of a quorum those who can come are held, and the others need not
        let stays_away = |email: &Email| request.ask.quorum.is_none() || best.busy.contains(&email);
        Ok(ScheduledMeeting {
            organizer: request.organizer.clone(),
            attendees: question.emails(),
            optional: question.optional().into_iter().filter(stays_away).collect(),
            title: self.title.clone(),
            pick: answer.pick.as_deref().and_then(Preference::parse),
            time_zone: zone.name().to_owned(),
            period: Period { start: instant(&best.start)?, end: instant(&best.end)? },
            reason: best.reason.clone(),
            answer: told,
            key: self.key.clone(),
        })
    }
}

fn next_days(today: Date) -> Window {
    Window { from: today, to: today.saturating_add((DAYS - 1).days()) }
}

fn no_dates(pointer: &str) -> Problem {
    let detail = "belongs to the typical week, and a meeting needs dates: leave it out";
    Problem::validation(vec![Fault::new(pointer.to_owned(), "window_and_week", detail)])
}
