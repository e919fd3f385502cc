//! Relaxations that need another question to availability: any hour of the day, or more dates.

use futures_util::future::join;
use jiff::ToSpan;
use serde_json::{Map, Value, json};

use super::api::{Relaxation, Suggestions};
use super::empty_reason::relaxation;
use super::model::Candidates;
use super::request::SuggestionRequest;
use crate::calendar::{SearchWindow, Zone};
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;
use crate::roles::availability::api::{AvailabilityClient, GroupDetail, Question, Window};

/// Days that are searched after the last requested one.
const EXTRA_DAYS: i64 = 7;

/// Adds these relaxations to an answer without suggestions.
pub async fn extend(
    availability: &AvailabilityClient,
    request: &SuggestionRequest,
    question: &Question,
    answer: &mut Suggestions<&Email>,
) -> Result<(), Problem> {
    let Some(reason) = &mut answer.empty_reason else { return Ok(()) };
    let any_hour = any_hour(availability, request, question);
    let (any_hour, more_dates) = join(any_hour, more_dates(availability, request, question)).await;
    reason.relaxations.extend(any_hour?);
    reason.relaxations.extend(more_dates?);
    Ok(())
}

/// The same search at any hour of the day.
async fn any_hour(
    availability: &AvailabilityClient,
    request: &SuggestionRequest,
    question: &Question,
) -> Result<Option<Relaxation>, Problem> {
    let Some(hours) = question.hours else { return Ok(None) };
    let detail = availability.detail(&Question { hours: None, ..question.clone() }).await?;
    let slots = candidates(request, detail)?.count_starts();
    let given = [("earliest", hours.earliest), ("latest", hours.latest)];
    let change: Map<String, Value> =
        given.into_iter().filter(|(_, hour)| hour.is_some()).map(|(name, _)| (name.to_owned(), Value::Null)).collect();
    Ok((slots > 0).then(|| relaxation("any_hour", "at any hour of the day", change.into(), slots)))
}

/// The same search with as few more dates as help.
async fn more_dates(
    availability: &AvailabilityClient,
    request: &SuggestionRequest,
    question: &Question,
) -> Result<Option<Relaxation>, Problem> {
    let Some(window) = question.window else { return Ok(None) };
    let extended = |days: i64| Window { to: window.to.saturating_add(days.days()), ..window };
    let is_valid = |days: &i64| SearchWindow::dates(Zone::utc(), window.from, extended(*days).to).is_ok();
    let Some(max_days) = (1..=EXTRA_DAYS).rev().find(is_valid) else { return Ok(None) };
    let detail = availability.detail(&Question { window: Some(extended(max_days)), ..question.clone() }).await?;
    let candidates = candidates(request, detail)?;
    if candidates.count_starts() == 0 {
        return Ok(None);
    }
    for wider in (1..=max_days).map(extended) {
        let slots = candidates.count_starts_until(wider).map_err(|fault| Problem::internal(fault.detail))?;
        if slots > 0 {
            let mut change = json!({ "from": wider.from, "to": wider.to });
            if request.by_week {
                change["week"] = Value::Null;
            }
            let condition = format!("with dates until {}", wider.to.strftime("%A, %-d %B %Y"));
            return Ok(Some(relaxation("widen", &condition, change, slots)));
        }
    }
    Ok(None)
}

/// Counting needs no seed.
fn candidates(request: &SuggestionRequest, detail: GroupDetail) -> Result<Candidates<'_>, Problem> {
    Candidates::from_detail(request, detail, || 0).map_err(|fault| Problem::internal(fault.detail))
}
