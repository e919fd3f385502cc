//! Suggestions that are booked at once: the response has the slot and the meeting, and invitations follow.

use jiff::ToSpan;
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::Cluster;
use crate::support::meeting::{
    ANA, BEN, CAT, meeting_path, next_monday, register_morning_people, start_label, text, wait_for_mails,
    wait_for_status,
};

const SUGGESTIONS: &str = "/api/suggestions";

fn ask(more: Value) -> Value {
    let mut body = json!({ "attendees": [ANA, BEN], "notify": true, "from": next_monday(), "to": next_monday() });
    for (name, value) in more.as_object().into_iter().flatten() {
        match value.is_null() {
            true => drop(body.as_object_mut().and_then(|body| body.remove(name))),
            false => body[name] = value.clone(),
        }
    }
    body
}

async fn none_made(cluster: &Cluster) {
    assert_eq!(cluster.get("/api/meetings").await.expect(200).json, json!({ "meetings": [] }));
}

both_shapes! {
    async fn the_slot_is_answered_at_once_and_the_invitations_follow(cluster) {
        register_morning_people(cluster, &[ANA, BEN, CAT]).await;
        let plain = cluster.post(SUGGESTIONS, ask(json!({ "notify": false }))).await.expect(200);
        assert_eq!((plain.json.get("meeting"), plain.header("location")), (None, None));
        none_made(cluster).await;
        let reply = cluster.post(SUGGESTIONS, ask(json!({ "title": "Plan", "pick": "first", "limit": 2, "time_zone": "Europe/Paris" }))).await.expect(200);
        let (slot, meeting) = (&reply.json["suggestions"][0], &reply.json["meeting"]);
        assert_eq!(reply.header("location"), Some(meeting_path(meeting).as_str()));
        assert_eq!(slot, &plain_slot(slot, meeting), "the meeting is at the first of the slots");
        assert_eq!(reply.json["suggestions"].as_array().map(Vec::len), Some(2));
        assert_eq!((text(meeting, "status"), text(meeting, "title"), text(meeting, "organizer")), ("suggested", "Plan", ANA));
        let done = wait_for_status(cluster, meeting, &["invited"]).await;
        assert_eq!((&done["start"], &done["time_zone"]), (&meeting["start"], &json!("Europe/Paris")));
        wait_for_mails(cluster, meeting, &["REQUEST 0 ana", "REQUEST 0 ben"]).await;
        // the time is held
        let next = cluster.post(SUGGESTIONS, ask(json!({ "organizer": CAT }))).await.expect(200).json;
        assert_eq!(start_label(&next["meeting"]), "Mon 10:00");
        assert_eq!(next["suggestions"][0]["free"], json!([CAT, ANA, BEN]), "whoever calls it comes too");
        let moved = cluster.patch(&meeting_path(meeting), json!({ "duration_minutes": 30 })).await.expect(200).json;
        assert_eq!(text(&wait_for_status(cluster, &moved, &["invited"]).await, "status"), "invited");
    }

    async fn without_dates_the_next_two_weeks_are_searched(cluster) {
        cluster.register_in(ANA, "Pacific/Kiritimati", crate::support::meeting::mornings()).await;
        cluster.register_in(BEN, "Pacific/Kiritimati", crate::support::meeting::mornings()).await;
        let reply = cluster.post(SUGGESTIONS, ask(json!({ "from": null, "to": null }))).await.expect(200).json;
        let start: jiff::Timestamp = text(&reply["meeting"], "start").parse().expect("an instant");
        let now = jiff::Timestamp::now();
        assert!(start > now && start < now + 26.hours(), "the next morning there: {reply}");
        assert_eq!(reply["meeting"]["time_zone"], "Pacific/Kiritimati");
    }

    async fn without_a_common_time_no_meeting_is_booked(cluster) {
        register_morning_people(cluster, &[ANA]).await;
        cluster.register(BEN, json!({ "monday": [13] })).await;
        let reply = cluster.post(SUGGESTIONS, ask(json!({}))).await.expect(200);
        assert_eq!((&reply.json["suggestions"], reply.header("location")), (&json!([]), None));
        assert_eq!((reply.json["empty_reason"]["code"].as_str(), reply.json.get("meeting")), (Some("attendees_unavailable"), None));
        none_made(cluster).await;
    }

    async fn parameters_that_a_booking_cannot_take_are_refused(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let typical = json!({ "from": null, "to": null });
        let over = |name: &str, value: Value| { let mut row = typical.clone(); row[name] = value; row };
        for (more, place) in [
            (over("time_zone", json!("floating")), "#/time_zone"),
            (over("as_of", json!("2026-01-01")), "#/as_of"),
            (json!({ "from": "2026-03-02", "to": "2026-03-03" }), "#/to"),
            (json!({ "notify": "yes" }), "#/notify"),
            (json!({ "title": "" }), "#/title"),
            (json!({ "title": "x".repeat(201) }), "#/title"),
            (json!({ "organizer": "x" }), "#/organizer"),
            (json!({ "callback_url": "https://example.com/" }), "#/callback_url"),
            (json!({ "notify": false, "title": "x" }), "#/title"),
            (json!({ "attendees": [ANA] }), "#/attendees"),
        ] {
            let reply = cluster.post(SUGGESTIONS, ask(more.clone())).await;
            reply.expect_problem("422 validation", SUGGESTIONS, &more.to_string());
            assert_eq!(reply.pointers(), [place], "{more}");
        }
        let by_query = cluster.get(&format!("{SUGGESTIONS}?attendee={ANA}&attendee={BEN}&notify=true")).await.expect(422);
        assert_eq!(by_query.pointers(), ["#/notify"], "a GET invites nobody");
        let stranger = cluster.post(SUGGESTIONS, ask(json!({ "organizer": "x@example.com" }))).await;
        stranger.expect_problem("404 unknown-user", SUGGESTIONS, "a stranger calls it");
        none_made(cluster).await;
    }
}

/// The slot, with the meeting's own times in it.
fn plain_slot(slot: &Value, meeting: &Value) -> Value {
    let mut same = slot.clone();
    (same["start"], same["end"]) = (meeting["start"].clone(), meeting["end"].clone());
    same
}
