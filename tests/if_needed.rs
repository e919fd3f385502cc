//! Suggestions with optional attendees, `if_needed` time, weights and hours.

use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::Cluster;

const ANA: &str = "ana@example.com";
const BEN: &str = "ben@example.com";
const CAT: &str = "cat@example.com";

async fn ask(cluster: &Cluster, body: Value) -> Value {
    let reply = cluster.post("/api/suggestions", body.clone()).await;
    assert_eq!(reply.status, 200, "{body}: {}", reply.text);
    let list = reply.json["suggestions"].as_array().expect("a list");
    for one in list {
        let factors = one["factors"].as_array().expect("factors").iter();
        let sum: u64 = factors.filter_map(|factor| factor["value"].as_u64()).sum();
        assert_eq!(one["score"], json!(sum), "{one}");
        assert!(sum < 1 << 53, "{one}");
    }
    reply.json
}

/// `monday 09:00` of every suggestion, or its instant.
fn starts(answer: &Value) -> Vec<String> {
    let list = answer["suggestions"].as_array().expect("a list").iter();
    list.map(|one| match one["day"].as_str() {
        Some(day) => format!("{day} {}", one["start"].as_str().unwrap_or("?")),
        None => one["start"].as_str().unwrap_or("?").to_owned(),
    })
    .collect()
}

/// Free, if_needed, busy and unknown of a suggestion, by the names alone.
fn places(answer: &Value, at: usize) -> [String; 4] {
    ["free", "if_needed", "busy", "unknown"].map(|member| {
        let list = answer["suggestions"][at][member].as_array().expect("a list").iter();
        let names: Vec<&str> = list.filter_map(|email| email.as_str()?.split('@').next()).collect();
        names.join(" ")
    })
}

#[track_caller]
fn reason(answer: &Value, expected: &str) {
    assert_eq!(answer["suggestions"][0]["reason"], expected, "{answer}");
}

