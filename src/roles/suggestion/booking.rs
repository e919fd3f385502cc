//! Books a meeting in the same request: the best slot is recorded at reservation, which sends the invitations.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde_json::Value;

use super::api::{Suggestion, Suggestions};
use super::model::Candidates;
use super::relaxations;
use super::request::SuggestionRequest;
use crate::calendar::{Fault, Preference, Zone};
use crate::platform::email::Email;
use crate::platform::http::extract::{Params, text};
use crate::platform::http::idempotency::{IdempotencyKey, StoredResponse};
use crate::platform::http::problem::Problem;
use crate::platform::http::window::{self, Window};
use crate::roles::availability::api::{AnswerZone, AvailabilityClient, Question};
use crate::roles::reservation::api::ReservationClient;
use crate::roles::reservation::api::meetings::{Period, ScheduledMeeting};
use crate::roles::reservation::api::problems::SLOT_TAKEN;

/// Days that are searched without dates in the request, as for every meeting.
const DEFAULT_DAYS: i64 = 14;
/// How many slots in a row other meetings may take before the client gets 409.
const MAX_CONFLICTS: usize = 4;
const MAX_TITLE_LENGTH: usize = 200;

/// The fields of a request with `notify` that describe the meeting.
pub struct Booking {
    title: Option<String>,
    key: Option<IdempotencyKey>,
}

impl Booking {
    /// Parses the fields; `None` without `notify`.
    pub fn parse(params: &mut Params, key: Option<IdempotencyKey>) -> Option<Booking> {
        let flag = |value: &Value| {
            value.as_bool().ok_or_else(|| vec![Fault::new("", "not_a_boolean", "must be true or false")])
        };
        let notify = params.optional("notify", flag).unwrap_or_default();
        if !notify {
            return None;
        }
        let title = params.optional("title", text(MAX_TITLE_LENGTH));
        Some(Booking { title, key })
    }

    /// Finds the best slot and records the meeting.
    pub async fn book(
        self,
        availability: &AvailabilityClient,
        reservation: &ReservationClient,
        request: &SuggestionRequest,
        mut question: Question,
    ) -> Result<StoredResponse, Problem> {
        let now = Timestamp::now();
        let asked_zone = match &question.time_zone {
            Some(AnswerZone::Zone(zone)) => Some(zone.clone()),
            Some(AnswerZone::Floating) => return Err(not_for_meetings("#/time_zone")),
            None => None,
        };
        let today = asked_zone.clone().unwrap_or_else(Zone::utc).date_at(now);
        if question.as_of.is_some() {
            return Err(not_for_meetings("#/as_of"));
        }
        if let Some(key) = &self.key
            && let Some(stored) = reservation.answered(key).await?
        {
            return Ok(stored);
        }
        if question.window.is_some_and(|dates| window::is_past(dates, asked_zone.as_ref(), now)) {
            return Err(Problem::validation(vec![window::past_dates(request.by_week)]));
        }
        let has_dates = question.window.is_some();
        question.window.get_or_insert(default_window(today));
        question.not_before = Some(now);
        let mut conflicts = 0;
        loop {
            let detail = availability.detail(&question).await?;
            let zone = detail.time_zone.clone().unwrap_or_else(Zone::utc);
            let window = default_window(zone.date_at(now));
            if !has_dates && question.window != Some(window) {
                // the zone of the answer, and so the date of today, was not known before
                question.window = Some(window);
                continue;
            }
            let unknown = detail.unknown.clone();
            let candidates = Candidates::from_detail(request, detail, rand::random);
            let mut candidates = candidates.map_err(|fault| Problem::internal(fault.detail))?;
            let mut answer = candidates.suggest();
            relaxations::extend(availability, request, &question, &mut answer).await?;
            let body = serde_json::to_value(&answer).map_err(Problem::internal)?;
            let Some(best) = answer.suggestions.first() else { return Ok(StoredResponse::new(200, &[], &body)) };
            question.attendees.retain(|one| !unknown.contains(&one.email));
            let meeting = self.meeting(request, &question, &zone, best, &answer, body)?;
            conflicts += 1;
            match reservation.record(&meeting).await {
                Ok(stored) => return Ok(stored),
                Err(problem) if problem.kind == SLOT_TAKEN && conflicts < MAX_CONFLICTS => {
                    tracing::info!("another meeting took the slot: searching again");
                }
                Err(problem) => return Err(problem),
            }
        }
    }

    fn meeting(
        &self,
        request: &SuggestionRequest,
        question: &Question,
        zone: &Zone,
        best: &Suggestion<&Email>,
        answer: &Suggestions<&Email>,
        body: Value,
    ) -> Result<ScheduledMeeting, Problem> {
        let instant = |text: &str| text.parse().map_err(|_| Problem::internal(format!("{text} is not an instant")));
        // with a quorum, the time of the optional attendees who can come is held too; the busy ones stay optional
        let stays_optional = |email: &Email| request.options.quorum.is_none() || best.busy.contains(&email);
        Ok(ScheduledMeeting {
            organizer: request.organizer.clone(),
            attendees: question.emails(),
            optional: question.optional_emails().into_iter().filter(stays_optional).collect(),
            title: self.title.clone(),
            pick: answer.pick.as_deref().and_then(Preference::parse),
            time_zone: zone.name().to_owned(),
            period: Period { start: instant(&best.start)?, end: instant(&best.end)? },
            reason: best.reason.clone(),
            answer: body,
            key: self.key.clone(),
        })
    }
}

fn default_window(today: Date) -> Window {
    Window { from: today, to: today.saturating_add((DEFAULT_DAYS - 1).days()) }
}

fn not_for_meetings(pointer: &str) -> Problem {
    let detail = "is for the typical week, and a meeting needs dates: leave it out";
    Problem::validation(vec![Fault::new(pointer.to_owned(), "window_and_week", detail)])
}
