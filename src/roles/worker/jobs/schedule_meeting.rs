//! Finds the time of a meeting: availability says when, suggestion says which, user says whether it is still free.

use crate::calendar::{Grid, who_else_can_come};
use crate::platform::email::Email;
use crate::platform::http::problem::{Problem, SLOT_TAKEN, UNKNOWN_USER, VALIDATION};
use crate::roles::availability::api::{AnswerZone, AttendeeAvailability, GroupDetail, Question, RequestedAttendee};
use crate::roles::suggestion::api::Ranking;
use crate::roles::user::api::jobs::{AttemptFailure, JobLease, JobReport, JobResult, RetryDecision, ScheduleRequest};
use crate::roles::user::api::meetings::Period;
use crate::roles::worker::consumer::is_over;
use crate::roles::worker::tools::{JobOutcome, Tools};

/// How often another meeting may snatch the slot before this attempt gives up.
const ROUNDS: usize = 8;

/// Looks for a time until one is recorded.
pub async fn perform(tools: &Tools, order: &JobLease, search: &ScheduleRequest) -> JobOutcome {
    for _ in 0..ROUNDS {
        let result = look(tools, search).await.map_err(|problem| failed(order, &problem))?;
        match finish(tools, order, result).await {
            Err(problem) if problem.kind == SLOT_TAKEN && search.fixed.is_some() => {
                let reason = problem.detail.into_owned();
                let none = finish(tools, order, JobResult::NoCommonTime { reason }).await;
                return none.map_err(|problem| failed(order, &problem));
            }
            Err(problem) if problem.kind == SLOT_TAKEN => {
                tracing::info!(job_id = %order.job_id, "the slot was taken meanwhile: looking again");
            }
            other => return other.map_err(|problem| failed(order, &problem)),
        }
    }
    Err(AttemptFailure::again(order, format!("other meetings took the slot {ROUNDS} times")))
}

async fn finish(tools: &Tools, order: &JobLease, result: JobResult) -> Result<(), Problem> {
    let done = JobReport { attempt: order.attempt, result, notes: Vec::new() };
    match tools.jobs.finish(order, &done).await {
        Err(problem) if is_over(&problem) => Ok(()),
        other => other,
    }
}

/// What cannot become true by waiting is not tried again.
fn failed(order: &JobLease, problem: &Problem) -> AttemptFailure {
    let hopeless = [UNKNOWN_USER, VALIDATION].contains(&problem.kind);
    let again = AttemptFailure::again(order, problem.to_string());
    if hopeless { AttemptFailure { verdict: RetryDecision::Never, ..again } } else { again }
}

async fn look(tools: &Tools, search: &ScheduleRequest) -> Result<JobResult, Problem> {
    if let Some(period) = search.fixed {
        return Ok(JobResult::Suggested { period, reason: "the time was given".to_owned() });
    }
    if search.window.to < search.time_zone.date_at(search.not_before) {
        return Ok(JobResult::NoCommonTime { reason: "the dates lie in the past".to_owned() });
    }
    let question = Question {
        attendees: search.required.iter().chain(&search.optional).cloned().map(RequestedAttendee::from).collect(),
        time_zone: Some(AnswerZone::Zone(search.time_zone.clone())),
        window: Some(search.window),
        not_before: Some(search.not_before),
        ..Question::default()
    };
    let mut detail = tools.times.detail(&question).await?;
    keep_those_who_can_come(search, &mut detail)?;
    rank(tools, search, &detail).await
}

/// Leaves out whom it does not suit, of those who need not be there.
fn keep_those_who_can_come(search: &ScheduleRequest, detail: &mut GroupDetail) -> Result<(), Problem> {
    let quarters = detail.frame().map_err(Problem::internal)?.len();
    let free = |presence: &AttendeeAvailability| {
        let grid = Grid::from_text(quarters, &presence.free);
        grid.ok_or_else(|| Problem::internal("a grid that does not fit its frame"))
    };
    let is_required = |presence: &&AttendeeAvailability| search.required.contains(&presence.email);
    let required: Vec<Grid> = detail.attendees.iter().filter(is_required).map(free).collect::<Result<_, _>>()?;
    let others: Vec<&AttendeeAvailability> = detail.attendees.iter().filter(|one| !is_required(one)).collect();
    let optional: Vec<Grid> = others.iter().map(|one| free(one)).collect::<Result<_, _>>()?;
    let duration = usize::try_from(search.duration_minutes / 15).unwrap_or(1);
    let come = who_else_can_come(&required, &optional, duration);
    let come: Vec<Email> = come.into_iter().map(|at| others[at].email.clone()).collect();
    detail.attendees.retain(|one| search.required.contains(&one.email) || come.contains(&one.email));
    Ok(())
}

async fn rank(tools: &Tools, search: &ScheduleRequest, detail: &GroupDetail) -> Result<JobResult, Problem> {
    let ScheduleRequest { duration_minutes, pick, seed, .. } = *search;
    let answer = tools.suggester.rank(&Ranking { detail, duration_minutes, pick, seed }).await?;
    let Some(best) = answer.suggestions.into_iter().next() else {
        let reason = answer.empty_reason.map_or_else(|| "no time suits everybody".to_owned(), |why| why.detail);
        return Ok(JobResult::NoCommonTime { reason });
    };
    let instant = |text: &str| text.parse().map_err(|_| Problem::internal(format!("{text} is no instant")));
    let period = Period { start: instant(&best.start)?, end: instant(&best.end)? };
    Ok(JobResult::Suggested { period, reason: best.reason })
}
