//! The webhooks of an account: who is told what of every meeting, and who may register them.

use awc::http::Method;
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::account::{Account, PASSWORD, auth_required_with, promote, send_with_bearer};
use crate::support::meeting::{
    ANA, BEN, CAT, create_invited_meeting, create_meeting, meeting_path, register_morning_people, text, wait_for_status,
};
use crate::support::{Client, eventually};
use crate::webhooks::{LOCAL_WEBHOOKS, Receiver, Seen};

const REMOVED: &str = "participation.removed";

fn path(email: &str) -> String {
    format!("/api/users/{email}/webhooks")
}

/// Registers a webhook, and gives it with its secret.
async fn register(client: &Client, email: &str, url: &str, events: &[&str]) -> Value {
    let mut body = json!({ "url": url });
    if !events.is_empty() {
        body["events"] = json!(events);
    }
    client.post(&path(email), body).await.expect(201).json
}

fn event_of(seen: &Seen) -> Value {
    serde_json::from_str(&seen.text).expect("JSON")
}

/// The events that have come, in the order of the versions of the meeting.
fn in_order(seen: &[Seen]) -> Vec<String> {
    let mut all: Vec<(i64, String)> =
        seen.iter().map(|one| (event_of(one)["data"]["version"].as_i64().expect("a version"), one.kind())).collect();
    all.sort();
    all.into_iter().map(|(_, kind)| kind).collect()
}

async fn reply(client: &Client, meeting: &Value, email: &str, participation: &str) {
    let says = json!({ "email": email, "participation": participation });
    client.post(&format!("{}/participation", meeting_path(meeting)), says).await.expect(200);
}

