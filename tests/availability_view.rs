//! Availability with options: views by digits, optional attendees, quorum, hours, and unknown attendees.

use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::Cluster;

const ANA: &str = "ana@example.com";
const BEN: &str = "ben@example.com";

async fn ask(cluster: &Cluster, rest: &str) -> Value {
    let reply = cluster.get(&format!("/api/availability?{rest}")).await;
    assert_eq!(reply.status, 200, "{rest}: {}", reply.text);
    reply.json
}

/// Of the first attendee, the digits that are not 2, each run with its place.
fn runs(answer: &Value) -> Vec<(usize, String)> {
    let view = answer["attendees"][0]["view"].as_str().expect("digits");
    let mut runs: Vec<(usize, String)> = Vec::new();
    for (at, digit) in view.chars().enumerate().filter(|(_, digit)| *digit != '2') {
        match runs.last_mut() {
            Some((start, run)) if *start + run.len() == at => run.push(digit),
            _ => runs.push((at, digit.to_string())),
        }
    }
    runs
}

both_shapes! {
    async fn a_view_has_one_digit_for_each_stretch_and_the_worst_wins(cluster) {
        cluster.register(ANA, json!({ "monday": ["09:00-10:15"], "tuesday": ["00:00-00:30"] })).await;
        cluster.patch("/api/users/ana@example.com", json!({ "if_needed": { "monday": ["10:00-11:00"] } })).await.expect(200);
        cluster.register(BEN, json!({})).await;
        let both = format!("attendee={ANA}&attendee={BEN}");
        for (minutes, length, expected) in [
            (15, 672, vec![(36, "00000111".to_owned()), (96, "00".to_owned())]),
            (30, 336, vec![(18, "0011".to_owned()), (48, "0".to_owned())]),
            (60, 168, vec![(9, "01".to_owned())]),
        ] {
            let found = ask(cluster, &format!("{both}&view_minutes={minutes}")).await;
            assert_eq!((runs(&found), &found["view_minutes"]), (expected, &json!(minutes)));
            assert_eq!(found["attendees"][0]["view"].as_str().map(str::len), Some(length));
            assert_eq!(found["attendees"][1]["view"], "2".repeat(length));
            let body = json!({ "attendees": [ANA, BEN], "view_minutes": minutes });
            assert_eq!(cluster.post("/api/availability", body).await.expect(200).json, found);
        }
        assert_eq!(ask(cluster, &both).await["attendees"][0].get("view"), None, "only where it is asked for");
        // digits are real time: on the day that has 23 hours there are 23
        for (day, zone, minutes, length) in [("2026-03-29", "Europe/Paris", 60, 23), ("2026-10-25", "Europe/Paris", 15, 100), ("2026-04-05", "Australia/Lord_Howe", 60, 25)] {
            let found = ask(cluster, &format!("{both}&from={day}&to={day}&time_zone={zone}&view_minutes={minutes}")).await;
            assert_eq!(found["attendees"][1]["view"], "2".repeat(length), "{day} {zone}");
        }
        cluster.expect_calm().await;
    }

    async fn common_time_is_what_the_quorum_shares(cluster) {
        cluster.register(ANA, json!({ "monday": ["09:00-11:00"] })).await;
        cluster.register(BEN, json!({ "monday": ["10:00-12:00"] })).await;
        cluster.register("cat@example.com", json!({ "monday": ["11:00-13:00"] })).await;
        for (rest, expected) in [
            ("attendee=ana@example.com&attendee=ben@example.com", json!(["10:00-11:00"])),
            ("attendee=ana@example.com&optional=ben@example.com", json!(["09:00-11:00"])),
            ("optional=ana@example.com&optional=ben@example.com", json!(["09:00-12:00"])),
            ("attendee=ana@example.com&attendee=ben@example.com&attendee=cat@example.com&quorum=2", json!(["10:00-12:00"])),
            ("attendee=ana@example.com&attendee=ben@example.com&attendee=cat@example.com&quorum=34%25", json!(["10:00-12:00"])),
            ("required=ana@example.com&attendee=ben@example.com&attendee=cat@example.com&quorum=2", json!(["10:00-11:00"])),
            ("attendee=ana@example.com&attendee=ben@example.com&attendee=cat@example.com&quorum=3", json!([])),
            ("attendee=ana@example.com&attendee=x@example.com&unknown=skip", json!(["09:00-11:00"])),
            ("attendee=ana@example.com&attendee=x@example.com&unknown=skip&quorum=2", json!([])),
            ("attendee=x@example.com&attendee=y@example.com&unknown=skip", json!([])),
            ("attendee=ana@example.com&optional=ben@example.com&earliest=09:15&latest=10:45", json!(["09:15-10:45"])),
            ("attendee=ana@example.com&attendee=ben@example.com&earliest=11:00", json!([])),
        ] {
            let found = ask(cluster, rest).await;
            assert_eq!(found["common"]["monday"], expected, "{rest}");
            assert_eq!(found["empty_reason"].is_null(), expected != json!([]), "{rest}");
            let window = ask(cluster, &format!("{rest}&past=include&week=2026-W48&time_zone=UTC")).await;
            let clock = |text: &Value| text.as_str().and_then(|text| text.get(11..16)).unwrap_or("?").to_owned();
            let list = window["periods"].as_array().expect("a list").iter();
            let periods: Vec<String> = list.map(|one| format!("{}-{}", clock(&one["start"]), clock(&one["end"]))).collect();
            assert_eq!(json!(periods), expected, "{rest} in a window");
        }
        let skipped = ask(cluster, "attendee=ana@example.com&attendee=X@example.com&unknown=skip").await;
        assert_eq!((&skipped["unknown"], skipped["attendees"].as_array().map(Vec::len)), (&json!(["x@example.com"]), Some(1)));
        let short = ask(cluster, "attendee=ana@example.com&attendee=x@example.com&unknown=skip&quorum=2").await;
        assert_eq!(short["empty_reason"]["code"], "attendees_unavailable_or_unknown");
        cluster.get("/api/availability?attendee=ana@example.com&attendee=x@example.com").await.expect(404);
        let listed = ask(cluster, "attendee=ana@example.com&optional=ben@example.com").await;
        assert_eq!((listed["attendees"][0].get("attendance"), &listed["attendees"][1]["attendance"]), (None, &json!("optional")));
        // the reason of a busy period is never shown
        assert!(!listed.to_string().contains("title"));
        cluster.expect_calm().await;
    }

    async fn on_some_dates_another_day_counts(cluster) {
        let week = json!({ "friday": ["09:00-12:00"] });
        cluster.register_in(ANA, "Europe/Paris", week.clone()).await;
        cluster.register_in(BEN, "Europe/Paris", json!({ "friday": ["08:00-18:00"], "saturday": ["08:00-18:00"] })).await;
        cluster.patch("/api/users/ana@example.com", json!({ "if_needed": { "friday": ["14:00-15:00"], "saturday": [16] } })).await.expect(200);
        let both = format!("attendee={ANA}&attendee={BEN}");
        let before = ask(cluster, &format!("{both}&past=include&week=2026-W48&view_minutes=60")).await;
        let plain = cluster.get(&format!("/api/suggestions?{both}&past=include&week=2026-W48")).await.expect(200).json;
        let typical = ask(cluster, &format!("{both}&view_minutes=60")).await;
        assert_eq!(runs(&before), [(4 * 24 + 9, "000".to_owned()), (4 * 24 + 14, "1".to_owned()), (5 * 24 + 16, "1".to_owned())]);
        // not this friday, but saturday from 10 to 12: nothing of the week is left on these dates, whatever it was
        let overrides = json!({ "overrides": { "2026-11-27": [], "2026-11-28": ["10:00-12:00"] } });
        cluster.patch("/api/users/ana@example.com", overrides).await.expect(200);
        let after = ask(cluster, &format!("{both}&past=include&week=2026-W48&view_minutes=60")).await;
        assert_eq!(runs(&after), [(5 * 24 + 10, "00".to_owned())]);
        assert_eq!(after["periods"], json!([{ "start": "2026-11-28T10:00:00+01:00", "end": "2026-11-28T12:00:00+01:00" }]));
        let found = cluster.get(&format!("/api/suggestions?{both}&past=include&week=2026-W48")).await.expect(200).json;
        assert_eq!((&plain["suggestions"][0]["start"], &found["suggestions"][0]["start"]), (&json!("2026-11-27T09:00:00+01:00"), &json!("2026-11-28T10:00:00+01:00")));
        assert_ne!(found["data_version"], plain["data_version"]);
        // a typical week knows no dates
        assert_eq!(ask(cluster, &format!("{both}&view_minutes=60")).await, typical);
        let next = ask(cluster, &format!("{both}&past=include&week=2026-W49&view_minutes=60")).await;
        assert_eq!(next["attendees"][0]["view"], before["attendees"][0]["view"]);
        // a date that goes away is the week's again
        cluster.patch("/api/users/ana@example.com", json!({ "overrides": { "2026-11-27": null, "2026-11-28": null } })).await.expect(200);
        assert_eq!(ask(cluster, &format!("{both}&past=include&week=2026-W48&view_minutes=60")).await, before);
        cluster.expect_calm().await;
    }

    async fn busy_time_is_removed_from_if_needed_too(cluster) {
        for email in [ANA, BEN] {
            cluster.register(email, json!({ "monday": [9, 10] })).await;
        }
        cluster.patch("/api/users/ana@example.com", json!({ "if_needed": { "monday": [11] } })).await.expect(200);
        let question = format!("attendee={ANA}&attendee={BEN}&week=2120-W10");
        let plain = cluster.get(&format!("/api/suggestions?{question}")).await.expect(200).json;
        let cat = json!({ "email": "cat@example.com", "name": "Cat", "availability": { "monday": ["09:00-12:00"] } });
        cluster.post("/api/users", cat).await.expect(201);
        // a meeting to which ana comes by her if_needed, and at which ben need not be
        let body = json!({ "attendees": [ANA, "cat@example.com"], "optional": [BEN], "week": "2120-W10", "duration_minutes": 120, "pick": "last", "notify": true });
        let arranged = cluster.post("/api/suggestions", body).await.expect(200).json;
        assert_eq!((&arranged["meeting"]["start"], &arranged["suggestions"][0]["reason"]), (&json!("2120-03-04T09:00:00+00:00"), &json!("the latest time at which both required attendees are free; 3 of 3 can come")));
        let attendance: Vec<&Value> = arranged["meeting"]["attendees"].as_array().expect("a list").iter().map(|one| &one["attendance"]).collect();
        assert_eq!(attendance, ["required", "required", "optional"]);
        let found = ask(cluster, &format!("{question}&view_minutes=60")).await;
        assert_eq!(runs(&found), [(11, "1".to_owned())]);
        assert_eq!(found["attendees"][1]["view"].as_str().and_then(|view| view.get(9..11)), Some("00"), "who need not come is not held");
        // of a quorum those are held who can come
        let body = json!({ "attendees": [BEN, "cat@example.com", "x@example.com"], "unknown": "skip", "quorum": 1, "week": "2120-W11", "pick": "last", "notify": true });
        let arranged = cluster.post("/api/suggestions", body).await.expect(200).json;
        let people: Vec<(&Value, &Value)> = arranged["meeting"]["attendees"].as_array().expect("a list").iter().map(|one| (&one["email"], &one["attendance"])).collect();
        assert_eq!(people, [(&json!(BEN), &json!("optional")), (&json!("cat@example.com"), &json!("required"))], "{arranged}");
        let none = cluster.get(&format!("/api/suggestions?{question}")).await.expect(200).json;
        assert_ne!(none["data_version"], plain["data_version"], "what is taken is data, too");
        cluster.expect_calm().await;
    }
}
