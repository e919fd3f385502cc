//! The suggestion role, through the gateway: which slots are proposed, in which order, and why.

use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::Cluster;

const TWO: &str = "attendee=ana@example.com&attendee=ben@example.com";

/// Ana and Ben, who share Monday 10:30 to 12:15, Wednesday 09:00 to 10:00 and Friday 15:00 to 17:30.
async fn ana_and_ben(cluster: &Cluster) {
    let ana = json!({ "monday": ["09:00-12:15"], "wednesday": [9], "friday": ["15:00-17:30"] });
    let ben = json!({ "monday": ["10:30-16:00"], "wednesday": [8, 9], "friday": ["14:00-18:00"] });
    cluster.register("ana@example.com", ana).await;
    cluster.register("ben@example.com", ben).await;
}

async fn ask(cluster: &Cluster, rest: &str) -> Value {
    let reply = cluster.get(&format!("/api/suggestions?{TWO}{rest}")).await;
    assert_eq!(reply.status, 200, "{rest}: {}", reply.text);
    let answer = reply.json;
    check(&answer, rest);
    answer
}

/// What holds for every answer: ranks count up, scores add up, and slots lie apart.
#[track_caller]
fn check(answer: &Value, row: &str) {
    let list = answer["suggestions"].as_array().expect("a list");
    assert_eq!(list.is_empty(), !answer["empty_reason"].is_null(), "{row}: {answer}");
    let mut taken: Vec<(&str, &str, &str)> = Vec::new();
    for (at, one) in list.iter().enumerate() {
        let text = |member: &str| one[member].as_str().unwrap_or_default();
        let factors = one["factors"].as_array().expect("factors");
        let sum: u64 = factors.iter().filter_map(|factor| factor["value"].as_u64()).sum();
        assert_eq!((&one["rank"], &one["score"]), (&json!(at + 1), &json!(sum)), "{row}: {one}");
        let names: Vec<&Value> =
            factors.iter().map(|factor| &factor["name"]).filter(|name| **name != "fairness").collect();
        assert_eq!(names, ["free", "if_needed", "preference", "time"], "{row}");
        assert!(!text("reason").is_empty(), "{row}");
        let slot = (text("day"), text("start"), text("end"));
        let apart = |other: &(&str, &str, &str)| other.0 != slot.0 || other.2 <= slot.1 || slot.2 <= other.1;
        assert!(taken.iter().all(apart), "{row}: {slot:?} overlaps one of {taken:?}");
        taken.push(slot);
    }
}

/// `day start-end` of every suggestion, in order.
fn slots(answer: &Value) -> Vec<String> {
    let list = answer["suggestions"].as_array().expect("a list");
    let text = |one: &Value, member: &str| one[member].as_str().unwrap_or("?").to_owned();
    list.iter().map(|one| format!("{} {}-{}", text(one, "day"), text(one, "start"), text(one, "end"))).collect()
}