both_shapes! {
    with LOCAL_WEBHOOKS;

    async fn the_organizer_hears_everything_and_an_attendee_what_concerns_them(cluster) {
        register_morning_people(cluster, &[ANA, BEN, CAT]).await;
        let (hers, his) = (Receiver::new(&[]), Receiver::new(&[]));
        let hook = register(cluster, ANA, &hers.url, &[]).await;
        register(cluster, BEN, &his.url, &[]).await;
        let callback = "https://nowhere.invalid/secret-path";
        let meeting = create_meeting(cluster, json!({ "attendees": [BEN, CAT], "callback_url": callback })).await;
        wait_for_status(cluster, &meeting, &["invited"]).await;
        reply(cluster, &meeting, BEN, "tentative").await;
        reply(cluster, &meeting, CAT, "declined").await;
        let heard = hers.got(6).await;
        let states = ["meeting.queued", "meeting.running", "meeting.suggested", "meeting.invited"];
        assert_eq!(in_order(&heard), [&states[..], &["participation.tentative", "participation.declined"]].concat());
        assert_eq!(in_order(&his.got(3).await), ["meeting.suggested", "meeting.invited", "participation.tentative"]);
        let mut ids: Vec<&str> = heard.iter().map(|one| one.header("webhook-id")).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 6, "each event has an id of its own");
        for one in &heard {
            let event = event_of(one);
            assert!(one.is_signed_by(text(&hook, "secret")), "{one:?}");
            assert_eq!((&event["data"]["id"], &event["data"]["callback_url"]), (&meeting["id"], &Value::Null));
            assert!(!one.text.contains("secret-path") && !one.text.contains("whsec_"), "{}", one.text);
        }
        let declined = heard.iter().find(|one| one.kind() == "participation.declined").map(event_of).expect("the reply");
        assert_eq!((&declined["attendee"]["email"], &declined["attendee"]["participation"]), (&json!(CAT), &json!("declined")));

        cluster.patch(&meeting_path(&meeting), json!({ "title": "Another plan" })).await.expect(200);
        assert_eq!(in_order(&his.got(4).await).last().map(String::as_str), Some("meeting.updated"));
        cluster.patch(&meeting_path(&meeting), json!({ "attendees": [CAT] })).await.expect(200);
        let removed = his.got(5).await.iter().find(|one| one.kind() == REMOVED).map(event_of).expect("he is out");
        let version = cluster.get(&meeting_path(&meeting)).await.expect(200).json["version"].clone();
        assert_eq!(removed["data"], json!({ "id": meeting["id"], "version": version }));
        cluster.delete(&meeting_path(&meeting)).await.expect(204);
        eventually("she hears that it is off", async || hers.kinds().contains(&"meeting.cancelled".to_owned()).then_some(())).await;
        assert!(!hers.kinds().contains(&REMOVED.to_owned()), "that is for him");
        let rest = create_invited_meeting(cluster, json!({})).await;
        eventually("the next meeting comes", async || {
            his.got(5).await.iter().any(|one| event_of(one)["data"]["id"] == rest["id"]).then_some(())
        }).await;
        assert!(!his.kinds().contains(&"meeting.cancelled".to_owned()), "he was out by then");
    }

    async fn a_webhook_gets_the_events_that_it_names_until_it_is_deleted(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let receiver = Receiver::new(&["503 Service Unavailable"]);
        let hook = register(cluster, ANA, &receiver.url, &["participation.declined", "participation.declined"]).await;
        assert_eq!(hook["events"], json!(["participation.declined"]));
        let one = format!("{}/{}", path(ANA), text(&hook, "id"));
        let meeting = create_invited_meeting(cluster, json!({})).await;
        reply(cluster, &meeting, BEN, "accepted").await;
        reply(cluster, &meeting, BEN, "declined").await;
        let seen = receiver.got(2).await;
        assert_eq!(receiver.kinds(), ["participation.declined", "participation.declined"]);
        assert_eq!(seen[0].header("webhook-id"), seen[1].header("webhook-id"), "it came again after the failure");
        let deliveries = eventually("both attempts are listed", async || {
            let all = cluster.get(&format!("{one}/deliveries")).await.expect(200).json;
            (all["deliveries"].as_array().map(Vec::len) == Some(2)).then_some(all)
        }).await;
        assert_eq!((&deliveries["jobs"][0]["kind"], &deliveries["jobs"][0]["meeting_id"]), (&json!("deliver_event"), &Value::Null));
        let of_meeting = cluster.get(&format!("{}/deliveries", meeting_path(&meeting))).await.expect(200).text;
        assert!(!of_meeting.contains(&receiver.url), "others do not read where it goes: {of_meeting}");
        let listed = cluster.get(&path(ANA)).await.expect(200);
        assert!(listed.json["webhooks"][0]["id"] == hook["id"] && !listed.text.contains("whsec_"), "{}", listed.text);
        cluster.get(&one).await.expect(200);

        cluster.delete(&format!("{}/{}", path(BEN), text(&hook, "id"))).await.expect(404);
        cluster.delete(&one).await.expect(204);
        cluster.delete(&one).await.expect(404);
        cluster.get(&one).await.expect(404);
        // a second webhook shows that the event of the reply was sent
        let other = Receiver::new(&[]);
        register(cluster, ANA, &other.url, &["participation.accepted"]).await;
        reply(cluster, &meeting, BEN, "accepted").await;
        reply(cluster, &meeting, BEN, "declined").await;
        other.got(1).await;
        assert_eq!(receiver.kinds().len(), 2, "the deleted one is told nothing");
    }

    async fn a_webhook_that_cannot_be_registered_says_why(cluster) {
        register_morning_people(cluster, &[ANA]).await;
        for (bad, pointer, code) in [
            (json!({}), "#/url", "missing"),
            (json!({ "url": "http://10.0.0.1/hook" }), "#/url", "not_a_callback"),
            (json!({ "url": "https://x.org/", "events": ["meeting.invited", "meeting.forgotten"] }), "#/events/1", "not_an_event"),
            (json!({ "url": "https://x.org/", "events": [] }), "#/events", "not_a_list"),
            (json!({ "url": "https://x.org/", "secret": "short" }), "#/secret", "not_a_secret"),
            (json!({ "url": "https://x.org/", "name": "x" }), "#/name", "unknown_field"),
        ] {
            let refused = cluster.post(&path(ANA), bad.clone()).await.expect(422).json;
            assert_eq!((&refused["errors"][0]["pointer"], &refused["errors"][0]["code"]), (&json!(pointer), &json!(code)), "{bad}");
        }
        cluster.post(&path("none@example.com"), json!({ "url": "https://x.org/" })).await.expect(404);
        cluster.get(&path("none@example.com")).await.expect(404);
        for _ in 0..10 {
            register(cluster, ANA, "https://x.org/hook", &[]).await;
        }
        let refused = cluster.post(&path(ANA), json!({ "url": "https://x.org/hook" })).await.expect(422).json;
        assert_eq!(refused["errors"][0]["code"], "too_many");
    }

    async fn a_repeated_request_registers_one_webhook(cluster) {
        register_morning_people(cluster, &[ANA]).await;
        let headers = [("content-type", "application/json"), ("idempotency-key", "once")];
        let send = async || {
            let body = json!({ "url": "https://x.org/hook" }).to_string().into_bytes();
            cluster.send(Method::POST, &path(ANA), &headers, Some(body)).await.expect(201).json
        };
        assert_eq!(send().await, send().await);
        assert_eq!(cluster.get(&path(ANA)).await.expect(200).json["webhooks"].as_array().map(Vec::len), Some(1));
    }
}