both_shapes! {
    async fn if_needed_time_is_used_only_when_necessary(cluster) {
        cluster.register(ANA, json!({ "monday": [9, 10], "tuesday": [9], "friday": [9, 10] })).await;
        cluster.register(BEN, json!({ "friday": [10] })).await;
        cluster.patch("/api/users/ben@example.com", json!({ "if_needed": { "monday": [9], "friday": [9] } })).await.expect(200);
        let both = |more: Value| { let mut body = json!({ "attendees": [ANA, BEN] }); more.as_object().into_iter().flatten().for_each(|(name, value)| body[name] = value.clone()); body };
        for (pick, expected, why) in [
            ("first", "friday 10:00", "the earliest time at which both attendees are free"),
            ("last", "friday 10:00", "the latest time at which both attendees are free"),
            ("best", "friday 10:00", "the highest score of all times at which both attendees are free"),
        ] {
            let answer = ask(cluster, both(json!({ "pick": pick, "limit": 1 }))).await;
            assert_eq!((starts(&answer), places(&answer, 0)), (vec![expected.to_owned()], ["ana ben", "", "", ""].map(str::to_owned)), "{pick}");
            reason(&answer, why);
        }
        // the next ones are those to which ben comes only if needed, one quarter of it being enough
        let answer = ask(cluster, both(json!({ "pick": "first", "limit": 9 }))).await;
        assert_eq!(starts(&answer), ["friday 10:00", "monday 09:00", "friday 09:00"]);
        assert_eq!(places(&answer, 1), ["ana", "ben", "", ""].map(str::to_owned));
        assert_eq!(answer["suggestions"][1]["reason"], "the earliest remaining time at which both attendees can come, no more than 1 of them only if needed");
        let answer = ask(cluster, both(json!({ "duration_minutes": 90 }))).await;
        assert_eq!((starts(&answer), places(&answer, 0)), (vec!["friday 09:00".to_owned()], ["ana", "ben", "", ""].map(str::to_owned)));
        reason(&answer, "the earliest time at which both attendees can come, no more than 1 of them only if needed");
        // by query, too
        let query = format!("/api/suggestions?attendee={ANA}&attendee={BEN}&duration_minutes=90");
        assert_eq!(cluster.get(&query).await.expect(200).json, answer);
        let best = ask(cluster, both(json!({ "pick": "best", "duration_minutes": 90 }))).await;
        reason(&best, "the highest score of all times at which both attendees can come; 1 of them only if needed");
        cluster.expect_calm().await;
    }

    async fn optional_attendees_decide_only_between_times_that_all_required_ones_have(cluster) {
        cluster.register(ANA, json!({ "monday": [9, 11], "tuesday": [9] })).await;
        cluster.register(BEN, json!({ "monday": [11], "tuesday": [9] })).await;
        cluster.register(CAT, json!({ "tuesday": [9], "monday": [9] })).await;
        let optional = |email: &str| json!({ "email": email, "attendance": "optional" });
        // the earliest time comes first, whichever optional attendees come
        let first = ask(cluster, json!({ "attendees": [ANA, optional(BEN), optional(CAT)], "pick": "first" })).await;
        assert_eq!((starts(&first), places(&first, 0)), (vec!["monday 09:00".to_owned()], ["ana cat", "", "ben", ""].map(str::to_owned)));
        reason(&first, "the earliest time at which the one required attendee is free; 2 of 3 can come");
        // the best is where the most come
        let best = ask(cluster, json!({ "attendees": [ANA, optional(BEN), optional(CAT)], "pick": "best", "limit": 3 })).await;
        assert_eq!((starts(&best), places(&best, 0)), (vec!["tuesday 09:00".to_owned(), "monday 09:00".to_owned(), "monday 11:00".to_owned()], ["ana ben cat", "", "", ""].map(str::to_owned)));
        reason(&best, "the highest score of all times at which the one required attendee can come; 3 of 3 can come");
        let by_query = format!("/api/suggestions?attendee={ANA}&optional={BEN}&optional={CAT}&pick=best&limit=3");
        assert_eq!(cluster.get(&by_query).await.expect(200).json, best);
        let by_lists = json!({ "required": [ANA], "optional": [BEN, CAT], "attendees": [ANA, BEN], "pick": "best", "limit": 3 });
        assert_eq!(ask(cluster, by_lists).await, best, "the last word counts");
        // no attendee is required, but at least one must come
        cluster.register("dan@example.com", json!({})).await;
        let absent = ask(cluster, json!({ "attendees": [], "optional": [ANA, "dan@example.com"] })).await;
        assert_eq!(starts(&absent), ["monday 09:00"]);
        reason(&absent, "the earliest time at which at least 1 attendee is free; 1 of 2 can come");

        // who counts more
        let heavy = |weight: u32| json!({ "attendees": [optional(BEN), { "email": CAT, "attendance": "optional", "weight": weight }, { "email": "eve@example.com", "attendance": "optional" }], "pick": "best", "limit": 1 });
        cluster.register("eve@example.com", json!({ "monday": [11] })).await;
        assert_eq!(starts(&ask(cluster, heavy(1)).await), ["monday 11:00"], "ben and eve are two");
        assert_eq!(starts(&ask(cluster, heavy(2)).await), ["tuesday 09:00"], "ben and cat weigh three");
        let alone = json!({ "attendees": [optional(ANA), { "email": CAT, "attendance": "optional", "weight": 9 }, optional(BEN)], "pick": "best", "limit": 9 });
        let factors = |answer: &Value, at: usize| answer["suggestions"][at]["factors"][0].clone();
        let answer = ask(cluster, alone).await;
        assert_eq!(factors(&answer, 0), json!({ "name": "free", "value": 1_100_000_000_000_u64 }));
        cluster.expect_calm().await;
    }

    async fn a_quorum_is_a_number_or_a_share_of_all_attendees(cluster) {
        cluster.register(ANA, json!({ "monday": [9, 10], "thursday": [9] })).await;
        cluster.register(BEN, json!({ "monday": [10, 11], "wednesday": [9] })).await;
        cluster.register(CAT, json!({ "tuesday": [9], "monday": [11], "wednesday": [9] })).await;
        let three = |more: Value| { let mut body = json!({ "attendees": [ANA, BEN, CAT] }); more.as_object().into_iter().flatten().for_each(|(name, value)| body[name] = value.clone()); body };
        for (quorum, expected) in [
            (json!(1), "monday 09:00"), (json!("1%"), "monday 09:00"), (json!("33%"), "monday 09:00"),
            (json!(2), "monday 10:00"), (json!("34%"), "monday 10:00"), (json!("66%"), "monday 10:00"),
        ] {
            let answer = ask(cluster, three(json!({ "quorum": quorum }))).await;
            assert_eq!(starts(&answer), [expected], "{quorum}");
            let shown = quorum.as_str().map_or_else(|| quorum.to_string(), |text| text.replace('%', "%25"));
            let query = format!("/api/suggestions?attendee={ANA}&attendee={BEN}&attendee={CAT}&quorum={shown}");
            assert_eq!(cluster.get(&query).await.expect(200).json, answer, "{query}");
        }
        let answer = ask(cluster, three(json!({ "quorum": 2 }))).await;
        assert_eq!(places(&answer, 0), ["ana ben", "", "cat", ""].map(str::to_owned));
        reason(&answer, "the earliest time at which at least 2 of 3 attendees are free; 2 of 3 can come");
        // two out of three hundred percent of them never can
        assert_eq!(starts(&ask(cluster, three(json!({ "quorum": "67%" }))).await), Vec::<String>::new());
        // required attendees must come, and so must the organizer unless the request says otherwise
        let cat = json!({ "email": CAT, "attendance": "required" });
        let with_cat = json!({ "attendees": [ANA, BEN, cat], "quorum": 2 });
        let answer = ask(cluster, with_cat.clone()).await;
        assert_eq!(starts(&answer), ["monday 11:00"]);
        reason(&answer, "the earliest time at which the one required attendee and at least 2 of 3 attendees are free; 2 of 3 can come");
        let mut organized = three(json!({ "quorum": 2, "organizer": CAT }));
        assert_eq!(starts(&ask(cluster, organized.clone()).await), ["monday 11:00"]);
        organized["optional"] = json!([CAT]);
        assert_eq!(starts(&ask(cluster, organized).await), ["monday 10:00"]);
        let comes = ask(cluster, json!({ "attendees": [ANA], "organizer": BEN })).await;
        assert_eq!(places(&comes, 0)[0], "ben ana", "whoever calls it comes too");
        cluster.expect_calm().await;
    }

    async fn unknown_attendees_are_skipped_on_request(cluster) {
        cluster.register(ANA, json!({ "monday": [9] })).await;
        cluster.register(BEN, json!({ "monday": [9] })).await;
        let body = json!({ "attendees": ["No.Body@example.com", ANA, BEN], "unknown": "skip" });
        let answer = ask(cluster, body.clone()).await;
        assert_eq!((starts(&answer), places(&answer, 0)), (vec!["monday 09:00".to_owned()], ["ana ben", "", "", "no.body"].map(str::to_owned)));
        reason(&answer, "the earliest time at which both known attendees are free; 1 of them is unknown");
        let query = format!("/api/suggestions?attendee=no.body@example.com&attendee={ANA}&attendee={BEN}&unknown=skip");
        assert_eq!(cluster.get(&query).await.expect(200).json, answer);
        // they count among all, and never as able to come
        let quorum = |quorum: Value| json!({ "attendees": ["no.body@example.com", ANA, BEN], "unknown": "skip", "quorum": quorum });
        assert_eq!(starts(&ask(cluster, quorum(json!("66%"))).await), ["monday 09:00"]);
        let short = ask(cluster, quorum(json!("67%"))).await;
        assert_eq!(short["empty_reason"]["code"], "attendees_unavailable_or_unknown");
        let absent = ask(cluster, json!({ "attendees": ["x@example.com", "y@example.com"], "unknown": "skip" })).await;
        assert_eq!((starts(&absent), &absent["empty_reason"]["code"]), (vec![], &json!("attendees_unavailable_or_unknown")));
        // another answer once they are known
        cluster.register("no.body@example.com", json!({ "monday": [9] })).await;
        let known = ask(cluster, body).await;
        assert_ne!(known["data_version"], answer["data_version"]);
        assert_eq!(places(&known, 0)[0], "no.body ana ben");
        cluster.expect_calm().await;
    }

    async fn hours_are_limited_in_the_zone_of_each_attendee(cluster) {
        let always = json!({ "monday": ["00:00-24:00"], "tuesday": ["00:00-24:00"] });
        cluster.register_in(ANA, "Europe/Paris", always.clone()).await;
        cluster.register_in(BEN, "America/New_York", always).await;
        for (more, expected) in [
            ("&as_of=2026-01-15&earliest=09:00&latest=17:00&limit=9", &["monday 15:00", "monday 16:00", "tuesday 15:00", "tuesday 16:00"][..]),
            ("&as_of=2026-01-15&earliest=09:00&latest=17:00&limit=1&duration_minutes=120", &["monday 15:00"]),
            ("&as_of=2026-01-15&latest=01:30&time_zone=UTC&limit=3", &[]),
            // three weeks in March they are an hour closer
            ("&from=2026-03-09&to=2026-03-09&earliest=09:00&latest=17:00&limit=9", &["2026-03-09T14:00:00+01:00", "2026-03-09T15:00:00+01:00", "2026-03-09T16:00:00+01:00"]),
            ("&from=2026-03-02&to=2026-03-02&earliest=09:00&latest=17:00&limit=9", &["2026-03-02T15:00:00+01:00", "2026-03-02T16:00:00+01:00"]),
            ("&from=2026-03-30&to=2026-03-30&earliest=16:15&limit=1", &["2026-03-30T22:15:00+02:00"]),
        ] {
            let reply = cluster.get(&format!("/api/suggestions?attendee={ANA}&attendee={BEN}&pick=first{more}")).await.expect(200);
            assert_eq!(starts(&reply.json), expected, "{more}: {}", reply.text);
        }
        cluster.expect_calm().await;
    }

    async fn a_suggestion_shows_the_local_time_of_each_attendee(cluster) {
        let always = json!({ "monday": ["00:00-24:00"], "tuesday": ["00:00-24:00"], "sunday": ["00:00-24:00"] });
        for (email, zone) in [(ANA, "Europe/Paris"), (BEN, "Asia/Tokyo"), (CAT, "Europe/Paris"), ("dan@example.com", "America/New_York")] {
            cluster.register_in(email, zone, always.clone()).await;
        }
        let all = format!("attendee={ANA}&attendee={BEN}&attendee={CAT}&attendee=dan@example.com&pick=first");
        let local = async |more: &str| cluster.get(&format!("/api/suggestions?{all}{more}")).await.expect(200).json["suggestions"][0]["local"].clone();
        assert_eq!(local("&as_of=2026-01-15&earliest=15:00&duration_minutes=30").await, Value::Null, "no such time");
        let shown = local("&as_of=2026-01-15&duration_minutes=60&latest=24:00").await;
        assert_eq!(shown, json!([
            { "time_zone": "Europe/Paris", "day": "monday", "start": "00:00", "end": "01:00", "attendees": [ANA, CAT] },
            { "time_zone": "Asia/Tokyo", "day": "monday", "start": "08:00", "end": "09:00", "attendees": [BEN] },
            { "time_zone": "America/New_York", "day": "sunday", "start": "18:00", "end": "19:00", "attendees": ["dan@example.com"] },
        ]));
        let shown = local("&from=2026-03-09&to=2026-03-09").await;
        assert_eq!(shown, json!([
            { "time_zone": "Europe/Paris", "start": "2026-03-09T00:00:00+01:00", "end": "2026-03-09T01:00:00+01:00", "attendees": [ANA, CAT] },
            { "time_zone": "Asia/Tokyo", "start": "2026-03-09T08:00:00+09:00", "end": "2026-03-09T09:00:00+09:00", "attendees": [BEN] },
            { "time_zone": "America/New_York", "start": "2026-03-08T19:00:00-04:00", "end": "2026-03-08T20:00:00-04:00", "attendees": ["dan@example.com"] },
        ]));
        let floating = local("&time_zone=floating").await;
        let clocks: Vec<&Value> = floating.as_array().expect("a list").iter().map(|row| &row["start"]).collect();
        assert_eq!(clocks, ["00:00"; 3], "everybody's wall clock as it stands");

        // the best is fair to all of them, and says when that decided
        let best = cluster.get(&format!("/api/suggestions?attendee={ANA}&attendee=dan@example.com&pick=best&limit=2&from=2026-03-02&to=2026-03-02")).await.expect(200).json;
        assert_eq!(starts(&best), ["2026-03-02T15:00:00+01:00", "2026-03-02T16:00:00+01:00"]);
        reason(&best, "the highest score of all times at which both attendees are free; without fairness between time zones \
            2026-03-02T00:00:00+01:00 would be first, but its worst local hour is worse");
        assert_eq!(best["suggestions"][0]["factors"][2], json!({ "name": "fairness", "value": 9_000_000 }));
        let same = cluster.get(&format!("/api/suggestions?attendee={ANA}&attendee={CAT}&pick=best&from=2026-03-02&to=2026-03-02")).await.expect(200).json;
        assert_eq!(starts(&same)[0], "2026-03-02T00:00:00+01:00", "between equal clocks there is nothing to weigh");
        reason(&same, "the highest score of all times at which both attendees are free");
        cluster.expect_calm().await;
    }

    async fn suggestions_differ_by_slot_by_block_or_by_day(cluster) {
        let week = json!({ "monday": [9, 10, 14], "tuesday": ["09:00-11:30"], "friday": [9] });
        cluster.register(ANA, week.clone()).await;
        cluster.register(BEN, week).await;
        for (distinct, expected) in [
            ("slot", &["monday 09:00", "monday 10:00", "monday 14:00", "tuesday 09:00", "tuesday 10:00", "friday 09:00"][..]),
            ("block", &["monday 09:00", "monday 14:00", "tuesday 09:00", "friday 09:00"]),
            ("day", &["monday 09:00", "tuesday 09:00", "friday 09:00"]),
        ] {
            for pick in ["first", "best"] {
                let answer = ask(cluster, json!({ "attendees": [ANA, BEN], "pick": pick, "limit": 9, "distinct": distinct })).await;
                assert_eq!(starts(&answer), expected, "{pick} {distinct}");
                let query = format!("/api/suggestions?attendee={ANA}&attendee={BEN}&pick={pick}&limit=9&distinct={distinct}");
                assert_eq!(cluster.get(&query).await.expect(200).json, answer);
            }
        }
        let days = ask(cluster, json!({ "attendees": [ANA, BEN], "pick": "first", "limit": 9, "distinct": "day" })).await;
        assert_eq!(days["suggestions"][1]["reason"], "the earliest remaining time, on a day of its own, at which both attendees are free");
        let window = ask(cluster, json!({ "attendees": [ANA, BEN], "pick": "last", "limit": 9, "distinct": "day", "from": "2026-11-23", "to": "2026-12-01", "past": "include" })).await;
        assert_eq!(starts(&window), ["2026-12-01T10:30:00+00:00", "2026-11-30T14:00:00+00:00", "2026-11-27T09:00:00+00:00", "2026-11-24T10:30:00+00:00", "2026-11-23T14:00:00+00:00"]);
        cluster.expect_calm().await;
    }
}