both_shapes! {
    async fn the_data_version_changes_with_what_the_answer_may_show_alone(cluster) {
        ana_and_ben(cluster).await;
        let one = ask(cluster, "&pick=last&time_zone=UTC").await;
        assert_eq!(ask(cluster, "&pick=best&time_zone=UTC").await["data_version"], one["data_version"]);
        cluster.patch("/api/users/ben@example.com", json!({ "name": "Ben" })).await.expect(200);
        cluster.patch("/api/users/ben@example.com", json!({ "overrides": { "2031-01-01": ["09:00-10:00"] } })).await.expect(200);
        assert_eq!(ask(cluster, "&pick=best&time_zone=UTC").await["data_version"], one["data_version"]);
        let week = cluster.get("/api/users/ben@example.com/availability").await.expect(200).json;
        for (monday, is_same) in [(&Value::Null, false), (&week["monday"], true)] {
            let change = json!({ "availability": { "monday": monday } });
            cluster.patch("/api/users/ben@example.com", change).await.expect(200);
            let changed = ask(cluster, "&pick=best&time_zone=UTC").await;
            assert_eq!(changed["data_version"] == one["data_version"], is_same, "{monday}");
        }
    }

    async fn first_last_and_best_are_picked_without_overlap_in_every_length_and_step(cluster) {
        ana_and_ben(cluster).await;
        for (rest, expected) in [
            ("", &["monday 10:30-11:30"][..]),
            ("&pick=first", &["monday 10:30-11:30"]),
            ("&pick=last", &["friday 16:30-17:30"]),
            ("&pick=first&limit=9", &["monday 10:30-11:30", "wednesday 09:00-10:00", "friday 15:00-16:00", "friday 16:00-17:00"]),
            ("&pick=last&limit=3", &["friday 16:30-17:30", "friday 15:30-16:30", "wednesday 09:00-10:00"]),
            ("&pick=best", &["monday 10:30-11:30", "wednesday 09:00-10:00", "friday 15:00-16:00", "friday 16:00-17:00"]),
            ("&pick=best&limit=2", &["monday 10:30-11:30", "wednesday 09:00-10:00"]),
            ("&pick=best&limit=100&duration_minutes=15&step_minutes=60", &[
                "monday 11:00-11:15", "monday 12:00-12:15", "wednesday 09:00-09:15", "friday 15:00-15:15", "friday 16:00-16:15",
                "friday 17:00-17:15",
            ]),
            ("&limit=2", &["monday 10:30-11:30", "wednesday 09:00-10:00"]),
            ("&step_minutes=60&limit=9", &["monday 11:00-12:00", "wednesday 09:00-10:00", "friday 15:00-16:00", "friday 16:00-17:00"]),
            ("&step_minutes=30&pick=last", &["friday 16:30-17:30"]),
            ("&step_minutes=60&pick=last", &["friday 16:00-17:00"]),
            ("&duration_minutes=15", &["monday 10:30-10:45"]),
            ("&duration_minutes=105", &["monday 10:30-12:15"]),
            ("&duration_minutes=120", &["friday 15:00-17:00"]),
            ("&duration_minutes=150&pick=best", &["friday 15:00-17:30"]),
            ("&duration_minutes=105&step_minutes=60", &["friday 15:00-16:45"]),
        ] {
            assert_eq!(slots(&ask(cluster, rest).await), expected, "{rest}");
        }

        let one = ask(cluster, "&pick=last&time_zone=UTC").await;
        let slot = &one["suggestions"][0];
        assert_eq!(one, json!({
            "suggestions": [{
                "rank": 1, "day": "friday", "start": "16:30", "end": "17:30",
                "local": [{
                    "time_zone": "UTC", "day": "friday", "start": "16:30", "end": "17:30",
                    "attendees": ["ana@example.com", "ben@example.com"],
                }],
                "free": ["ana@example.com", "ben@example.com"], "if_needed": [], "busy": [], "unknown": [],
                "score": slot["score"], "factors": slot["factors"],
                "reason": "the latest time at which both attendees are free",
            }],
            "empty_reason": null, "pick": "last", "seed": null, "algorithm_version": 2, "data_version": one["data_version"],
        }));
        // the whole of a day, and no slot crosses the end of a week
        let always = json!({ "sunday": ["00:00-24:00"], "monday": ["00:00-24:00"] });
        cluster.register("cleo@example.com", always.clone()).await;
        cluster.register("dan@example.com", always).await;
        for (minutes, expected) in [(1440, &["monday 00:00-24:00", "sunday 00:00-24:00"][..]), (1425, &["monday 00:00-23:45", "sunday 00:00-23:45"])] {
            let body = json!({ "attendees": ["cleo@example.com", "dan@example.com"], "duration_minutes": minutes, "limit": 9 });
            let answer = cluster.post("/api/suggestions", body).await.expect(200).json;
            assert_eq!(slots(&answer), expected, "{minutes}");
        }
        cluster.expect_calm().await;
    }

    async fn random_picks_depend_on_the_seed_alone(cluster) {
        ana_and_ben(cluster).await;
        // never to change: an answer is repeated by its seed, on every machine and in every shape
        for (seed, expected) in [
            (0_u64, &["friday 15:15-16:15", "friday 16:15-17:15", "monday 10:45-11:45"][..]),
            (7, &["monday 11:15-12:15", "friday 16:00-17:00", "wednesday 09:00-10:00"]),
            (9_007_199_254_740_991, &["monday 10:45-11:45", "friday 15:00-16:00", "friday 16:15-17:15"]),
        ] {
            let rest = format!("&pick=random&limit=3&seed={seed}");
            let (one, two) = (ask(cluster, &rest).await, cluster.get(&format!("/api/suggestions?{TWO}{rest}")).await);
            assert_eq!((slots(&one), &one["seed"], &one["pick"]), (expected.iter().map(|slot| (*slot).to_owned()).collect(), &json!(seed), &json!("random")));
            assert_eq!(one.to_string(), two.text, "the same bytes twice");
            let body = json!({ "attendees": ["ana@example.com", "ben@example.com"], "pick": "random", "limit": 3, "seed": seed });
            assert_eq!(cluster.post("/api/suggestions", body).await.expect(200).text, two.text, "and by POST");
        }
        // without a seed, the response has a random one, and that seed gives the same picks
        let mut drawn = Vec::new();
        for _ in 0..8 {
            let fresh = ask(cluster, "&pick=random").await;
            let again = ask(cluster, &format!("&pick=random&seed={}", fresh["seed"])).await;
            assert_eq!(fresh.to_string(), again.to_string());
            drawn.push(fresh["seed"].as_u64().expect("a seed"));
        }
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), 8, "no two draws are fed by one seed: {drawn:?}");
        // where nothing is drawn, a seed that was given is still echoed
        assert_eq!(ask(cluster, "&pick=first&seed=5").await["seed"], 5);
    }

    async fn without_a_pick_the_attendees_own_preferences_decide(cluster) {
        ana_and_ben(cluster).await;
        for (ana, ben, pick, expected) in [
            ("first", "first", json!("first"), &["monday 10:30-11:30"][..]),
            ("last", "last", json!("last"), &["friday 16:30-17:30"]),
            ("first", "last", json!(null), &["monday 10:30-11:30", "friday 16:30-17:30"]),
            ("last", "first", json!(null), &["friday 16:30-17:30", "monday 10:30-11:30"]),
            ("best", "best", json!("best"), &["monday 10:30-11:30", "wednesday 09:00-10:00", "friday 15:00-16:00", "friday 16:00-17:00"]),
            ("last", "best", json!(null), &["friday 16:30-17:30", "friday 15:00-16:00"]),
        ] {
            for (name, preference) in [("ana", ana), ("ben", ben)] {
                cluster.patch(&format!("/api/users/{name}@example.com"), json!({ "preference": preference })).await.expect(200);
            }
            let answer = ask(cluster, "").await;
            assert_eq!((slots(&answer), &answer["pick"]), (expected.iter().map(|slot| (*slot).to_owned()).collect(), &pick), "{ana} and {ben}");
            // what the request says goes before what they like
            assert_eq!(slots(&ask(cluster, "&pick=first").await), ["monday 10:30-11:30"], "{ana} and {ben}");
            if pick.is_null() {
                assert_eq!(slots(&ask(cluster, "&limit=1").await), expected[..1], "{ana} and {ben}");
            }
        }
        cluster.patch("/api/users/ana@example.com", json!({ "preference": "random" })).await.expect(200);
        cluster.patch("/api/users/ben@example.com", json!({ "preference": "random" })).await.expect(200);
        let drawn = ask(cluster, "&seed=7").await;
        assert_eq!((slots(&drawn).len(), &drawn["pick"], &drawn["seed"]), (1, &json!("random"), &json!(7)));

        // two of one mind and one of another: one slot for each mind, and never the same slot twice
        cluster.register("cleo@example.com", json!({ "wednesday": [9] })).await;
        cluster.patch("/api/users/cleo@example.com", json!({ "preference": "last" })).await.expect(200);
        assert_eq!(slots(&ask(cluster, "&attendee=cleo@example.com").await), ["wednesday 09:00-10:00"]);

        // best puts what most people like before what is early
        for name in ["ana", "ben"] {
            cluster.patch(&format!("/api/users/{name}@example.com"), json!({ "preference": "last" })).await.expect(200);
        }
        let best = ask(cluster, "&pick=best&limit=2").await;
        assert_eq!(slots(&best), ["friday 16:30-17:30", "friday 15:30-16:30"]);
        let scores: Vec<u64> = (0..2).filter_map(|at| best["suggestions"][at]["score"].as_u64()).collect();
        assert!(scores[0] > scores[1], "{scores:?}");
    }

    async fn no_time_found_is_an_answer_with_a_reason(cluster) {
        ana_and_ben(cluster).await;
        cluster.register("cleo@example.com", json!({ "sunday": [9], "tuesday": ["10:15-11:00"] })).await;
        cluster.register("dan@example.com", json!({})).await;
        cluster.register("eve@example.com", json!({ "tuesday": ["10:15-11:00"] })).await;
        for (query, blocking, fact) in [
            (format!("{TWO}&attendee=cleo@example.com"), &["cleo", "ana", "ben"][..], ""),
            (format!("{TWO}&attendee=dan@example.com"), &["dan", "ana", "ben"], "dan@example.com"),
            (format!("{TWO}&duration_minutes=165"), &["ana", "ben"], "165"),
            (format!("{TWO}&duration_minutes=1440&pick=random"), &["ana", "ben"], "1440"),
            (format!("{TWO}&from=2026-03-24&to=2026-03-24"), &["ana", "ben"], "ben@example.com"),
            ("attendee=cleo@example.com&attendee=eve@example.com&step_minutes=60&duration_minutes=45".to_owned(), &["cleo", "eve"], "step_minutes"),
        ] {
            let answer = cluster.get(&format!("/api/suggestions?{query}")).await.expect(200).json;
            check(&answer, &query);
            let why = &answer["empty_reason"];
            let list = why["blocking"].as_array().expect("a list");
            let mut names: Vec<&str> = list.iter().filter_map(|one| one["email"].as_str()?.strip_suffix("@example.com")).collect();
            names.sort_by_key(|name| blocking.iter().position(|one| one == name));
            assert_eq!((&why["code"], names), (&json!("attendees_unavailable"), blocking.to_vec()), "{query}: {answer}");
            assert!(why["detail"].as_str().is_some_and(|text| !text.is_empty() && text.contains(fact)), "{why}");
            assert_eq!(answer["suggestions"], json!([]));
        }
        let stranger = cluster.get(&format!("/api/suggestions?{TWO}&attendee=No.Body@example.com&attendee=x@b.co")).await;
        stranger.expect_problem("404 unknown-user", "/api/suggestions", "strangers");
        assert_eq!(stranger.json["unknown"], json!(["no.body@example.com", "x@b.co"]));
        cluster.expect_calm().await;
    }

    async fn in_a_window_slots_are_instants_that_follow_the_clocks(cluster) {
        for name in ["ana", "ben"] {
            let week = json!({ "saturday": ["23:00-24:00"], "sunday": ["00:00-04:00"], "monday": [9] });
            cluster.register_in(&format!("{name}@example.com"), "Europe/Paris", week).await;
        }
        let instants = |answer: &Value| -> Vec<String> {
            let list = answer["suggestions"].as_array().expect("a list").iter();
            list.map(|one| {
                assert_eq!(one.get("day"), None, "an instant has its day");
                format!("{} {}", one["start"].as_str().unwrap_or("?"), one["end"].as_str().unwrap_or("?"))
            }).collect()
        };
        for (rest, expected) in [
            ("&past=include&week=2026-W48", &["2026-11-23T09:00:00+01:00 2026-11-23T10:00:00+01:00"][..]),
            ("&week=2026-W13&pick=last", &["2026-03-29T03:00:00+02:00 2026-03-29T04:00:00+02:00"]),
            ("&week=2026-W13&pick=last&limit=3&duration_minutes=90", &[
                "2026-03-29T01:30:00+01:00 2026-03-29T04:00:00+02:00", "2026-03-29T00:00:00+01:00 2026-03-29T01:30:00+01:00",
                "2026-03-23T09:00:00+01:00 2026-03-23T10:00:00+01:00",
            ][..2]),
            // an hour that is there twice is two slots, each of them a real hour
            ("&from=2026-10-25&to=2026-10-25&limit=4&step_minutes=60", &[
                "2026-10-25T00:00:00+02:00 2026-10-25T01:00:00+02:00", "2026-10-25T01:00:00+02:00 2026-10-25T02:00:00+02:00",
                "2026-10-25T02:00:00+02:00 2026-10-25T02:00:00+01:00", "2026-10-25T02:00:00+01:00 2026-10-25T03:00:00+01:00",
            ]),
            // over midnight, and in another clock
            ("&from=2026-03-28&to=2026-03-29&duration_minutes=120", &["2026-03-28T23:00:00+01:00 2026-03-29T01:00:00+01:00"]),
            ("&past=include&week=2026-W48&time_zone=Asia/Kolkata", &["2026-11-23T13:30:00+05:30 2026-11-23T14:30:00+05:30"]),
            ("&past=include&week=2026-W48&time_zone=Asia/Kolkata&step_minutes=60&duration_minutes=30", &["2026-11-23T14:00:00+05:30 2026-11-23T14:30:00+05:30"]),
            // busy with the year's end, and clipped to the window
            ("&past=include&from=2026-12-28&to=2026-12-28&limit=9", &["2026-12-28T09:00:00+01:00 2026-12-28T10:00:00+01:00"]),
        ] {
            let reply = cluster.get(&format!("/api/suggestions?{TWO}{rest}")).await;
            assert_eq!(reply.status, 200, "{rest}: {}", reply.text);
            assert_eq!(instants(&reply.json), expected, "{rest}");
        }
        let body = json!({ "attendees": ["ana@example.com", "ben@example.com"], "from": "2026-03-29", "to": "2026-03-29", "pick": "random", "seed": 7 });
        let (one, two) = (cluster.post("/api/suggestions", body.clone()).await.expect(200), cluster.post("/api/suggestions", body).await.expect(200));
        assert_eq!(one.text, two.text);
    }
}
