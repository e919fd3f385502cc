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

async fn reply(cluster: &Cluster, meeting: &Value, email: &str, participation: &str) {
    let reply = json!({ "email": email, "participation": participation });
    cluster.post(&format!("{}/participation", meeting_path(meeting)), reply).await.expect(200);
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

    async fn another_name_of_the_same_zone_is_stored_and_changes_nothing_else(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let meeting = create_invited_meeting(cluster, json!({ "time_zone": "Asia/Calcutta" })).await;
        let changed = change(cluster, &meeting, json!({ "time_zone": "Asia/Kolkata" })).await;
        assert_eq!((text(&changed, "time_zone"), text(&changed, "status")), ("Asia/Kolkata", "invited"));
        assert_ne!(changed["version"], meeting["version"], "the entity tag tells the two answers apart");
        assert_eq!((&changed["start"], &changed["sequence"]), (&meeting["start"], &json!(0)), "nobody gets a mail");
        let same = change(cluster, &meeting, json!({ "time_zone": "Asia/Kolkata" })).await;
        assert_eq!((text(&same, "time_zone"), &same["version"]), ("Asia/Kolkata", &changed["version"]));
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
            let done = wait_for_status(cluster, &changed, &["invited", "no_common_time"]).await;
            assert_eq!(done["attendees"][1]["participation"], "needs_action", "another time is another question");
            assert_eq!(done["attendees"][0]["participation"], "accepted", "which the organizer has answered");
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
        wait_for_status(cluster, &changed, &["invited"]).await;
        cluster.delete(&meeting_path(&meeting)).await.expect(204);
        let all = ["REQUEST 0 ana", "REQUEST 0 ben", "CANCEL 2 ana", "CANCEL 2 ben"];
        let mails = wait_for_mails(cluster, &meeting, &all).await;
        assert!(mails[2].ics.contains(start), "{}", mails[2].ics);
    }

    async fn a_change_that_fails_keeps_what_was(cluster) {
        register_morning_people(cluster, &[ANA, BEN, CAT]).await;
        cluster.register("dan@example.com", json!({})).await;
        let meeting = create_invited_meeting(cluster, json!({})).await;
        reply(cluster, &meeting, BEN, "accepted").await;
        let before = cluster.get(&meeting_path(&meeting)).await.expect(200).json;
        let evening = format!("{}T20:00:00Z", next_monday());
        let taken = json!({ "start": evening, "from": null, "to": null, "attendees": [CAT] });
        create_invited_meeting(cluster, taken).await;
        for patch in [
            json!({ "duration_minutes": 240 }),
            json!({ "start": evening }),
            json!({ "attendees": [BEN, "dan@example.com"] }),
            json!({ "from": next_monday(), "to": next_monday(), "pick": "last", "duration_minutes": 1440 }),
        ] {
            let changed = change(cluster, &meeting, patch.clone()).await;
            assert_eq!((text(&changed, "status"), &changed["start"]), ("queued", &before["start"]), "{patch}");
            let done = wait_for_status(cluster, &changed, &["invited", "no_common_time", "cancelled"]).await;
            assert_eq!(text(&done, "status"), "invited", "{patch}");
            for same in ["start", "end", "attendees", "duration_minutes", "pick", "window", "title"] {
                assert_eq!(done[same], before[same], "{patch}: {same}");
            }
            let history = done["history"].as_array().expect("a list");
            let [.., none, stays] = history.as_slice() else { panic!("{done}") };
            assert_eq!((text(none, "status"), text(stays, "status")), ("no_common_time", "invited"), "{patch}");
            assert!(!text(none, "reason").is_empty() && text(&done, "reason").contains(text(none, "reason")), "{done}");
        }
        let busy = cluster.get(&format!("/api/availability?attendee={ANA}&attendee={BEN}&from={0}&to={0}", next_monday())).await;
        assert_eq!(start_label(&busy.expect(200).json["periods"][0]), "Mon 10:00", "the time is held all along");
        wait_for_mails(cluster, &meeting, &["REQUEST 0 ana", "REQUEST 0 ben"]).await;
    }

    async fn a_change_that_fails_in_part_is_mailed(cluster) {
        register_morning_people(cluster, &[ANA, BEN, CAT]).await;
        let meeting = create_invited_meeting(cluster, json!({ "attendees": [BEN, CAT] })).await;
        let first = ["REQUEST 0 ana", "REQUEST 0 ben", "REQUEST 0 cat"];
        let start = wait_for_mails(cluster, &meeting, &first).await[0].ics.clone();
        let start = start.lines().find(|line| line.starts_with("DTSTART")).expect("a start");
        let changed = change(cluster, &meeting, json!({ "title": "Budget", "attendees": [BEN], "duration_minutes": 240 })).await;
        let done = wait_for_status(cluster, &changed, &["invited"]).await;
        assert_eq!((text(&done, "title"), &done["start"]), ("Budget", &meeting["start"]));
        let all = [&first[..], &["REQUEST 1 ana", "REQUEST 1 ben", "CANCEL 1 cat"]].concat();
        let mails = wait_for_mails(cluster, &meeting, &all).await;
        assert!(mails[3].ics.contains(start) && mails[3].ics.contains("SUMMARY:Budget"), "{}", mails[3].ics);
        for (at, subject, opening) in [
            (0, "Arranged: Meeting", "You have arranged this meeting."),
            (1, "Invitation: Meeting", "Somebody invites you to a meeting."),
            (3, "Changed: Budget", "You have changed this meeting."),
            (4, "Updated invitation: Budget", "Somebody has changed a meeting that you are invited to."),
            (5, "No longer invited: Meeting", "Somebody has removed you from the attendees of this meeting."),
        ] {
            assert_eq!(mails[at].header("subject"), subject);
            assert_eq!(mails[at].mail.matches(opening).count(), 2, "{opening}: {}", mails[at].mail);
        }
        assert!(!mails[5].mail.contains("The meeting:") && !mails[5].mail.contains("Open the meeting"), "{}", mails[5].mail);
    }

    async fn another_attendee_moves_the_meeting_only_if_they_must(cluster) {
        register_morning_people(cluster, &[ANA, BEN, CAT]).await;
        cluster.register("dan@example.com", json!({ "monday": [11] })).await;
        let first = create_invited_meeting(cluster, json!({})).await;
        let meeting = create_invited_meeting(cluster, json!({})).await;
        assert_eq!(start_label(&meeting), "Mon 10:00");
        cluster.delete(&meeting_path(&first)).await.expect(204);
        reply(cluster, &meeting, BEN, "accepted").await;
        let replies = |meeting: &Value| -> Vec<String> {
            meeting["attendees"].as_array().into_iter().flatten().map(|one| text(one, "participation").to_owned()).collect()
        };
        let changed = change(cluster, &meeting, json!({ "attendees": [BEN, CAT] })).await;
        let more = wait_for_status(cluster, &changed, &["invited"]).await;
        assert_eq!(start_label(&more), "Mon 10:00", "an earlier hour is free, and the meeting stays");
        assert_eq!(replies(&more), ["accepted", "accepted", "needs_action"]);
        let fewer = change(cluster, &meeting, json!({ "attendees": [BEN] })).await;
        assert_eq!((text(&fewer, "status"), start_label(&fewer).as_str()), ("invited", "Mon 10:00"), "nothing is searched");
        let changed = change(cluster, &meeting, json!({ "attendees": [BEN, "dan@example.com"] })).await;
        let moved = wait_for_status(cluster, &changed, &["invited"]).await;
        assert_eq!(start_label(&moved), "Mon 11:00");
        assert_eq!(replies(&moved), ["accepted", "needs_action", "needs_action"]);
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
        let mails = [
            wait_for_mails(cluster, &called, &["REQUEST 0 ben", "REQUEST 0 cat", "CANCEL 1 ben"]).await,
            wait_for_mails(cluster, &pair, &["REQUEST 0 ana", "REQUEST 0 cat", "CANCEL 1 ana"]).await,
        ];
        let why = "This meeting is cancelled, because the account of a person whom it needs was deleted.";
        assert!(mails.iter().all(|mails| mails[2].mail.contains(why)), "{mails:?}");
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
