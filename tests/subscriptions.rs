//! Calendar subscriptions: fetched again and again, and never from forbidden addresses.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use w2meet::platform::outbound::calendar_source::{CalendarSource, Fetched, Validators};

use crate::both_shapes;
use crate::calendars::{calendar, compact, free, put_text, two_people};
use crate::support::meeting::next_monday;
use crate::support::upstream::{read_head, serve_connections};
use crate::support::{Client, Cluster, eventually};

const FEED: &str = "/api/users/ana@example.com/calendars/feed";

/// May fetch from this machine, and does it all the time.
const OFTEN: &[(&str, &str)] = &[
    ("W2MEET_WEBHOOKS__ALLOW_HTTP", "true"),
    ("W2MEET_WEBHOOKS__ALLOW_NETWORKS", "127.0.0.0/8"),
    ("W2MEET_WEBHOOKS__TIMEOUT_SECONDS", "2"),
    ("W2MEET_CALENDARS__REFRESH_MINUTES", "0.005"),
    ("W2MEET_LIMITS__CALENDAR_BODY", "100000"),
];

/// Publishes a calendar, and remembers how it was asked.
struct Publisher {
    base: String,
    state: Rc<State>,
}

#[derive(Default)]
struct State {
    /// Head and body of the answer.
    answer: RefCell<String>,
    version: Cell<u32>,
    heads: RefCell<Vec<String>>,
}

impl Publisher {
    fn open() -> Publisher {
        let state = Rc::<State>::default();
        let shared = Rc::clone(&state);
        let base = serve_connections(move |mut stream| {
            let state = Rc::clone(&shared);
            async move {
                let Some((head, _)) = read_head(&mut stream).await else { return };
                let tag = format!("\"v{}\"", state.version.get());
                let known = head.to_lowercase().contains(&format!("if-none-match: {tag}"));
                state.heads.borrow_mut().push(head);
                let answer = match known {
                    true => "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n".to_owned(),
                    false => state.answer.borrow().replace("TAG", &tag),
                };
                drop(stream.write_all(answer.as_bytes()).await);
            }
        });
        Publisher { base, state }
    }

    fn says(&self, answer: String) {
        self.state.version.set(self.state.version.get() + 1);
        self.state.answer.replace(answer);
    }

    /// Publishes this from now on.
    fn publish(&self, text: &str) {
        let head = "HTTP/1.1 200 OK\r\nETag: TAG\r\nLast-Modified: Fri, 20 Nov 2026 10:00:00 GMT\r\nContent-Type: text/calendar";
        self.says(format!("{head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}", text.len()));
    }

    fn asked(&self, what: &str) -> usize {
        self.state.heads.borrow().iter().filter(|head| head.to_lowercase().contains(what)).count()
    }
}

/// Waits until the calendar is as it should be.
async fn shown(cluster: &Cluster, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    eventually(what, async || {
        let entry = cluster.get(FEED).await.expect(200).json;
        is_it(&entry).then_some(entry)
    })
    .await
}

