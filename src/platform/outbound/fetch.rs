//! Fetches a calendar from a URL that a client named: under the same guard as webhooks, with a limit of size and time.

use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED,
};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use tokio::time::timeout_at;

use super::client::{AGENT, Response, WebhookClient};
use super::response::DeliveryResult;
use crate::platform::http::headers::content_length;
use crate::platform::outbound::calendar_source::{CalendarSource, Fetched, Validators, text_of};
use crate::platform::request_context::milliseconds;

/// The maximum length of a stored entity tag or date.
const MAX_VALIDATOR: usize = 512;
const TRUNCATED: &str = "it closed the connection in the middle of the calendar";

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
        let url = match self.client.guard.parse(self.url) {
            Ok(url) => url,
            Err(refused) => return Fetched::Failed { why: refused.to_string() },
        };
        let fetched = self.attempt(url.as_str(), known).await;
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
    async fn attempt(&self, url: &str, known: &Validators) -> Fetched {
        let limit = self.client.timeout_seconds;
        let deadline = tokio::time::Instant::now() + Duration::from_secs_f64(limit);
        let mut request = self
            .client
            .client
            .get(url)
            .no_decompress()
            // a new connection for each fetch, so that the guard checks each
            .force_close()
            .insert_header((ACCEPT, "text/calendar"))
            .insert_header((ACCEPT_ENCODING, "identity"))
            .insert_header(("user-agent", AGENT));
        for (name, value) in [(IF_NONE_MATCH, &known.etag), (IF_MODIFIED_SINCE, &known.last_modified)] {
            if let Some(value) = value {
                request = request.insert_header((name, value.as_str()));
            }
        }
        let failed = |result: DeliveryResult| Fetched::Failed { why: result.reason() };
        let late = |_| failed(DeliveryResult::timed_out(limit));
        let response = match timeout_at(deadline, request.send()).await {
            Err(elapsed) => return late(elapsed),
            Ok(Err(error)) => return failed(self.client.classify(&error)),
            Ok(Ok(response)) => response,
        };
        match response.status() {
            StatusCode::NOT_MODIFIED => Fetched::Unchanged,
            StatusCode::OK if is_encoded(response.headers()) => {
                Fetched::Failed { why: "it sent the calendar compressed, although the request forbids that".to_owned() }
            }
            StatusCode::OK => timeout_at(deadline, self.read_body(response)).await.unwrap_or_else(late),
            status => failed(DeliveryResult::read(status, response.headers(), Timestamp::now())),
        }
    }

    /// Reads the body, up to the maximum size.
    async fn read_body(&self, mut response: Response) -> Fetched {
        let header = |name: HeaderName| {
            let value = response.headers().get(name)?.to_str().ok()?.to_owned();
            Some(value).filter(|value| value.len() <= MAX_VALIDATOR)
        };
        let validators = Validators { etag: header(ETAG), last_modified: header(LAST_MODIFIED) };
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
            // awc takes a response without framing for one without a body
            return Fetched::Failed { why: "it sent nothing, or no length".to_owned() };
        }
        Fetched::Text { text: text_of(&body), seen: validators }
    }
}

fn is_encoded(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_ENCODING).is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
}
