//! Every empty result is explained: its blockers, the nearest misses, and changes that give the promised result.

use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::Cluster;
use crate::support::meeting::{create_invited_meeting, create_meeting, register_morning_people, wait_for_status};

const ANA: &str = "ana@example.com";
const BEN: &str = "ben@example.com";
const CAT: &str = "cat@example.com";

/// The request with the fields of a change in it; null leaves one out.
fn changed(body: &Value, change: &Value) -> Value {
    let mut body = body.clone();
    for (name, value) in change.as_object().expect("fields") {
        match value {
            Value::Null => drop(body.as_object_mut().expect("fields").remove(name)),
            value => body[name] = value.clone(),
        }
    }
    body
}

/// The number of times at which the meeting could start, counted by hand on the attendees' views.
async fn starting_times(cluster: &Cluster, body: &Value) -> usize {
    let mut question = changed(body, &json!({ "view_minutes": 15 }));
    for name in ["organizer", "pick", "duration_minutes", "step_minutes", "limit"] {
        question.as_object_mut().expect("fields").remove(name);
    }
    let found = cluster.post("/api/availability", question).await.expect(200).json;
    let people: Vec<(bool, &[u8])> = found["attendees"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| (one["attendance"] != "optional", one["view"].as_str().expect("digits").as_bytes()))
        .collect();
    let unknown = found["unknown"].as_array().map_or(0, Vec::len);
    let quorum = match &body["quorum"] {
        Value::String(percent) => {
            let percent: usize = percent.trim_end_matches('%').parse().expect("a number");
            ((people.len() + unknown) * percent).div_ceil(100)
        }
        number => number.as_u64().unwrap_or(1) as usize,
    };
    let quarters = |name: &str, default: u64| (body[name].as_u64().unwrap_or(default) / 15) as usize;
    let (duration, step) = (quarters("duration_minutes", 60), quarters("step_minutes", 15));
    let length = people.first().map_or(0, |(_, view)| view.len());
    let can = |view: &[u8], start: usize| !view[start..start + duration].contains(&b'2');
    let works = |start: &usize| {
        let all = people.iter().filter(|(must, _)| *must).all(|(_, view)| can(view, *start));
        all && people.iter().filter(|(_, view)| can(view, *start)).count() >= quorum
    };
    (0..(length + 1).saturating_sub(duration)).step_by(step).filter(works).count()
}

/// Asks; there is nothing, and what would help helps as much as it says. Gives the reason.
async fn nothing(cluster: &Cluster, body: &Value) -> Value {
    let reply = cluster.post("/api/suggestions", body.clone()).await;
    assert_eq!((reply.status, &reply.json["suggestions"]), (200, &json!([])), "{body}: {}", reply.text);
    assert_eq!(starting_times(cluster, body).await, 0, "{body}");
    let why = reply.json["empty_reason"].clone();
    assert!(why["detail"].as_str().is_some_and(|text| text.len() > 20), "{why}");
    for relaxation in why["relaxations"].as_array().expect("a list") {
        let other = changed(body, &relaxation["change"]);
        let found = cluster.post("/api/suggestions", other.clone()).await.expect(200).json;
        assert_ne!(found["suggestions"], json!([]), "{relaxation}: {found}");
        let times = starting_times(cluster, &other).await;
        assert_eq!(relaxation["slots"], json!(times), "{relaxation} of {body}");
        let detail = relaxation["detail"].as_str().unwrap_or_default();
        assert!(
            detail.ends_with(&match times {
                1 => "there is 1 starting time".to_owned(),
                many => format!("there are {many} starting times"),
            }),
            "{detail}"
        );
    }
    why
}

fn kinds(why: &Value) -> Vec<&str> {
    let list = why["relaxations"].as_array().expect("a list").iter();
    list.filter_map(|one| one["kind"].as_str()).collect()
}

/// Whether the `detail` of this object is a text with these numbers, addresses and dates in it; its wording is free.
fn mentions(object: &Value, facts: &[&str]) -> bool {
    object["detail"].as_str().is_some_and(|text| !text.is_empty() && facts.iter().all(|fact| text.contains(fact)))
}

fn change<'a>(why: &'a Value, kind: &str) -> &'a Value {
    let list = why["relaxations"].as_array().expect("a list");
    list.iter().find(|one| one["kind"] == kind).map_or(&Value::Null, |one| &one["change"])
}

