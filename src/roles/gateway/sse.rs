//! Server-sent events: the state of a subject, and its changes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Data;
use actix_web::{Error, HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::stream::unfold;
use serde_json::Value;
use tokio::time::{Duration, Instant, Interval, MissedTickBehavior, interval_at, sleep};
use uuid::Uuid;

use super::handlers::Peers;
use super::stream_access::{StreamAccess, Validity};
use super::streams::{PING_INTERVAL, StreamSubscription, Streams};
use super::topic::Topic;
use crate::platform::auth::Principal;
use crate::platform::http::HttpResult;
use crate::platform::http::problem::{NOT_FOUND, Problem};
use crate::platform::lifecycle::Phase;
use crate::platform::role::Context;
use crate::roles::reservation;

/// Milliseconds after which a client reconnects when its stream has ended.
const RETRY: &str = "retry: 2000\n\n";
const PING: &[u8] = b": ping\n\n";
/// The pause before an update while nobody can tell whether its reader may have it.
const PAUSE: Duration = Duration::from_secs(1);

/// `GET /api/meetings/{id}/events`
pub async fn stream_meeting(
    req: HttpRequest,
    principal: Principal,
    peers: Data<Peers>,
    streams: Data<Streams>,
    context: Data<Context>,
) -> HttpResult {
    let id = req.match_info().get("id").and_then(|text| Uuid::parse_str(text).ok());
    let id = id.ok_or_else(|| Problem::new(NOT_FOUND, "the id of a meeting is a UUID, and this is not one"))?;
    let topic = Topic {
        subject: format!("meeting/{id}"),
        role: reservation::api::ROLE,
        path: format!("/internal/meetings/{id}"),
        // the callback URL is the organizer's alone
        redact: |meeting| meeting["callback_url"] = Value::Null,
        readers: readers_of_meeting,
    };
    let access = StreamAccess::read(&req, &principal)?;
    let reader = Reader { email: restricted_email(&principal), access };
    stream(&req, reader, topic, &format!("/meetings/{id}"), &peers, streams, &context).await
}

/// The organizer and the attendees.
fn readers_of_meeting(meeting: &Value) -> Vec<String> {
    let attendees = meeting["attendees"].as_array().into_iter().flatten().map(|one| &one["email"]);
    attendees.chain([&meeting["organizer"]]).filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The address of the account, unless it may read everything.
fn restricted_email(principal: &Principal) -> Option<String> {
    principal.restricted().map(|caller| caller.email.to_string())
}

/// Who reads a stream.
struct Reader {
    /// The account; none if it may read everything.
    email: Option<String>,
    /// None for a caller who needs no account.
    access: Option<StreamAccess>,
}

impl Reader {
    /// Whether the reader's session or key has not ended; `None` if nobody can tell now.
    async fn is_admitted(&mut self) -> Option<bool> {
        let Some(access) = &self.access else { return Some(true) };
        match access.check().await {
            Validity::Valid(caller) => {
                self.email = restricted_email(&Principal::Account(*caller));
                Some(true)
            }
            Validity::Ended => Some(false),
            Validity::Unknown => None,
        }
    }
}

/// Streams a topic. The caller may read it if the role of the topic says so at `path`, and as long as the `reader` is admitted, and
/// is among the readers of its states.
async fn stream(
    req: &HttpRequest,
    reader: Reader,
    topic: Topic,
    path: &str,
    peers: &Peers,
    streams: Data<Streams>,
    context: &Context,
) -> HttpResult {
    // subscribe first, then read: no change in between is missed
    let subscription = streams.into_inner().subscribe(&topic)?;
    let current = topic.read(peers, path).await?;
    let mut first = RETRY.to_owned();
    if last_event_id(req) != Some(current.version) {
        first.push_str(&String::from_utf8_lossy(&current.text));
    }
    let mut ping = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let lifecycle = Arc::clone(&context.lifecycle);
    let stream = SseStream {
        first: Some(first.into()),
        reader,
        subscription,
        version: current.version,
        ping,
        draining: Box::pin(async move { lifecycle.wait_for(Phase::Draining).await }),
    };
    let body =
        unfold(stream, async |mut stream: SseStream| stream.next().await.map(|text| (Ok::<_, Error>(text), stream)));
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        // else nginx buffers events until it has a page of them
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(Box::pin(body)))
}

/// The version that the client has seen. If it is not the current one, the stream starts with the current state: no older state
/// is ever sent.
fn last_event_id(req: &HttpRequest) -> Option<i64> {
    req.headers().get("last-event-id")?.to_str().ok()?.trim().parse().ok()
}

/// An open stream. The server drops it when the client disconnects.
struct SseStream {
    first: Option<Bytes>,
    reader: Reader,
    subscription: StreamSubscription,
    /// The newest version that the client has.
    version: i64,
    ping: Interval,
    draining: Pin<Box<dyn Future<Output = ()>>>,
}

impl SseStream {
    /// The text to send next; `None` when the process drains: the client reconnects, to another gateway. `None` also when the client
    /// may read no more: then the client that reconnects is refused.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        tokio::select! {
            biased;
            () = &mut self.draining => None,
            text = next_text(&mut self.subscription, &mut self.version, &mut self.ping, &mut self.reader) => text,
        }
    }
}

/// The next update that the reader may have, or a ping; `None` when the reader may have no more.
async fn next_text(
    subscription: &mut StreamSubscription,
    version: &mut i64,
    ping: &mut Interval,
    reader: &mut Reader,
) -> Option<Bytes> {
    let update = tokio::select! {
        biased;
        update = subscription.next_after(*version) => Some(update?),
        _ = ping.tick() => None,
    };
    let is_admitted = reader.is_admitted().await;
    match update {
        _ if is_admitted == Some(false) => None,
        None => Some(Bytes::from_static(PING)),
        Some(_) if is_admitted.is_none() => {
            // the update stays; it is the next one again
            sleep(PAUSE).await;
            Some(Bytes::from_static(PING))
        }
        Some(update) if reader.email.as_ref().is_some_and(|email| !update.readers.contains(email)) => None,
        Some(update) => {
            *version = update.version;
            Some(update.text)
        }
    }
}
