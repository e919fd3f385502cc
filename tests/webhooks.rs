//! Webhooks about meetings: their content, signature and number, and the list of deliveries.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use w2meet::platform::outbound::{Secret, signature};

use crate::both_shapes;
use crate::support::meeting::{
    ANA, BEN, create_invited_meeting, create_meeting, meeting_path, register_morning_people, text, wait_for_status,
};
use crate::support::upstream::{read_head, serve_connections};
use crate::support::{Cluster, eventually};

pub const LOCAL_WEBHOOKS: &[(&str, &str)] = &[
    ("W2MEET_WEBHOOKS__ALLOW_HTTP", "true"),
    ("W2MEET_WEBHOOKS__ALLOW_NETWORKS", "127.0.0.1"),
    ("W2MEET_JOBS__RETRY_SECONDS", "0.001"),
];

/// A request as the receiver read it.
#[derive(Clone, Debug)]
pub struct Seen {
    head: String,
    pub text: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).unwrap_or_default()
    }

    pub fn kind(&self) -> String {
        let body: Value = serde_json::from_str(&self.text).expect("JSON");
        text(&body, "type").to_owned()
    }

    /// Whether it was signed, now, with this secret.
    pub fn is_signed_by(&self, secret: &str) -> bool {
        let secret = Secret::parse(secret).expect("a secret");
        let timestamp: i64 = self.header("webhook-timestamp").parse().expect("seconds");
        let fresh = (timestamp - jiff::Timestamp::now().as_second()).abs() < 60;
        let right = signature::sign(&[secret], self.header("webhook-id"), timestamp, self.text.as_bytes());
        fresh && self.header("webhook-signature") == right
    }
}

pub struct Receiver {
    pub url: String,
    seen: Rc<RefCell<Vec<Seen>>>,
}

impl Receiver {
    /// Answers the first requests with these statuses, and all others with 204.
    pub fn new(answers: &[&str]) -> Receiver {
        let seen: Rc<RefCell<Vec<Seen>>> = Rc::default();
        let answers: VecDeque<String> = answers.iter().map(|answer| (*answer).to_owned()).collect();
        let (list, answers) = (Rc::clone(&seen), Rc::new(RefCell::new(answers)));
        let base = serve_connections(move |mut stream| {
            let (list, answers) = (Rc::clone(&list), Rc::clone(&answers));
            async move {
                let Some((head, mut body)) = read_head(&mut stream).await else { return };
                let mut seen = Seen { head, text: String::new() };
                let length: usize = seen.header("content-length").parse().unwrap_or(0);
                while body.len() < length && stream.read_buf(&mut body).await.is_ok_and(|count| count > 0) {}
                seen.text = String::from_utf8(body).expect("text");
                let answer = answers.borrow_mut().pop_front().unwrap_or_else(|| "204 No Content".to_owned());
                list.borrow_mut().push(seen);
                let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                drop(stream.write_all(answer.as_bytes()).await);
            }
        });
        Receiver { url: format!("{base}/hook"), seen }
    }

    pub async fn got(&self, count: usize) -> Vec<Seen> {
        eventually(&format!("{count} requests arrive"), async || {
            let seen = self.seen.borrow().clone();
            (seen.len() >= count).then_some(seen)
        })
        .await
    }

    pub fn kinds(&self) -> Vec<String> {
        let mut kinds: Vec<String> = self.seen.borrow().iter().map(Seen::kind).collect();
        kinds.sort();
        kinds
    }
}

/// The webhook jobs of a meeting, once all of them are in one of these states.
async fn jobs(cluster: &Cluster, meeting: &Value, states: &[&str]) -> Vec<Value> {
    let query = format!("/api/jobs?meeting_id={}", text(meeting, "id"));
    eventually(&format!("webhooks are {states:?}"), async || {
        let all = cluster.get(&query).await.expect(200).json;
        let mine = all["jobs"].as_array()?.iter().filter(|job| job["kind"] == "deliver_webhook");
        let mine: Vec<Value> = mine.cloned().collect();
        let settled = mine.iter().all(|job| states.contains(&text(job, "state")));
        (!mine.is_empty() && settled).then_some(mine)
    })
    .await
}

/// `outcome attempt` of each delivery of a job.
async fn attempts(cluster: &Cluster, meeting: &Value, job: &Value) -> Vec<String> {
    let all = cluster.get(&format!("{}/deliveries", meeting_path(meeting))).await.expect(200).json;
    let mine = all["deliveries"].as_array().expect("a list").iter().filter(|one| one["job_id"] == job["id"]);
    mine.map(|one| format!("{} {}", text(one, "outcome"), one["attempt"])).collect()
}

