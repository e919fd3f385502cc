//! The result of a delivery, and what it means for the next attempt.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderMap, RETRY_AFTER};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// The result of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryResult {
    /// The receiver accepted the message.
    Delivered {
        /// The status, 2xx.
        status: u16,
    },
    /// The attempt failed.
    Failed {
        /// The status of the response, if there was one.
        status: Option<u16>,
        /// The reason, for the owner of the URL.
        why: String,
        /// The delay that the receiver asks for.
        retry_after: Option<Duration>,
        /// Whether the time limit was reached.
        timed_out: bool,
    },
    /// 410: the receiver wants no more messages.
    Gone,
    /// Nothing was sent, because the URL or an address of its host is not allowed.
    Blocked {
        /// The reason, for the owner of the URL.
        why: String,
    },
}

impl DeliveryResult {
    /// The status of the response, or the reason why there is none.
    pub fn status(&self) -> Result<u16, String> {
        match self {
            DeliveryResult::Delivered { status } | DeliveryResult::Failed { status: Some(status), .. } => Ok(*status),
            DeliveryResult::Gone => Ok(410),
            DeliveryResult::Blocked { why } | DeliveryResult::Failed { why, .. } => Err(why.clone()),
        }
    }

    /// The reason of a failure, or the status of a response.
    pub(super) fn reason(self) -> String {
        match self {
            DeliveryResult::Failed { why, .. } | DeliveryResult::Blocked { why } => why,
            DeliveryResult::Delivered { status } => format!("it responded with {status}"),
            DeliveryResult::Gone => "it responded with 410".to_owned(),
        }
    }

    /// The result of a response with this status and these headers.
    pub(super) fn read(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> DeliveryResult {
        let code = status.as_u16();
        match code {
            200..=299 => DeliveryResult::Delivered { status: code },
            410 => DeliveryResult::Gone,
            _ => {
                let more = if status.is_redirection() { "; redirects are not followed" } else { "" };
                let why = format!("it responded with {code}{more}");
                let retry_after = retry_after(headers, now);
                DeliveryResult::Failed { status: Some(code), why, retry_after, timed_out: false }
            }
        }
    }

    /// An attempt that failed before a response.
    pub(super) fn failed(why: String) -> DeliveryResult {
        DeliveryResult::Failed { status: None, why, retry_after: None, timed_out: false }
    }

    /// An attempt that reached its time limit.
    pub(super) fn timed_out(seconds: f64) -> DeliveryResult {
        let why = format!("it did not respond within {seconds} s");
        DeliveryResult::Failed { status: None, why, retry_after: None, timed_out: true }
    }
}

/// `Retry-After`, as seconds or as a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::try_from(then.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    fn delay(text: &str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, text.parse().expect("a header"));
        let now: Timestamp = "1994-11-06T08:49:37Z".parse().expect("a time");
        retry_after(&headers, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(delay("120"), Some(120));
        assert_eq!(delay(" 0 "), Some(0));
        assert_eq!(delay("Sun, 06 Nov 1994 08:51:37 GMT"), Some(120));
        assert_eq!(delay("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0), "a date that has passed");
        for nonsense in ["", "soon", "-1", "1.5", "99999999999999999999999", "06 Nov"] {
            assert_eq!(delay(nonsense), None, "{nonsense}");
        }
    }
}
