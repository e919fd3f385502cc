//! Where nothing was found: what another question to availability would give, more days or any hour.

use futures_util::future::join;
use jiff::ToSpan;
use serde_json::{Map, Value, json};

use super::api::{Relaxation, Suggestions};
use super::empty_reason::relaxation;
use super::model::Candidates;
use super::request::Request;
use crate::calendar::{SearchWindow, Zone};
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;
use crate::roles::availability::api::{AvailabilityClient, GroupDetail, Question, Window};

/// Days that are searched after the last one asked for.
const DAYS: i64 = 7;

/// Adds to an answer without suggestions what it takes another question to know.
pub async fn look(
    times: &AvailabilityClient,
    request: &Request,
    question: &Question,
    answer: &mut Suggestions<&Email>,
) -> Result<(), Problem> {
    let Some(why) = &mut answer.empty_reason else { return Ok(()) };
    let (any_hour, later) = join(any_hour(times, request, question), widen(times, request, question)).await;
    why.relaxations.extend(any_hour?);
    why.relaxations.extend(later?);
    Ok(())
}

/// The same at any hour of the day.
async fn any_hour(
    times: &AvailabilityClient,
    request: &Request,
    question: &Question,
) -> Result<Option<Relaxation>, Problem> {
    let Some(hours) = question.hours else { return Ok(None) };
    let detail = times.detail(&Question { hours: None, ..question.clone() }).await?;
    let slots = enter(request, detail)?.count();
    let given = [("earliest", hours.earliest), ("latest", hours.latest)];
    let change: Map<String, Value> =
        given.into_iter().filter(|(_, hour)| hour.is_some()).map(|(name, _)| (name.to_owned(), Value::Null)).collect();
    Ok((slots > 0).then(|| relaxation("any_hour", "at any hour of the day", change.into(), slots)))
}

/// The same dates and as few more as help.
async fn widen(
    times: &AvailabilityClient,
    request: &Request,
    question: &Question,
) -> Result<Option<Relaxation>, Problem> {
    let Some(window) = question.window else { return Ok(None) };
    let later = |days: i64| Window { to: window.to.saturating_add(days.days()), ..window };
    let is_window = |days: &i64| SearchWindow::dates(Zone::utc(), window.from, later(*days).to).is_ok();
    let Some(most) = (1..=DAYS).rev().find(is_window) else { return Ok(None) };
    let detail = times.detail(&Question { window: Some(later(most)), ..question.clone() }).await?;
    let room = enter(request, detail)?;
    if room.count() == 0 {
        return Ok(None);
    }
    for wider in (1..=most).map(later) {
        let slots = room.count_until(wider).map_err(|fault| Problem::internal(fault.detail))?;
        if slots > 0 {
            let mut change = json!({ "from": wider.from, "to": wider.to });
            if request.by_week {
                change["week"] = Value::Null;
            }
            let what = format!("until {}", wider.to.strftime("%A, %-d %B %Y"));
            return Ok(Some(relaxation("widen", &what, change, slots)));
        }
    }
    Ok(None)
}

/// The seed does not matter where nothing is drawn.
fn enter(request: &Request, detail: GroupDetail) -> Result<Candidates<'_>, Problem> {
    Candidates::enter(request, detail, || 0).map_err(|fault| Problem::internal(fault.detail))
}