both_shapes! {
    async fn every_relaxation_gives_the_slots_that_it_promises(cluster) {
        cluster.register(ANA, json!({ "monday": ["09:00-12:00"], "wednesday": ["07:00-08:15"], "saturday": [15] })).await;
        cluster.register(BEN, json!({ "monday": ["10:15-13:00"], "wednesday": ["07:00-08:15"], "saturday": [15] })).await;
        cluster.register(CAT, json!({ "monday": ["11:15-12:00"], "tuesday": [9, 10], "wednesday": ["06:30-08:00"], "saturday": [15] })).await;
        let monday = json!({ "from": "2026-11-23", "to": "2026-11-23" });
        let on_monday = |more: Value| changed(&changed(&json!({ "attendees": [ANA, BEN, CAT] }), &monday), &more);

        let why = nothing(cluster, &on_monday(json!({}))).await;
        assert_eq!(why["code"], "attendees_unavailable");
        assert!(mentions(&why, &["45", "60"]), "{why}");
        assert_eq!((change(&why, "shorten"), change(&why, "make_optional")), (&json!({ "duration_minutes": 45 }), &json!({ "optional": [CAT] })));
        assert_eq!(change(&why, "widen"), &json!({ "from": "2026-11-23", "to": "2026-11-25" }), "on Wednesday they can");
        assert_eq!(why["blocking"][0]["email"], CAT);
        assert_eq!((&why["nearest"][0]["start"], &why["nearest"][0]["missing"]), (&json!("2026-11-23T10:15:00+00:00"), &json!([CAT])));

        // who was optional already stays so
        let why = nothing(cluster, &on_monday(json!({ "attendees": [ANA, CAT], "optional": [BEN], "latest": "11:15" }))).await;
        assert_eq!(change(&why, "make_optional"), &json!({ "optional": [BEN, CAT] }));

        let why = nothing(cluster, &on_monday(json!({ "attendees": [ANA, BEN], "step_minutes": 60, "duration_minutes": 105, "pick": "last" }))).await;
        assert_eq!((change(&why, "use_quarters"), kinds(&why).first()), (&json!({ "step_minutes": 15 }), Some(&"use_quarters")));

        let why = nothing(cluster, &on_monday(json!({ "quorum": "100%" }))).await;
        assert_eq!((change(&why, "lower_quorum"), &why["code"]), (&json!({ "quorum": 2 }), &json!("attendees_unavailable")));

        let why = nothing(cluster, &on_monday(json!({ "from": "2026-11-25", "to": "2026-11-25", "earliest": "08:00", "latest": "18:00" }))).await;
        assert_eq!(change(&why, "any_hour"), &json!({ "earliest": null, "latest": null }));
        assert_eq!(change(&why, "widen"), &json!({ "from": "2026-11-25", "to": "2026-11-28" }), "Saturday, within the hours");
        let typical = nothing(cluster, &json!({ "attendees": [ANA, BEN, CAT], "earliest": "16:00" })).await;
        assert_eq!((change(&typical, "any_hour"), change(&typical, "widen")), (&json!({ "earliest": null }), &Value::Null));

        // by query the same, and in a zone of its own
        let query = format!("/api/suggestions?attendee={ANA}&attendee={BEN}&attendee={CAT}&from=2026-11-23&to=2026-11-23");
        let by_query = cluster.get(&query).await.expect(200).json;
        assert_eq!(by_query, cluster.post("/api/suggestions", on_monday(json!({}))).await.expect(200).json);
        nothing(cluster, &on_monday(json!({ "time_zone": "Australia/Lord_Howe" }))).await;

        // nothing helps who never can
        cluster.register("dan@example.com", json!({})).await;
        let why = nothing(cluster, &on_monday(json!({ "attendees": [ANA, "dan@example.com"] }))).await;
        assert_eq!(kinds(&why), ["make_optional"]);
        assert!(mentions(&why, &["dan@example.com"]), "{why}");
        assert_eq!(why["blocking"][0], json!({ "email": "dan@example.com", "slots": 93, "alone": 9 }));
        cluster.expect_calm().await;
    }

    async fn widening_a_full_week_reaches_the_next_one(cluster) {
        for email in [ANA, BEN] {
            cluster.register(email, json!({ "monday": [9] })).await;
        }
        let week = json!({ "attendees": [ANA, BEN], "week": "2120-W10" });
        let arranged = cluster.post("/api/suggestions", changed(&week, &json!({ "notify": true }))).await.expect(200).json;
        assert_eq!(arranged["meeting"]["status"], "suggested", "{arranged}");
        let why = nothing(cluster, &week).await;
        assert_eq!(change(&why, "widen"), &json!({ "from": "2120-03-04", "to": "2120-03-11", "week": null }));
        assert_eq!(why["relaxations"][0]["slots"], 1);
        assert!(mentions(&why["relaxations"][0], &["11 March 2120"]), "{why}");
        // a scheduled meeting reports the relaxations too
        let again = cluster.post("/api/suggestions", changed(&week, &json!({ "notify": true }))).await.expect(200).json;
        assert_eq!((again.get("meeting"), &again["empty_reason"]), (None, &why));
        // a window is never longer than it may be
        let long = json!({ "attendees": [ANA, BEN], "from": "2120-03-04", "to": "2120-05-04", "duration_minutes": 120 });
        assert_eq!(change(&nothing(cluster, &long).await, "widen"), &Value::Null);
        cluster.expect_calm().await;
    }

    async fn an_organizer_without_a_week_reads_what_to_do_and_it_helps(cluster) {
        cluster.register(ANA, json!({})).await;
        register_morning_people(cluster, &[BEN, CAT]).await;
        let hint = |reason: &Value| {
            let reason = reason.as_str().unwrap_or_default();
            let at = reason.find('{').unwrap_or_else(|| panic!("no attendee in {reason}"));
            let end = at + reason[at..].find('}').expect("its end") + 1;
            assert!(reason.contains("/availability"), "{reason}");
            serde_json::from_str::<Value>(&reason[at..end]).expect("JSON")
        };
        let asked = json!({ "attendees": [ANA, BEN, CAT], "organizer": ANA });
        let why = nothing(cluster, &asked).await;
        assert_eq!(why["code"], "organizer_unavailable");
        let with_hint = changed(&asked, &json!({ "attendees": [ANA, BEN, CAT, hint(&why["detail"])] }));
        let found = cluster.post("/api/suggestions", with_hint).await.expect(200).json;
        assert_eq!(found["suggestions"].as_array().map(Vec::len), Some(1), "{found}");

        let meeting = create_meeting(cluster, json!({ "attendees": [BEN, CAT] })).await;
        let meeting = wait_for_status(cluster, &meeting, &["no_common_time"]).await;
        create_invited_meeting(cluster, json!({ "attendees": [BEN, CAT, hint(&meeting["reason"])] })).await;
        cluster.expect_calm().await;
    }

    async fn the_code_names_the_kind_of_the_missing_attendee(cluster) {
        cluster.register(ANA, json!({ "monday": [9] })).await;
        cluster.register(BEN, json!({ "monday": [10] })).await;
        cluster.register(CAT, json!({})).await;
        let skipped = "nobody@example.com";
        for (body, code, facts) in [
            (json!({ "attendees": [ANA, BEN] }), "attendees_unavailable", &[][..]),
            (json!({ "attendees": [ANA, BEN, CAT], "quorum": 2 }), "attendees_unavailable", &["2", "3"]),
            (json!({ "attendees": [ANA, CAT], "organizer": CAT }), "organizer_unavailable", &[CAT, "PUT /api/users/"]),
            (json!({ "attendees": [ANA, BEN], "organizer": BEN, "from": "2026-11-24", "to": "2026-11-24" }), "organizer_unavailable", &[BEN, "93"]),
            (json!({ "attendees": [ANA, CAT], "organizer": ANA }), "attendees_unavailable", &[CAT]),
            (json!({ "attendees": [ANA, BEN], "organizer": ANA }), "attendees_unavailable", &[][..]),
            (json!({ "attendees": [ANA, skipped], "unknown": "skip", "quorum": 2 }), "attendees_unavailable_or_unknown", &["1"]),
            (json!({ "attendees": [ANA, BEN, skipped], "unknown": "skip" }), "attendees_unavailable", &[][..]),
            // no attendee is the cause: the day has no such times
            (json!({ "attendees": [ANA, BEN], "from": "2026-03-29", "to": "2026-03-29", "time_zone": "Europe/Paris", "duration_minutes": 1440 }), "unknown", &[]),
            (json!({ "attendees": [ANA, BEN], "from": "2011-12-30", "to": "2011-12-30", "time_zone": "Pacific/Apia" }), "unknown", &[]),
        ] {
            let why = nothing(cluster, &body).await;
            assert_eq!(why["code"], code, "{body}: {why}");
            assert!(mentions(&why, facts), "{body}: {why}");
        }
        cluster.expect_calm().await;
    }
}
