//! Finds the time of a meeting: availability combines the calendars, suggestion ranks the slots, the owner records the best.

use super::{JobOutcome, StartedJob};
use crate::calendar::{Grid, Zone, select_optional_attendees};
use crate::platform::email::Email;
use crate::platform::http::problem::{Problem, UNKNOWN_USER, VALIDATION};
use crate::platform::http::window::Window;
use crate::platform::jobs::api::{AttemptFailure, JobReport, RetryDecision};
use crate::roles::availability::api::{AnswerZone, AttendeeAvailability, GroupDetail, Question, RequestedAttendee};
use crate::roles::reservation::api::jobs::{JobResult, ScheduleRequest, StandingTime};
use crate::roles::reservation::api::meetings::Period;
use crate::roles::reservation::api::problems::{BUSY, SLOT_TAKEN};
use crate::roles::suggestion::api::RankRequest;
use crate::roles::worker::job_context::JobContext;

/// How many slots in a row other meetings may take before this attempt fails.
const MAX_CONFLICTS: usize = 8;

/// How many attempts wait, two seconds each, for the news that an attendee was deleted.
const MAX_SNOOZES: i32 = 100;

pub async fn run(context: &JobContext, job: &StartedJob<'_>) -> JobOutcome {
    let request: ScheduleRequest = job.payload()?;
    for _ in 0..MAX_CONFLICTS {
        let result = find_time(context, &request).await.map_err(|problem| failure(job, &problem))?;
        match report(job, result).await {
            Err(problem) if problem.kind == SLOT_TAKEN && request.fixed.is_some() => {
                let none = JobResult::NoCommonTime { reason: problem.detail.into_owned() };
                return report(job, none).await.map_err(|problem| failure(job, &problem));
            }
            Err(problem) if problem.kind == SLOT_TAKEN => {
                tracing::info!(job_id = %job.lease.job_id, "another meeting took the slot: searching again");
            }
            other => return other.map_err(|problem| failure(job, &problem)),
        }
    }
    Err(job.retry(format!("other meetings took the slot {MAX_CONFLICTS} times")))
}

async fn report(job: &StartedJob<'_>, result: JobResult) -> Result<(), Problem> {
    job.finish(&JobReport { attempt: job.lease.attempt, result, notes: Vec::new() }).await
}

/// The failure that a problem means. An invalid request stays invalid. An attendee without an account was deleted: the owner of the
/// meeting will hear of it and search again without the attendee. All else may pass.
fn failure(job: &StartedJob<'_>, problem: &Problem) -> AttemptFailure {
    match problem.kind {
        kind if kind == UNKNOWN_USER && job.lease.attempt < MAX_SNOOZES => {
            job.fail(RetryDecision::Snooze, problem.to_string())
        }
        kind if [UNKNOWN_USER, VALIDATION].contains(&kind) => job.fail(RetryDecision::Discard, problem.to_string()),
        _ => job.retry(problem.to_string()),
    }
}

async fn find_time(context: &JobContext, request: &ScheduleRequest) -> Result<JobResult, Problem> {
    if let Some(period) = request.fixed {
        return check_given_time(context, request, period).await;
    }
    if let Some(StandingTime { period, newcomers }) = &request.standing {
        let (is_busy, outside_week) = conflicts(context, request, *period, newcomers).await?;
        if !is_busy && outside_week.is_empty() {
            return Ok(suggested(*period, "the time of the meeting suits the new attendees, too"));
        }
    }
    if request.window.to < request.time_zone.date_at(request.not_before) {
        return Ok(JobResult::NoCommonTime { reason: "all dates are in the past".to_owned() });
    }
    let question = Question {
        attendees: request.required.iter().chain(&request.optional).cloned().map(RequestedAttendee::from).collect(),
        time_zone: Some(AnswerZone::Zone(request.time_zone.clone())),
        window: Some(request.window),
        not_before: Some(request.not_before),
        except: Some(request.meeting),
        ..Question::default()
    };
    let mut detail = context.availability.detail(&question).await?;
    drop_unavailable_optional(request, &mut detail)?;
    rank(context, request, &detail).await
}