both_shapes! {
    with LOCAL_WEBHOOKS;

    async fn every_webhook_is_signed_with_the_secret_of_its_meeting(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let receiver = Receiver::new(&[]);
        let asked = create_meeting(cluster, json!({ "callback_url": receiver.url })).await;
        let secret = text(&asked, "callback_secret").to_owned();
        let done = wait_for_status(cluster, &asked, &["invited"]).await;
        receiver.got(2).await;
        cluster.delete(&meeting_path(&asked)).await.expect(204);
        receiver.got(3).await;
        let none = create_meeting(cluster, json!({ "callback_url": receiver.url, "duration_minutes": 600 })).await;
        let seen = receiver.got(4).await;
        assert_eq!(receiver.kinds(), ["meeting.cancelled", "meeting.invited", "meeting.no_common_time", "meeting.suggested"]);
        let mut ids: Vec<&str> = seen.iter().map(|one| one.header("webhook-id")).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 4, "each news has an id of its own");
        for one in &seen {
            let body: Value = serde_json::from_str(&one.text).expect("JSON");
            let secret = if one.kind() == "meeting.no_common_time" { text(&none, "callback_secret") } else { &*secret };
            assert!(one.is_signed_by(secret), "{one:?}");
            assert_eq!(format!("meeting.{}", text(&body["data"], "status")), one.kind());
            assert!(!one.text.contains("whsec_") && !one.head.contains("whsec_"), "{one:?}");
            assert!(text(&body, "timestamp").parse::<jiff::Timestamp>().is_ok());
            if one.kind() == "meeting.suggested" {
                assert_eq!((&body["data"]["id"], &body["data"]["start"]), (&asked["id"], &done["start"]));
            }
        }
        // the secret was told once
        let id = text(&asked, "id");
        for path in [meeting_path(&asked), format!("{}/deliveries", meeting_path(&asked)), "/api/meetings".to_owned(), format!("/api/jobs?meeting_id={id}")] {
            let shown = cluster.get(&path).await.expect(200).text;
            assert!(!shown.contains("whsec_") && !shown.contains("callback_secret"), "{path}: {shown}");
        }
        let output: String = cluster.nodes.iter().map(crate::support::Node::log_text).collect();
        assert!(!output.contains("whsec_"), "no secret is logged");
    }

    async fn a_failed_webhook_is_retried_under_the_same_id(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let receiver = Receiver::new(&["500 Oops"]);
        let asked = create_meeting(cluster, json!({ "callback_url": receiver.url, "duration_minutes": 600 })).await;
        let seen = receiver.got(2).await;
        assert_eq!((seen[0].header("webhook-id"), &seen[0].text), (seen[1].header("webhook-id"), &seen[1].text));
        assert!(seen.iter().all(|one| one.is_signed_by(text(&asked, "callback_secret"))), "{seen:?}");
        let job = jobs(cluster, &asked, &["succeeded"]).await.remove(0);
        assert_eq!((&job["attempt"], job["errors"].as_array().map(Vec::len)), (&json!(2), Some(1)), "{job}");
        assert_eq!(attempts(cluster, &asked, &job).await, ["failed 1", "delivered 2"]);
        let log = cluster.get(&format!("{}/deliveries", meeting_path(&asked))).await.expect(200).json;
        let mut all = log["deliveries"].as_array().expect("a list").iter();
        let first = all.find(|one| one["kind"] == "deliver_webhook").expect("a webhook");
        assert_eq!(text(first, "target"), receiver.url);
        assert!(text(first, "detail").contains("500"), "{first}");

        // replayed because somebody asks: the same news, under the same id
        let replay = format!("/api/jobs/{}/retry", text(&job, "id"));
        cluster.post(&replay, json!({})).await.expect(202);
        let seen = receiver.got(3).await;
        assert_eq!((seen[2].header("webhook-id"), &seen[2].text), (seen[0].header("webhook-id"), &seen[0].text));
        let job = jobs(cluster, &asked, &["succeeded"]).await.remove(0);
        assert_eq!(job["attempt"], 3);
        assert_eq!(attempts(cluster, &asked, &job).await, ["failed 1", "delivered 2", "delivered 3"]);
    }

    async fn a_receiver_that_sends_early_hints_has_the_webhook(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let receiver = Receiver::new(&["103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 204 No Content"]);
        let asked = create_meeting(cluster, json!({ "callback_url": receiver.url, "duration_minutes": 600 })).await;
        let job = jobs(cluster, &asked, &["succeeded"]).await.remove(0);
        assert_eq!(attempts(cluster, &asked, &job).await, ["delivered 1"]);
        assert_eq!(receiver.seen.borrow().len(), 1);
    }

    async fn webhooks_that_wait_for_their_host_are_no_attempts(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let receiver = Receiver::new(&[]);
        for _ in 0..12 {
            create_meeting(cluster, json!({ "callback_url": receiver.url, "duration_minutes": 600 })).await;
        }
        receiver.got(12).await;
        let done = eventually("all are done", async || {
            let all = cluster.get("/api/jobs?limit=200").await.expect(200).json;
            let mine: Vec<Value> = all["jobs"].as_array()?.iter().filter(|job| job["kind"] == "deliver_webhook").cloned().collect();
            (mine.len() == 12 && mine.iter().all(|job| job["state"] == "succeeded")).then_some(mine)
        })
        .await;
        assert!(done.iter().all(|job| job["attempt"] == 1), "{done:?}");
        let started = cluster.log().into_iter().filter(|line| line["message"] == "JOB_START" && line["kind"] == "deliver_webhook");
        assert_eq!(started.count(), 12, "each was started once");
    }

    async fn a_receiver_that_answers_410_gets_no_more_webhooks(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let receiver = Receiver::new(&["410 Gone"]);
        let asked = create_meeting(cluster, json!({ "callback_url": receiver.url, "duration_minutes": 600 })).await;
        let job = jobs(cluster, &asked, &["cancelled"]).await.remove(0);
        assert_eq!((receiver.seen.borrow().len(), &job["next_attempt_at"]), (1, &Value::Null));
        assert_eq!(attempts(cluster, &asked, &job).await, ["refused 1"]);
        cluster.post(&format!("/api/jobs/{}/retry", text(&job, "id")), json!({})).await.expect(409);
    }

    async fn a_redirect_is_a_failure_and_is_not_followed(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let elsewhere = Receiver::new(&[]);
        let moved = format!("307 Moved\r\nLocation: {}", elsewhere.url);
        let receiver = Receiver::new(&[&moved]);
        let asked = create_meeting(cluster, json!({ "callback_url": receiver.url, "duration_minutes": 600 })).await;
        let job = jobs(cluster, &asked, &["succeeded"]).await.remove(0);
        assert_eq!(attempts(cluster, &asked, &job).await, ["failed 1", "delivered 2"]);
        assert_eq!((elsewhere.seen.borrow().len(), receiver.seen.borrow().len()), (0, 2));
    }

    async fn another_address_keeps_the_secret_and_another_secret_replaces_it(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let (first, second) = (Receiver::new(&[]), Receiver::new(&[]));
        let asked = create_invited_meeting(cluster, json!({ "callback_url": first.url })).await;
        let news = first.got(2).await;
        let changed = cluster.patch(&meeting_path(&asked), json!({ "callback_url": second.url })).await.expect(200);
        assert!(!changed.text.contains("whsec_"), "{}", changed.text);
        let moved = cluster.patch(&meeting_path(&asked), json!({ "duration_minutes": 30 })).await.expect(200).json;
        wait_for_status(cluster, &moved, &["invited"]).await;
        let later = second.got(2).await;
        assert_eq!((first.seen.borrow().len(), news.len()), (2, 2));
        let own = format!("whsec_{}", "B".repeat(32));
        assert!(later.iter().all(|one| !one.is_signed_by(&own)));
        cluster.patch(&meeting_path(&asked), json!({ "callback_secret": own })).await.expect(200);
        cluster.delete(&meeting_path(&asked)).await.expect(204);
        assert!(second.got(3).await[2].is_signed_by(&own));
    }

    /// One Case-ID leads from the request through every role to the letter and the callback.
    async fn one_case_id_is_on_every_log_line_of_a_meeting(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let receiver = Receiver::new(&[]);
        let headers = [("content-type", "application/json"), ("case-id", "the-whole-story")];
        let body = crate::support::meeting::meeting_body(json!({ "callback_url": receiver.url })).to_string();
        let asked = cluster.send(awc::http::Method::POST, "/api/meetings", &headers, Some(body.into_bytes())).await.expect(202).json;
        wait_for_status(cluster, &asked, &["invited"]).await;
        let seen = receiver.got(2).await;
        assert!(seen.iter().all(|one| one.header("case-id") == "the-whole-story"), "{seen:?}");
        let mails = crate::support::meeting::wait_for_mails(cluster, &asked, &["REQUEST 0 ana", "REQUEST 0 ben"]).await;
        assert!(mails.iter().all(|mail| mail.header("case-id") == "the-whole-story"));
        jobs(cluster, &asked, &["succeeded"]).await;
        eventually("the log tells it", async || {
            let lines = cluster.log();
            let mine: Vec<&Value> = lines.iter().filter(|line| line["case_id"] == "the-whole-story").collect();
            let count = |role: &str, message: &str, member: &str, value: &str| {
                let is = |line: &&&Value| line["role"] == role && line["message"] == message && (member.is_empty() || text(line, member).starts_with(value));
                mine.iter().filter(is).count()
            };
            let story = [
                count("reservation", "ENQUEUE", "kind", "schedule_meeting"),
                count("reservation", "ENQUEUE", "kind", "send_invitations"),
                count("reservation", "ENQUEUE", "kind", "deliver_webhook"),
                count("worker", "JOB_START", "", ""),
                count("worker", "JOB_DONE", "", ""),
                count("worker", "call answered", "callee", "availability"),
                count("worker", "call answered", "callee", "suggestion"),
                count("worker", "call answered", "callee", "reservation"),
                count("reservation", "request completed", "path", "/internal/jobs/"),
            ];
            (story == [1, 1, 2, 4, 4, 1, 1, 8, 8]).then_some(())
        }).await;
    }
}