both_shapes! { with &auth_required_with(&[]);
    async fn only_the_account_and_admins_manage_its_webhooks(cluster) {
        let ana = Account::register(cluster, ANA).await;
        let new = json!({ "url": "https://hooks.example.com/x" });
        let refused = ana.post(&path(ANA), new.clone()).await.expect(403).json;
        assert_eq!(refused["type"], "/problems/mailbox-unverified");
        let ana = ana.verify().await;
        let ben = Account::verified(cluster, BEN).await;
        let admin = Account::verified(cluster, "root@example.com").await;
        promote(cluster, &admin.email);
        let admin = Account::login(cluster, &admin.email, PASSWORD).await;
        let (_, reader) = ana.key("read").await;
        let (_, writer) = ana.key("write").await;
        let hook = ana.post(&path(&ana.id), new.clone()).await.expect(201).json;
        let one = format!("{}/{}", path(ANA), text(&hook, "id"));
        // as if the account did not exist
        let unknown = ben.get(&path("none@example.com")).await.expect(404).json;
        for reply in [
            ben.post(&path(ANA), new.clone()).await,
            ben.get(&path(ANA)).await,
            ben.get(&one).await,
            ben.get(&format!("{one}/deliveries")).await,
            ben.delete(&one).await,
        ] {
            assert_eq!((reply.status, &reply.json["type"]), (404, &unknown["type"]), "{}", reply.text);
        }
        cluster.get(&path(ANA)).await.expect(401);
        cluster.post(&path(ANA), new.clone()).await.expect(401);
        send_with_bearer(cluster, &reader, Method::GET, &path(ANA), None).await.expect(200);
        send_with_bearer(cluster, &reader, Method::POST, &path(ANA), Some(new.clone())).await.expect(403);
        send_with_bearer(cluster, &reader, Method::DELETE, &one, None).await.expect(403);
        send_with_bearer(cluster, &writer, Method::POST, &path(ANA), Some(new)).await.expect(201);
        assert_eq!(admin.get(&path(ANA)).await.expect(200).json["webhooks"].as_array().map(Vec::len), Some(2));
        admin.delete(&one).await.expect(204);
        assert_eq!(ana.get(&path(ANA)).await.expect(200).json["webhooks"].as_array().map(Vec::len), Some(1));
    }
}