/// Takes a given time, unless a required attendee is busy then. Weeks do not refuse it.
async fn check_given_time(
    context: &JobContext,
    request: &ScheduleRequest,
    period: Period,
) -> Result<JobResult, Problem> {
    let standing = request.standing.as_ref().filter(|standing| standing.period == period);
    let asked = standing.map_or(&request.required, |standing| &standing.newcomers);
    Ok(match conflicts(context, request, period, asked).await? {
        (true, _) => JobResult::NoCommonTime { reason: BUSY.to_owned() },
        (false, outside_week) => {
            JobResult::Suggested { period, reason: "the time was given".to_owned(), held_on_acceptance: outside_week }
        }
    })
}

/// Whether one of some attendees is busy in a period, and whose weeks do not have it.
async fn conflicts(
    context: &JobContext,
    request: &ScheduleRequest,
    period: Period,
    attendees: &[Email],
) -> Result<(bool, Vec<Email>), Problem> {
    let utc = Zone::utc();
    let question = Question {
        attendees: attendees.iter().cloned().map(RequestedAttendee::from).collect(),
        window: Some(Window { from: utc.date_at(period.start), to: utc.date_at(period.end) }),
        time_zone: Some(AnswerZone::Zone(utc)),
        except: Some(request.meeting),
        with_busy: true,
        ..Question::default()
    };
    let detail = context.availability.detail(&question).await?;
    let window = detail.search_window().map_err(Problem::internal)?;
    let mut asked = Grid::empty(window.len());
    asked.insert(window.quarters_overlapping(period.start, period.end));
    // what is left of the period without some quarters
    let without = |texts: &[&Option<String>]| {
        let mut rest = asked.clone();
        for text in texts.iter().copied().flatten() {
            rest.subtract(&parse_grid(window.len(), text)?);
        }
        Ok::<Grid, Problem>(rest)
    };
    let (mut is_busy, mut outside_week) = (false, Vec::new());
    for AttendeeAvailability { email, free, if_needed, busy, .. } in detail.attendees {
        is_busy |= without(&[&busy])? != asked;
        if !without(&[&Some(free), &if_needed])?.is_empty() {
            outside_week.push(email);
        }
    }
    Ok((is_busy, outside_week))
}

fn parse_grid(quarters: usize, text: &str) -> Result<Grid, Problem> {
    let grid = Grid::from_text(quarters, text);
    grid.ok_or_else(|| Problem::internal("the time of an attendee does not fit the dates"))
}

/// Removes the optional attendees who cannot come to a time that suits the others.
fn drop_unavailable_optional(request: &ScheduleRequest, detail: &mut GroupDetail) -> Result<(), Problem> {
    let quarters = detail.search_window().map_err(Problem::internal)?.len();
    let free = |attendee: &AttendeeAvailability| parse_grid(quarters, &attendee.free);
    let is_required = |attendee: &&AttendeeAvailability| request.required.contains(&attendee.email);
    let required: Vec<Grid> = detail.attendees.iter().filter(is_required).map(free).collect::<Result<_, _>>()?;
    let others: Vec<&AttendeeAvailability> = detail.attendees.iter().filter(|one| !is_required(one)).collect();
    let optional: Vec<Grid> = others.iter().map(|one| free(one)).collect::<Result<_, _>>()?;
    let duration = usize::try_from(request.duration_minutes / 15).unwrap_or(1);
    let coming = select_optional_attendees(&required, &optional, duration);
    let coming: Vec<Email> = coming.into_iter().map(|index| others[index].email.clone()).collect();
    detail.attendees.retain(|one| request.required.contains(&one.email) || coming.contains(&one.email));
    Ok(())
}

async fn rank(context: &JobContext, request: &ScheduleRequest, detail: &GroupDetail) -> Result<JobResult, Problem> {
    let ScheduleRequest { duration_minutes, pick, seed, step_minutes, .. } = *request;
    let organizer = Some(request.organizer.clone());
    let rank = RankRequest { detail, duration_minutes, pick, seed, step_minutes, organizer };
    let answer = context.suggestion.rank(&rank).await?;
    let Some(best) = answer.suggestions.into_iter().next() else {
        let reason = answer.empty_reason.map_or_else(|| "no time suits all attendees".to_owned(), |why| why.detail);
        return Ok(JobResult::NoCommonTime { reason });
    };
    let instant = |text: &str| text.parse().map_err(|_| Problem::internal(format!("{text} is not an instant")));
    let period = Period { start: instant(&best.start)?, end: instant(&best.end)? };
    Ok(suggested(period, best.reason))
}

fn suggested(period: Period, reason: impl Into<String>) -> JobResult {
    JobResult::Suggested { period, reason: reason.into(), held_on_acceptance: Vec::new() }
}
