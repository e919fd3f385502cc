//! Fetches a calendar from a URL that a client named: under the same guard as webhooks, with a limit of size and time.

use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, LAST_MODIFIED, LOCATION, TRANSFER_ENCODING,
};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use tokio::time::timeout_at;

use super::client::{AGENT, Response, WebhookClient};
use super::feed_url::FeedUrl;
use super::response::DeliveryResult;
use crate::platform::http::headers::content_length;
use crate::platform::outbound::calendar_source::{CalendarSource, Fetched, Validators, is_gzip, text_of};
use crate::platform::request_context::milliseconds;

/// The maximum length of a stored entity tag or date.
const MAX_VALIDATOR: usize = 512;
/// The most redirects of one fetch.
const MAX_REDIRECTS: usize = 5;
const TRUNCATED: &str = "it closed the connection in the middle of the calendar";
const COMPRESSED: &str = "it sent the calendar compressed: publish it without compression";

/// A calendar that is published at a URL.
pub struct Subscription<'a> {
    /// The client.
    pub client: &'a WebhookClient,
    /// The URL; checked at each fetch. It gives access to the calendar: it must not be logged.
    pub url: &'a str,
    /// The maximum size in bytes.
    pub max_bytes: usize,
}

impl CalendarSource for Subscription<'_> {
    async fn fetch(&self, known: &Validators) -> Fetched {
        let begin = Instant::now();
        let feed = match FeedUrl::parse(&self.client.guard, self.url) {
            Ok(feed) => feed,
            Err(refused) => return Fetched::Failed { why: format!("the URL {refused}") },
        };
        let host = feed.url.host().to_owned();
        let fetched = self.follow(feed, known).await;
        let ms = milliseconds(begin);
        match &fetched {
            Fetched::Text { text, .. } => tracing::info!(host, bytes = text.len(), ms, "calendar fetched"),
            Fetched::Unchanged => tracing::info!(host, ms, "calendar unchanged"),
            Fetched::Failed { why } => tracing::warn!(host, why, ms, "calendar not fetched"),
        }
        fetched
    }
}

/// What one request leads to.
enum Step {
    Done(Fetched),
    /// A redirect to this reference.
    Redirect(String),
}

impl Subscription<'_> {
    /// Follows redirects, each checked like the first URL, within one time limit.
    async fn follow(&self, mut feed: FeedUrl, known: &Validators) -> Fetched {
        let deadline = tokio::time::Instant::now() + Duration::from_secs_f64(self.client.timeout_seconds);
        for _ in 0..=MAX_REDIRECTS {
            match self.attempt(&feed, known, deadline).await {
                Step::Done(fetched) => return fetched,
                Step::Redirect(location) => match feed.redirect(&self.client.guard, &location) {
                    Ok(next) => feed = next,
                    Err(refused) => return Fetched::Failed { why: format!("it redirects, and the new URL {refused}") },
                },
            }
        }
        Fetched::Failed { why: format!("it redirects more than {MAX_REDIRECTS} times") }
    }

    async fn attempt(&self, feed: &FeedUrl, known: &Validators, deadline: tokio::time::Instant) -> Step {
        let mut request = self
            .client
            .client
            .get(feed.url.as_str())
            .no_decompress()
            // a new connection for each fetch, so that the guard checks each
            .force_close()
            .insert_header((ACCEPT, "text/calendar"))
            .insert_header((ACCEPT_ENCODING, "identity"))
            .insert_header(("user-agent", AGENT));
        if let Some((user, password)) = feed.credentials() {
            request = request.basic_auth(user, password);
        }
        for (name, value) in [(IF_NONE_MATCH, &known.etag), (IF_MODIFIED_SINCE, &known.last_modified)] {
            if let Some(value) = value {
                request = request.insert_header((name, value.as_str()));
            }
        }
        let failed = |result: DeliveryResult| Fetched::Failed { why: result.reason() };
        let late = |_| failed(DeliveryResult::timed_out(self.client.timeout_seconds));
        let response = match timeout_at(deadline, request.send()).await {
            Err(elapsed) => return Step::Done(late(elapsed)),
            Ok(Err(error)) => return Step::Done(failed(self.client.classify(&error))),
            Ok(Ok(response)) => response,
        };
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        Step::Done(match (response.status(), location) {
            (StatusCode::NOT_MODIFIED, _) => Fetched::Unchanged,
            (StatusCode::OK, _) if is_encoded(response.headers()) => Fetched::Failed { why: COMPRESSED.to_owned() },
            (StatusCode::OK, _) if !has_framing(response.headers()) => {
                let whole = self.client.read_to_end(feed, self.max_bytes);
                match timeout_at(deadline, whole).await {
                    Err(elapsed) => late(elapsed),
                    Ok(Err(why)) => Fetched::Failed { why },
                    Ok(Ok(body)) => fetched(&body, validators(response.headers())),
                }
            }
            (StatusCode::OK, _) => timeout_at(deadline, self.read_body(response)).await.unwrap_or_else(late),
            (status, Some(location)) if status.is_redirection() => return Step::Redirect(location.to_owned()),
            (status, _) => failed(DeliveryResult::read(status, response.headers(), Timestamp::now())),
        })
    }

    /// Reads the body, up to the maximum size.
    async fn read_body(&self, mut response: Response) -> Fetched {
        let validators = validators(response.headers());
        let length = content_length(response.headers());
        let mut body = Vec::new();
        while let Some(chunk) = response.next().await {
            match chunk {
                Ok(chunk) if body.len() + chunk.len() <= self.max_bytes => body.extend_from_slice(&chunk),
                Ok(_) => return Fetched::Failed { why: format!("it is larger than {} bytes", self.max_bytes) },
                Err(_) => return Fetched::Failed { why: TRUNCATED.to_owned() },
            }
        }
        // awc accepts a body that is shorter than its content-length
        if length.is_some_and(|length| length != body.len() as u64) {
            return Fetched::Failed { why: TRUNCATED.to_owned() };
        }
        if body.is_empty() {
            return Fetched::Failed { why: "it sent nothing".to_owned() };
        }
        fetched(&body, validators)
    }
}

/// The calendar in a body.
fn fetched(body: &[u8], seen: Validators) -> Fetched {
    match is_gzip(body) {
        true => Fetched::Failed { why: COMPRESSED.to_owned() },
        false => Fetched::Text { text: text_of(body), seen },
    }
}

/// The validators that a response gives, unless they are too long to store.
fn validators(headers: &HeaderMap) -> Validators {
    let header = |name: HeaderName| {
        let value = headers.get(name)?.to_str().ok()?.to_owned();
        Some(value).filter(|value| value.len() <= MAX_VALIDATOR)
    };
    Validators { etag: header(ETAG), last_modified: header(LAST_MODIFIED) }
}

/// Whether the headers tell where the body ends. awc takes a response without framing for one without a body.
fn has_framing(headers: &HeaderMap) -> bool {
    headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING)
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}
