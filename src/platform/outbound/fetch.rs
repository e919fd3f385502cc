//! Fetches a calendar from a URL that a client named: under the same guard as callbacks, within a size and a time.

use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, LAST_MODIFIED,
};
use futures_util::StreamExt as _;
use tokio::time::timeout_at;

use super::client::{AGENT, Incoming, WebhookClient};
use super::response::DeliveryResult;
use crate::platform::outbound::calendar_source::{CalendarSource, Fetched, Validators, text_of};
use crate::platform::request_context::milliseconds;

/// Bytes of an entity tag or a date that are kept.
const LONGEST_TAG: usize = 512;
const BROKEN: &str = "it broke off in the middle";

/// A calendar that is published under a URL.
pub struct Subscription<'a> {
    /// What it is fetched with.
    pub sender: &'a WebhookClient,
    /// Where; judged anew each time. Whoever knows it may read the calendar: it is not to be logged.
    pub url: &'a str,
    /// Bytes that it may have.
    pub most: usize,
}

impl CalendarSource for Subscription<'_> {
    async fn fetch(&self, seen: &Validators) -> Fetched {
        let begin = Instant::now();
        let url = match self.sender.guard().parse(self.url) {
            Ok(url) => url,
            Err(refused) => return Fetched::Failed { why: refused.to_string() },
        };
        let fetched = self.attempt(url.as_str(), seen).await;
        let (host, ms) = (url.host(), milliseconds(begin));
        match &fetched {
            Fetched::Text { text, .. } => tracing::info!(host, bytes = text.len(), ms, "calendar fetched"),
            Fetched::Unchanged => tracing::info!(host, ms, "calendar unchanged"),
            Fetched::Failed { why } => tracing::warn!(host, why, ms, "calendar not fetched"),
        }
        fetched
    }
}

impl Subscription<'_> {
    async fn attempt(&self, url: &str, seen: &Validators) -> Fetched {
        let patience = self.sender.patience();
        let deadline = tokio::time::Instant::now() + Duration::from_secs_f64(patience);
        let mut request = self
            .sender
            .client()
            .get(url)
            .no_decompress()
            // each one opens a connection of its own, so that each is judged
            .force_close()
            .insert_header((ACCEPT, "text/calendar"))
            .insert_header((ACCEPT_ENCODING, "identity"))
            .insert_header(("user-agent", AGENT));
        for (name, value) in [(IF_NONE_MATCH, &seen.etag), (IF_MODIFIED_SINCE, &seen.last_modified)] {
            if let Some(value) = value {
                request = request.insert_header((name, value.as_str()));
            }
        }
        let failed = |why: String| Fetched::Failed { why };
        match timeout_at(deadline, request.send()).await {
            Err(_) => failed(late(patience)),
            Ok(Err(error)) => failed(reason(self.sender.judge(&error))),
            Ok(Ok(answer)) if answer.status() == StatusCode::NOT_MODIFIED => Fetched::Unchanged,
            Ok(Ok(answer)) if answer.status() != StatusCode::OK => failed(refusal(answer.status())),
            Ok(Ok(answer)) if is_encoded(answer.headers()) => {
                failed("it sent the calendar compressed, although it was asked not to".to_owned())
            }
            Ok(Ok(answer)) => match timeout_at(deadline, self.whole(answer)).await {
                Ok(fetched) => fetched,
                Err(_) => failed(late(patience)),
            },
        }
    }

    /// All of the body, if that is not more than it may be.
    async fn whole(&self, mut answer: Incoming) -> Fetched {
        let kept = |name: HeaderName| {
            let value = answer.headers().get(name)?.to_str().ok()?.to_owned();
            Some(value).filter(|value| value.len() <= LONGEST_TAG)
        };
        let seen = Validators { etag: kept(ETAG), last_modified: kept(LAST_MODIFIED) };
        let length = answer.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        let mut body = Vec::new();
        while let Some(chunk) = answer.next().await {
            match chunk {
                Ok(chunk) if body.len() + chunk.len() <= self.most => body.extend_from_slice(&chunk),
                Ok(_) => return Fetched::Failed { why: format!("it is larger than {} bytes", self.most) },
                Err(_) => return Fetched::Failed { why: BROKEN.to_owned() },
            }
        }
        // the client does not mind when there is less than was said
        if length.is_some_and(|length| length != body.len()) {
            return Fetched::Failed { why: BROKEN.to_owned() };
        }
        if body.is_empty() {
            // the client takes an answer that does not say where it ends for one without a body
            return Fetched::Failed { why: "it sent nothing, or did not say how much".to_owned() };
        }
        Fetched::Text { text: text_of(&body), seen }
    }
}

fn late(seconds: f64) -> String {
    format!("it did not answer within {seconds} s")
}

fn refusal(status: StatusCode) -> String {
    let more = if status.is_redirection() { "; redirects are not followed" } else { "" };
    format!("it answered {}{more}", status.as_u16())
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

fn reason(answer: DeliveryResult) -> String {
    match answer {
        DeliveryResult::Failed { why, .. } | DeliveryResult::Blocked { why } => why,
        DeliveryResult::Delivered { status } => format!("it answered {status}"),
        DeliveryResult::Gone => "it answered 410".to_owned(),
    }
}
