//! `GET /api/meetings/{id}/events`: a meeting as it is, and as it changes, as server-sent events.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Data;
use actix_web::{Error, HttpRequest, HttpResponse};
use bytes::Bytes;
use futures_util::stream::unfold;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use uuid::Uuid;

use super::handlers::Peers;
use super::streams::{MeetingStreams, PING, StreamSubscription, read_meeting};
use crate::platform::http::problem::{NOT_FOUND, Problem};
use crate::platform::role::{Context, Lifecycle, Phase};
use crate::roles::user;

/// Milliseconds after which a client comes again when its stream has ended.
const RETRY: &str = "retry: 2000\n\n";

/// `GET /api/meetings/{id}/events`
pub async fn stream_meeting(
    req: HttpRequest,
    peers: Data<Peers>,
    hub: Data<MeetingStreams>,
    context: Data<Context>,
) -> Result<HttpResponse, Problem> {
    let id = req.match_info().get("id").and_then(|text| Uuid::parse_str(text).ok());
    let id = id.ok_or_else(|| Problem::new(NOT_FOUND, "ids are UUIDs; this is none of ours"))?;
    let user = peers.find(user::api::ROLE).ok_or_else(|| Problem::internal("no peer"))?;
    // listen first, then read: what changes in between is heard
    let place = hub.into_inner().enter(id)?;
    let now = read_meeting(&user, format!("/meetings/{id}")).await?;
    let mut first = RETRY.to_owned();
    if last_seen(&req) != Some(now.version) {
        first.push_str(&String::from_utf8_lossy(&now.text));
    }
    let live = SseStream {
        first: Some(first.into()),
        place,
        version: now.version,
        ping: ping(),
        draining: drained(Arc::clone(&context.lifecycle)),
    };
    let body = unfold(live, async |mut live: SseStream| live.next().await.map(|text| (Ok::<_, Error>(text), live)));
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        .insert_header((CACHE_CONTROL, "no-store"))
        // nginx would hold events back until it has a page of them
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(Box::pin(body)))
}

/// The version that the client has seen. A greater one than there is is none of ours, and is ignored like all nonsense; any
/// smaller one is as good as none, for the current state is all that is ever sent of the past.
fn last_seen(req: &HttpRequest) -> Option<i64> {
    req.headers().get("last-event-id")?.to_str().ok()?.trim().parse().ok()
}

fn ping() -> Interval {
    let mut ping = interval_at(Instant::now() + PING, PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ping
}

fn drained(lifecycle: Arc<Lifecycle>) -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(async move { lifecycle.reached(Phase::Draining).await })
}

/// An open stream. Dropping it, which the server does when the client is gone, frees its place.
struct SseStream {
    first: Option<Bytes>,
    place: StreamSubscription,
    /// The newest version that was sent, or that the client knows.
    version: i64,
    ping: Interval,
    draining: Pin<Box<dyn Future<Output = ()>>>,
}

impl SseStream {
    /// What to send next; `None` when the process drains: the client comes again, to another gateway.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        tokio::select! {
            biased;
            () = &mut self.draining => None,
            news = self.place.after(self.version) => {
                let news = news?;
                self.version = news.version;
                Some(news.text)
            }
            _ = self.ping.tick() => Some(Bytes::from_static(b": ping\n\n")),
        }
    }
}
