//! Changes of meetings: title, time, attendees, cancellation, and deleted users.

use awc::http::Method;
use jiff::ToSpan;
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::meeting::{
    ANA, BEN, CAT, create_invited_meeting, create_meeting, meeting_path, next_monday, register_morning_people,
    start_label, text, wait_for_mails, wait_for_status,
};
use crate::support::{Cluster, Reply, eventually};

async fn change(cluster: &Cluster, meeting: &Value, patch: Value) -> Value {
    let changed = cluster.patch(&meeting_path(meeting), patch.clone()).await;
    assert_eq!(changed.status, 200, "{patch}: {}", changed.text);
    assert_eq!(changed.header("etag"), Some(format!("\"{}\"", changed.json["version"]).as_str()));
    changed.json
}

async fn if_match(cluster: &Cluster, method: Method, meeting: &Value, tag: &str) -> Reply {
    let headers = [("if-match", tag), ("content-type", "application/json")];
    let body = (method == Method::PATCH).then(|| b"{\"title\":\"Other\"}".to_vec());
    cluster.send(method, &meeting_path(meeting), &headers, body).await
}

both_shapes! {
    async fn a_new_title_sends_updates_and_changes_nothing_else(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let meeting = create_invited_meeting(cluster, json!({ "title": "Plan" })).await;
        wait_for_mails(cluster, &meeting, &["REQUEST 0 ana", "REQUEST 0 ben"]).await;
        let changed = change(cluster, &meeting, json!({ "title": "Budget" })).await;
        assert_eq!((text(&changed, "title"), &changed["sequence"]), ("Budget", &json!(1)));
        for same in ["status", "start", "end", "attendees", "history", "window"] {
            assert_eq!(changed[same], meeting[same], "{same}");
        }
        let all = ["REQUEST 0 ana", "REQUEST 0 ben", "REQUEST 1 ana", "REQUEST 1 ben"];
        let mails = wait_for_mails(cluster, &meeting, &all).await;
        assert!(mails[2].ics.contains("SUMMARY:Budget"), "{}", mails[2].ics);
        let line = |at: usize, name: &str| mails[at].ics.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        assert_eq!((line(0, "UID"), line(0, "DTSTART")), (line(2, "UID"), line(2, "DTSTART")));

        // an equal value is no change, and the callback URL is shown to the organizer alone
        let same = change(cluster, &meeting, json!({ "title": "Budget", "duration_minutes": 60 })).await;
        assert_eq!(same["version"], changed["version"]);
        let none = cluster.patch(&meeting_path(&meeting), json!({ "callback_url": "https://example.com/" })).await;
        assert_eq!(none.expect(422).pointers(), ["#/callback_secret"]);
        let secret = format!("whsec_{}", "B".repeat(32));
        let hooked = change(cluster, &meeting, json!({ "callback_url": "https://example.com/", "callback_secret": secret })).await;
        assert_eq!((text(&hooked, "callback_url"), &hooked["sequence"]), ("https://example.com/", &json!(1)));
        wait_for_mails(cluster, &meeting, &all).await;
    }

    async fn rescheduling_finds_another_time_under_the_same_uid(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let meeting = create_invited_meeting(cluster, json!({})).await;
        cluster.post(&format!("{}/participation", meeting_path(&meeting)), json!({ "email": BEN, "participation": "accepted" })).await.expect(200);
        let tuesday = next_monday().saturating_add(1.day());
        let noon = format!("{tuesday}T12:00:00Z");
        for (sequence, (patch, begin)) in (1..).zip([
            (json!({ "duration_minutes": 90, "pick": "last" }), "Mon 10:30"),
            (json!({ "from": tuesday, "to": tuesday }), "Tue 10:30"),
            (json!({ "start": noon }), "Tue 12:00"),
            (json!({ "start": null, "from": next_monday(), "to": next_monday(), "pick": "first" }), "Mon 09:00"),
            (json!({ "time_zone": "Asia/Tokyo" }), "Mon 18:00"),
        ]) {
            let changed = change(cluster, &meeting, patch.clone()).await;
            assert_eq!((text(&changed, "status"), &changed["sequence"]), ("queued", &json!(sequence)), "{patch}");
            assert_eq!(changed["attendees"][1]["participation"], "needs_action", "another time is another question");
            let done = wait_for_status(cluster, &changed, &["invited", "no_common_time"]).await;
            assert_eq!((text(&done, "status"), &*start_label(&done)), ("invited", begin), "{patch}");
        }
        let busy = cluster.get(&format!("/api/availability?attendee={ANA}&attendee={BEN}&from={tuesday}&to={tuesday}")).await;
        assert_eq!(start_label(&busy.expect(200).json["periods"][0]), "Tue 09:00", "what it held before is free");
    }

    async fn changes_without_effect_are_refused(cluster) {
        register_morning_people(cluster, &[ANA, BEN, CAT]).await;
        let meeting = create_invited_meeting(cluster, json!({})).await;
        let path = meeting_path(&meeting);
        for (patch, place) in [
            (json!({ "organizer": BEN }), "#/organizer"),
            (json!({ "organizer": null }), "#/organizer"),
            (json!({ "attendees": null }), "#/attendees"),
            (json!({ "attendees": [ANA] }), "#/attendees"),
            (json!({ "duration_minutes": 7 }), "#/duration_minutes"),
            (json!({ "title": "a\nb" }), "#/title"),
            (json!({ "start": "2020-01-01T00:00:00Z", "from": null, "to": null }), "#/start"),
            (json!({ "to": null }), "#/from"),
            (json!({ "status": "cancelled" }), "#/status"),
            (json!({ "version": 9 }), "#/version"),
            (json!([]), "#"),
        ] {
            let reply = cluster.patch(&path, patch.clone()).await;
            reply.expect_problem("422 validation", &path, &patch.to_string());
            assert_eq!(reply.pointers(), [place], "{patch}");
        }
        let stranger = cluster.patch(&path, json!({ "attendees": [BEN, "x@example.com"] })).await;
        stranger.expect_problem("404 unknown-user", &path, "a stranger");
        assert_eq!(stranger.json["unknown"], json!(["x@example.com"]));
        for method in [Method::PATCH, Method::DELETE] {
            if_match(cluster, method.clone(), &meeting, "\"1\"").await.expect_problem("412 precondition-failed", &path, "an old tag");
            if_match(cluster, method, &meeting, "x").await.expect_problem("400 bad-request", &path, "no tag");
        }
        assert_eq!(cluster.get(&path).await.expect(200).json, meeting);
        let tag = format!("\"{}\"", meeting["version"]);
        assert_eq!(if_match(cluster, Method::PATCH, &meeting, &tag).await.expect(200).json["title"], "Other");
        if_match(cluster, Method::DELETE, &meeting, &tag).await.expect(412);
        if_match(cluster, Method::DELETE, &meeting, "*").await.expect(204);
    }

    async fn a_removed_attendee_gets_a_cancellation(cluster) {
        register_morning_people(cluster, &[ANA, BEN, CAT]).await;
        let meeting = create_invited_meeting(cluster, json!({ "attendees": [BEN, CAT] })).await;
        let first = ["REQUEST 0 ana", "REQUEST 0 ben", "REQUEST 0 cat"];
        wait_for_mails(cluster, &meeting, &first).await;
        // the second change comes during the first: Cat is notified all the same
        change(cluster, &meeting, json!({ "attendees": [BEN] })).await;
        let changed = change(cluster, &meeting, json!({ "duration_minutes": 30 })).await;
        wait_for_status(cluster, &changed, &["invited"]).await;
        let mails = crate::support::eventually("Cat is told", async || {
            let mails = crate::support::meeting::invitation_mails(cluster, &meeting);
            mails.iter().any(|mail| mail.cancel).then_some(mails)
        }).await;
        let off: Vec<_> = mails.iter().filter(|mail| mail.cancel).collect();
        let mail_to_cat = (off.len(), off[0].to.as_str(), off[0].sequence);
        assert_eq!(mail_to_cat, (1, CAT, 1));
        let listed = cluster.get(&format!("/api/meetings?attendee={CAT}")).await.expect(200).json;
        assert_eq!(listed["meetings"], json!([]));
    }

    async fn a_cancelled_meeting_stays_cancelled(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let meeting = create_invited_meeting(cluster, json!({})).await;
        let path = meeting_path(&meeting);
        let gone = cluster.delete(&path).await.expect(204);
        assert_eq!(gone.text, "");
        let off = cluster.get(&path).await.expect(200).json;
        assert_eq!(text(&off, "status"), "cancelled");
        assert!(!text(&off, "reason").is_empty(), "{off}");
        assert_eq!((&off["sequence"], &off["start"]), (&json!(1), &meeting["start"]));
        let last = off["history"].as_array().and_then(|list| list.last()).expect("a state");
        assert_eq!((text(last, "status"), &last["reason"]), ("cancelled", &off["reason"]));
        let mails = wait_for_mails(cluster, &meeting, &["REQUEST 0 ana", "REQUEST 0 ben", "CANCEL 1 ana", "CANCEL 1 ben"]).await;
        let line = |at: usize, name: &str| mails[at].ics.lines().find(|line| line.starts_with(name)).map(str::to_owned);
        assert_eq!((line(0, "UID"), line(0, "DTSTART")), (line(2, "UID"), line(2, "DTSTART")));
        cluster.delete(&path).await.expect(204);
        assert_eq!(cluster.get(&path).await.expect(200).json, off, "the second time changes nothing");
        cluster.patch(&path, json!({ "title": "x" })).await.expect_problem("409 meeting-over", &path, "a change");
        let answer = json!({ "email": BEN, "participation": "accepted" });
        cluster.post(&format!("{path}/participation"), answer).await.expect(409);
    }

    async fn a_cancellation_names_the_time_that_was_invited(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let meeting = create_invited_meeting(cluster, json!({})).await;
        let start = wait_for_mails(cluster, &meeting, &["REQUEST 0 ana", "REQUEST 0 ben"]).await[0].ics.clone();
        let start = start.lines().find(|line| line.starts_with("DTSTART")).expect("a start");
        let changed = change(cluster, &meeting, json!({ "duration_minutes": 240 })).await;
        wait_for_status(cluster, &changed, &["no_common_time"]).await;
        let first = ["REQUEST 0 ana", "REQUEST 0 ben", "CANCEL 2 ana", "CANCEL 2 ben"];
        let mails = wait_for_mails(cluster, &meeting, &first).await;
        assert!(mails[2].ics.contains(start), "{}", mails[2].ics);
        // looked for once more: a calendar takes what is newer than the cancellation
        let again = change(cluster, &meeting, json!({ "duration_minutes": 60 })).await;
        wait_for_status(cluster, &again, &["invited"]).await;
        let all = [&first[..], &["REQUEST 3 ana", "REQUEST 3 ben"]].concat();
        wait_for_mails(cluster, &meeting, &all).await;
    }

    async fn a_deleted_user_leaves_meetings_or_cancels_them(cluster) {
        register_morning_people(cluster, &[ANA, BEN, CAT]).await;
        let [called, pair, three] = [
            create_invited_meeting(cluster, json!({ "organizer": CAT, "attendees": [BEN] })).await,
            create_invited_meeting(cluster, json!({ "attendees": [CAT] })).await,
            create_invited_meeting(cluster, json!({ "attendees": [BEN, CAT] })).await,
        ];
        // no attendee is free on these dates: the meeting waits for a better time
        let none = create_meeting(cluster, json!({ "attendees": [BEN, CAT], "duration_minutes": 600 })).await;
        let none = wait_for_status(cluster, &none, &["no_common_time"]).await;
        cluster.delete(&format!("/api/users/{CAT}")).await.expect(204);
        wait_for_status(cluster, &called, &["cancelled"]).await;
        wait_for_status(cluster, &pair, &["cancelled"]).await;
        wait_for_mails(cluster, &called, &["REQUEST 0 ben", "REQUEST 0 cat", "CANCEL 1 ben"]).await;
        wait_for_mails(cluster, &pair, &["REQUEST 0 ana", "REQUEST 0 cat", "CANCEL 1 ana"]).await;
        let left = eventually("the third meeting goes on without the user", async || {
            let left = cluster.get(&meeting_path(&three)).await.expect(200).json;
            (left["attendees"].as_array().map(Vec::len) == Some(2)).then_some(left)
        })
        .await;
        assert_eq!((text(&left, "status"), &left["start"]), ("invited", &three["start"]));
        let who: Vec<&str> = left["attendees"].as_array().into_iter().flatten().map(|one| text(one, "email")).collect();
        assert_eq!(who, [ANA, BEN]);
        let again = change(cluster, &none, json!({ "duration_minutes": 15 })).await;
        wait_for_status(cluster, &again, &["invited"]).await;
    }

    async fn a_user_may_be_deleted_while_a_meeting_is_scheduled(cluster) {
        register_morning_people(cluster, &[ANA, BEN, CAT]).await;
        let mut meetings = Vec::new();
        for _ in 0..6 {
            meetings.push(create_meeting(cluster, json!({ "attendees": [BEN, CAT], "duration_minutes": 15 })).await);
        }
        cluster.delete(&format!("/api/users/{CAT}")).await.expect(204);
        for meeting in &meetings {
            eventually("the meeting is arranged without the user", async || {
                let now = cluster.get(&meeting_path(meeting)).await.expect(200).json;
                assert!(!["failed", "no_common_time"].contains(&text(&now, "status")), "{now}");
                (now["status"] == "invited" && now["attendees"].as_array().map(Vec::len) == Some(2)).then_some(())
            })
            .await;
        }
        cluster.expect_calm().await;
    }
}
