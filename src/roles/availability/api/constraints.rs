//! Parses the constraints of a question: the quorum, unknown attendees, and the hours of the day.

use serde_json::Value;

use super::question::Hours;
use crate::calendar::Fault;
use crate::platform::http::extract::{Params, parsed};

/// `quorum`: a number, or a percentage of all attendees, rounded up.
pub fn quorum(params: &mut Params, attendees: Option<usize>) -> Option<usize> {
    let from_query = params.is_query();
    params.optional("quorum", |value| {
        let most = attendees.unwrap_or(usize::MAX);
        let whole = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        let count = match value {
            Value::String(text) => match text.strip_suffix('%').map(whole) {
                Some(percent) => percent
                    .filter(|percent| (1..=100).contains(percent))
                    .map(|percent: usize| (most.saturating_mul(percent)).div_ceil(100)),
                None => whole(text).filter(|_| from_query),
            },
            other => other.as_u64().and_then(|count| usize::try_from(count).ok()),
        };
        let detail = || match attendees {
            Some(most) => {
                format!("must be a number from 1 to {most}, the number of attendees, or a percentage such as 60%")
            }
            None => "must be a number of attendees, or a percentage such as 60%".to_owned(),
        };
        let count = count.filter(|count| (1..=most).contains(count));
        count.ok_or_else(|| vec![Fault::new("", "not_a_quorum", detail())])
    })
}

/// `unknown=skip`: attendees without an account are skipped.
pub fn skip_unknown(params: &mut Params) -> bool {
    let known = |text: &str| if text == "skip" { Ok(()) } else { Err("must be skip, or absent") };
    params.optional("unknown", parsed("not_skip", known)).is_some()
}

/// `past=include`: in dates that have not passed, the time before now counts too.
pub fn include_past(params: &mut Params) -> bool {
    let known = |text: &str| if text == "include" { Ok(()) } else { Err("must be include, or absent") };
    params.optional("past", parsed("not_include", known)).is_some()
}

/// `earliest` and `latest`, as `HH:MM` on quarters.
pub fn hours(params: &mut Params) -> Option<Hours> {
    let earliest = params.optional("earliest", |value| time_of_day(value, 0, "00:00 to 23:45"));
    let latest = params.optional("latest", |value| time_of_day(value, 15, "00:15 to 24:00"));
    if let (Some(earliest), Some(latest)) = (earliest, latest)
        && earliest >= latest
    {
        let detail = "must be later than earliest: hours across midnight are not supported";
        params.fault(Fault::new("#/latest", "empty_hours", detail));
    }
    (earliest.is_some() || latest.is_some()).then_some(Hours { earliest, latest })
}

/// Minutes since midnight, on a quarter, within the 24 hours that begin at `first`.
fn time_of_day(value: &Value, first: u16, range: &str) -> Result<u16, Vec<Fault>> {
    let parse = |text: &str| {
        let (hour, minute) = text.split_once(':').filter(|(hour, minute)| hour.len() == 2 && minute.len() == 2)?;
        let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u16>().ok());
        let (hour, minute) = (number(hour)??, number(minute)??);
        let minutes = 60 * hour + minute;
        let is_inside = (first..first + 1440).contains(&minutes);
        (minute < 60 && minute.is_multiple_of(15) && is_inside).then_some(minutes)
    };
    let detail = || format!("must be a time of day on a quarter of an hour, {range}");
    parsed("not_a_time_of_day", |text| parse(text).ok_or_else(detail))(value)
}