both_shapes! {
    with OFTEN;
    async fn a_subscription_follows_what_is_published_and_keeps_the_last_good_state(cluster) {
        two_people(cluster, "UTC").await;
        let publisher = Publisher::open();
        let day = compact(next_monday());
        let busy_from = |hour: u32| calendar(&[&format!("UID:1\nSUMMARY:SECRET-title\nDTSTART:{day}T{hour:02}0000Z\nDURATION:P2D")]);
        publisher.publish(&busy_from(5));
        let url = format!("{}/SECRET-path/basic.ics", publisher.base);
        let made = cluster.put(FEED, json!({ "url": url })).await.expect(201).json;
        let origin = json!(publisher.base);
        assert_eq!((&made["kind"], &made["origin"], &made["busy_periods"]), (&json!("url"), &origin, &json!(0)));
        assert_eq!((&made["refreshed_at"], &made["error"]), (&Value::Null, &Value::Null));
        shown(cluster, "it is fetched", |entry| entry["busy_periods"] == 1).await;
        assert_eq!(free(cluster).await, ["0 00:00-0 05:00"]);

        // nothing is sent again that has not changed
        eventually("it is asked for what is newer", async || (publisher.asked("if-none-match: \"v1\"") > 1).then_some(())).await;
        assert!(publisher.asked("if-modified-since: fri, 20 nov 2026 10:00:00 gmt") > 0);
        publisher.publish(&busy_from(7));
        eventually("the change is seen", async || (free(cluster).await == ["0 00:00-0 07:00"]).then_some(())).await;

        for (answer, error) in [
            ("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(), "500"),
            ("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(), "no connection"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n<html>\n".to_owned(), "line 1"),
            ("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\nConnection: close\r\n\r\nxx".to_owned(), "compressed"),
            (format!("HTTP/1.1 200 OK\r\nContent-Length: 100001\r\nConnection: close\r\n\r\n{}", "X".repeat(100_001)), "100000"),
            ("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nBEGIN:VCALENDAR\r\n".to_owned(), "END:VCALENDAR"),
            ("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_owned(), "nothing"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 50\r\nConnection: close\r\n\r\nBEGIN".to_owned(), ""),
        ] {
            publisher.says(answer);
            let entry = shown(cluster, error, |entry| entry["error"].as_str().is_some_and(|response| response.contains(error))).await;
            assert_eq!((&entry["busy_periods"], entry["refreshed_at"].is_string()), (&json!(1), true), "{error}");
            assert_eq!(free(cluster).await, ["0 00:00-0 07:00"], "{error}");
            // the wait grows with each failure; a replaced calendar does not wait
            publisher.publish(&busy_from(7));
            cluster.put(FEED, json!({ "url": url })).await.expect(200);
            shown(cluster, "it works again", |entry| entry["error"].is_null() && entry["busy_periods"] == 1).await;
        }
        for node in &cluster.nodes {
            assert!(!node.log_text().contains("SECRET"), "{}", node.log_text());
        }
        let jobs = cluster.get("/api/jobs").await.expect(200);
        assert!(!jobs.text.contains("SECRET") && jobs.json["jobs"][0]["kind"] == "refresh_calendar", "{}", jobs.text);
        // a file in its place ends the subscription
        put_text(cluster, FEED, &calendar(&[])).await.expect(200);
        assert_eq!(free(cluster).await, ["0 00:00-2 00:00"]);
    }
}

both_shapes! {
    async fn a_calendar_is_not_fetched_from_where_callbacks_may_not_go(cluster) {
        two_people(cluster, "UTC").await;
        for url in [
            "http://calendar.example.com/a.ics", "https://127.0.0.1/a.ics", "https://[::1]/a.ics", "https://169.254.169.254/latest",
            "https://localhost/a.ics", "https://user:pass@127.0.0.1/a.ics", "https://calendar.example.com:22/a.ics",
            "file:///etc/passwd", "webcal://10.0.0.1/a.ics", "calendar.example.com",
        ] {
            let refused = cluster.put(FEED, json!({ "url": url })).await;
            refused.expect_problem("422 validation", FEED, url);
            assert_eq!((refused.pointers(), &refused.json["errors"][0]["code"]), (vec!["#/url"], &json!("not_a_calendar_url")), "{url}");
        }
        let made = cluster.put(FEED, json!({ "url": "webcal://calendar.example.com/a.ics" })).await.expect(201).json;
        assert_eq!(made["origin"], "https://calendar.example.com");
        let secret = json!({ "url": "https://ana:SECRET@calendar.example.com/a.ics" });
        let made = cluster.put(FEED, secret).await.expect(200);
        assert_eq!(made.json["origin"], "https://calendar.example.com");
        let shown = cluster.get("/api/users/ana@example.com/export").await;
        for text in [&made.text, &cluster.get(FEED).await.expect(200).text, &shown.text] {
            assert!(!text.contains("SECRET"), "{text}");
        }
    }
}

both_shapes! {
    with OFTEN;
    async fn a_feed_that_moved_needs_a_password_or_gives_no_length_is_followed(cluster) {
        two_people(cluster, "UTC").await;
        let day = compact(next_monday());
        let text = calendar(&[&format!("UID:1\nDTSTART:{day}T050000Z\nDURATION:P2D\nRRULE:X")]);
        let base = serve_connections(move |mut stream| {
            let text = text.clone();
            async move {
                let Some((head, _)) = read_head(&mut stream).await else { return };
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                // ana:p@ss
                let is_ana = head.to_lowercase().contains("authorization: basic yw5honbac3m=");
                let moved = |status: &str, to: &str| format!("HTTP/1.1 {status}\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let answer = match path.as_str() {
                    "/301" => moved("301 Moved Permanently", "/302"),
                    "/302" => moved("302 Found", "307"),
                    "/307" => moved("307 Temporary Redirect", "/secret"),
                    "/away" => moved("302 Found", "http://10.0.0.1/secret"),
                    "/circle" => moved("308 Permanent Redirect", "/circle"),
                    _ if !is_ana => "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(),
                    _ => format!("HTTP/1.1 200 OK\r\nContent-Type: text/calendar\r\nConnection: close\r\n\r\n{text}"),
                };
                drop(stream.write_all(answer.as_bytes()).await);
            }
        });
        let with_password = base.replace("http://", "http://ana:p%40ss@");
        cluster.put(FEED, json!({ "url": format!("{with_password}/301") })).await.expect(201);
        let entry = shown(cluster, "it is fetched", |entry| entry["busy_periods"] == 1).await;
        assert_eq!((&entry["error"], &entry["origin"]), (&Value::Null, &json!(base)));
        assert_eq!(entry["warnings"][0]["component"], "VEVENT", "a subscription shows its warnings, too");
        assert_eq!(free(cluster).await, ["0 00:00-0 05:00"]);
        for (path, error) in [("/away", "public internet"), ("/circle", "more than 5 times")] {
            cluster.put(FEED, json!({ "url": format!("{with_password}{path}") })).await.expect(200);
            shown(cluster, error, |entry| entry["error"].as_str().is_some_and(|why| why.contains(error))).await;
        }
        cluster.put(FEED, json!({ "url": format!("{base}/secret") })).await.expect(200);
        shown(cluster, "without the password", |entry| entry["error"].as_str().is_some_and(|why| why.contains("401"))).await;
    }
}

/// A provider with an API of its own, behind OAuth: a refresh token buys an access token, which opens its free/busy.
struct Provider {
    http: Client,
    refresh_token: &'static str,
}

impl CalendarSource for Provider {
    async fn fetch(&self, seen: &Validators) -> Fetched {
        let failed = |why: String| Fetched::Failed { why };
        let bought = self
            .http
            .post("/token", json!({ "grant_type": "refresh_token", "refresh_token": self.refresh_token }))
            .await;
        let Some(token) = bought.json["access_token"].as_str() else {
            return failed(format!("it responded with {}", bought.status));
        };
        let bearer = format!("Bearer {token}");
        let answer = self.http.send(awc::http::Method::GET, "/freebusy", &[("authorization", &bearer)], None).await;
        let etag = answer.header("etag").map(str::to_owned);
        if etag.is_some() && etag == seen.etag {
            return Fetched::Unchanged;
        }
        let busy = answer.json["busy"].as_array().into_iter().flatten();
        let stamp = |value: &Value| value.as_str().unwrap_or_default().replace(['-', ':'], "");
        let lines: String =
            busy.map(|it| format!("FREEBUSY:{}/{}\n", stamp(&it["start"]), stamp(&it["end"]))).collect();
        let text = format!("BEGIN:VCALENDAR\nBEGIN:VFREEBUSY\n{lines}END:VFREEBUSY\nEND:VCALENDAR\n");
        Fetched::Text { text, seen: Validators { etag, last_modified: None } }
    }
}

#[actix_web::test]
async fn a_provider_behind_oauth_is_one_more_source_and_nothing_else() {
    let day = next_monday();
    let base = serve_connections(move |mut stream| async move {
        let Some((head, _)) = read_head(&mut stream).await else { return };
        let (status, body) =
            match (head.starts_with("POST /token "), head.to_lowercase().contains("authorization: bearer a-1\r\n")) {
                (true, _) => ("200 OK", json!({ "access_token": "a-1" })),
                (false, true) => (
                    "200 OK",
                    json!({ "busy": [{ "start": format!("{day}T06:00:00Z"), "end": format!("{day}T23:30:00Z") }] }),
                ),
                _ => ("401 Unauthorized", json!({})),
            };
        let body = body.to_string();
        let head = format!("HTTP/1.1 {status}\r\nETag: \"e\"\r\nContent-Length: {}\r\nConnection: close", body.len());
        drop(stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await);
    });
    let provider = Provider { http: Client::new(&base), refresh_token: "r-1" };
    let Fetched::Text { text, seen } = provider.fetch(&Validators::default()).await else { panic!("no text") };
    assert!(matches!(provider.fetch(&seen).await, Fetched::Unchanged));
    let cluster = Cluster::all().await;
    two_people(&cluster, "UTC").await;
    put_text(&cluster, FEED, &text).await.expect(201);
    assert_eq!(free(&cluster).await, ["0 00:00-0 06:00", "0 23:30-2 00:00"]);
}
