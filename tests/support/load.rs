//! Many users, and the meetings that they request.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use awc::http::Method;
use futures_util::StreamExt;
use futures_util::stream;
use serde_json::{Value, json};

use super::benchmarks::Latencies;
use super::{Client, within};

/// Requests under way at a time.
const HANDS: usize = 16;
const JSON: (&str, &str) = ("content-type", "application/json");
const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Meetings asked for, one after the other, by pairs of people. One pair in ten has no hour in common.
pub struct Load {
    pairs: usize,
    hook: String,
    next: Cell<usize>,
    /// The ids of those that were accepted.
    pub accepted: RefCell<Vec<String>>,
    times: RefCell<Vec<Duration>>,
}

impl Load {
    /// Registers enough people for so many meetings. Webhooks go to `hook`.
    pub async fn prepare(client: &Client, meetings: usize, hook: &str) -> Load {
        let pairs = (meetings / 40).clamp(20, 250);
        let register = async |at: usize| {
            for (side, week) in [("a", week_of(at, true)), ("b", week_of(at, false))] {
                let email = email(side, at);
                let body = json!({ "email": email, "name": "Somebody", "availability": week });
                client.post("/api/users", body).await.expect(201);
            }
        };
        stream::iter(0..pairs).map(register).buffer_unordered(HANDS).collect::<Vec<()>>().await;
        let (next, hook) = (Cell::new(0), hook.to_owned());
        Load { pairs, hook, next, accepted: RefCell::default(), times: RefCell::default() }
    }

    /// Asks for so many more; those that are not accepted are not asked for again.
    pub async fn post(&self, client: &Client, count: usize) {
        let one = async |_: usize| self.post_one(client).await;
        stream::iter(0..count).map(one).buffer_unordered(HANDS).collect::<Vec<bool>>().await;
    }

    /// Asks for so many more, each as often as it takes: a machine that also starts a broker may answer with 503, after which a client
    /// asks again under the same key.
    pub async fn post_until_accepted(&self, client: &Client, count: usize) {
        let one = async |_: usize| {
            let at = self.next.replace(self.next.get() + 1);
            let (body, key) = (self.body(at).to_string().into_bytes(), format!("meeting-{at}"));
            let accepted = within(Duration::from_secs(60), "it is accepted", async || {
                let headers = [JSON, ("idempotency-key", key.as_str())];
                let answer = client.try_send(Method::POST, "/api/meetings", &headers, Some(body.clone())).await;
                answer.ok().filter(|answer| answer.status == 202)
            })
            .await;
            self.accepted.borrow_mut().push(accepted.json["id"].as_str().expect("an id").to_owned());
        };
        stream::iter(0..count).map(one).buffer_unordered(HANDS).collect::<Vec<()>>().await;
    }

    /// Asks for so many more, evenly within a second.
    pub async fn post_at_rate(&self, client: &Client, count: usize, per_second: usize) {
        let tick = tokio::time::interval(Duration::from_secs(1) / u32::try_from(per_second).expect("a rate"));
        let ticks = stream::unfold(tick, async |mut tick| {
            tick.tick().await;
            Some(((), tick))
        });
        let one = async |()| self.post_one(client).await;
        Box::pin(ticks.take(count)).map(one).buffer_unordered(HANDS * 4).collect::<Vec<bool>>().await;
    }

    /// Asks for one; whether it was accepted.
    pub async fn post_one(&self, client: &Client) -> bool {
        let at = self.next.replace(self.next.get() + 1);
        let body = self.body(at).to_string().into_bytes();
        let begin = Instant::now();
        let answer = client.try_send(Method::POST, "/api/meetings", &[JSON], Some(body)).await;
        let Some(accepted) = answer.ok().filter(|answer| answer.status == 202) else { return false };
        self.times.borrow_mut().push(begin.elapsed());
        self.accepted.borrow_mut().push(accepted.json["id"].as_str().expect("an id").to_owned());
        true
    }

    /// The body of the request for one meeting.
    pub fn body(&self, at: usize) -> Value {
        let pair = at % self.pairs;
        let body = json!({
            "organizer": email("a", pair), "attendees": [email("b", pair)], "title": format!("Meeting {at}"),
            "duration_minutes": 15,
        });
        with_hook(body, &self.hook)
    }

    pub fn ids(&self) -> Vec<String> {
        self.accepted.borrow().clone()
    }

    pub fn accepted(&self) -> usize {
        self.accepted.borrow().len()
    }

    /// How long the answers took, but for the first so many.
    pub fn times_after(&self, first: usize) -> Latencies {
        Latencies::from_times(self.times.borrow().iter().skip(first).copied())
    }
}

fn with_hook(mut body: Value, hook: &str) -> Value {
    if !hook.is_empty() {
        body["callback_url"] = hook.into();
    }
    body
}

fn email(side: &str, at: usize) -> String {
    format!("{side}{at}@example.com")
}

/// All day every day; or, for every tenth pair, two halves of the week.
fn week_of(pair: usize, first: bool) -> Value {
    let apart = pair % 10 == 9;
    let days = DAYS.iter().enumerate().filter(|(at, _)| !apart || (*at < 4) == first);
    days.map(|(_, day)| ((*day).to_owned(), json!(["00:00-24:00"]))).collect::<serde_json::Map<_, _>>().into()
}

/// Waits until no job is open.
pub async fn wait_for_all_jobs(client: &Client, limit: Duration) {
    let empty = async |state: &str| {
        let path = format!("/api/jobs?state={state}&limit=1");
        let answer = client.try_send(Method::GET, &path, &[], None).await.ok()?;
        (answer.status == 200 && answer.json["jobs"].as_array()?.is_empty()).then_some(())
    };
    within(limit, "no job is open", async || {
        // a job may pass from one state to another between two questions
        for state in ["queued", "retryable", "running", "queued", "retryable", "running"] {
            empty(state).await?;
        }
        Some(())
    })
    .await;
}
