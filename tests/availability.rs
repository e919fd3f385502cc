//! The availability role, through the gateway: common times in the typical week and in windows of dates.

use futures_util::StreamExt;
use futures_util::stream;
use jiff::ToSpan;
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::{Cluster, Reply, eventually};

const ANA: &str = "ana@example.com";
const BEN: &str = "ben@example.com";

/// Asks for these two.
async fn two(cluster: &Cluster, rest: &str) -> Value {
    let path = format!("/api/availability?attendee={ANA}&attendee={BEN}{rest}");
    let reply = cluster.get(&path).await;
    assert_eq!(reply.status, 200, "{rest}: {}", reply.text);
    reply.json
}

/// What is not empty of an answer's week.
fn common(answer: &Value) -> Value {
    let days = answer["common"].as_object().expect("a week");
    assert_eq!(days.len(), 7, "{days:?}");
    let some = days.iter().filter(|(_, ranges)| **ranges != json!([]));
    Value::Object(some.map(|(day, ranges)| (day.clone(), ranges.clone())).collect())
}

/// A window's periods as `start end`.
fn periods(answer: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().expect("an instant").to_owned();
    let list = answer["periods"].as_array().expect("periods");
    list.iter().map(|it| format!("{} {}", text(&it["start"]), text(&it["end"]))).collect()
}

/// How many are free in the hour that starts so.
fn count_at(answer: &Value, start: &str) -> Option<u64> {
    let hours = answer["free_count"].as_array().expect("hours");
    hours.iter().find(|hour| hour["start"] == start)?["count"].as_u64()
}

fn unknown(reply: &Reply) -> Vec<&str> {
    let list = reply.json["unknown"].as_array().expect("a list");
    list.iter().filter_map(Value::as_str).collect()
}

both_shapes! {
    async fn the_typical_week_shows_what_all_share_and_how_many_are_free_in_each_hour(cluster) {
        cluster.register(ANA, json!({ "monday": ["09:00-12:15"], "tuesday": [14, 15], "sunday": [23] })).await;
        cluster.register(BEN, json!({ "monday": ["10:30-16:00"], "tuesday": [15, 16], "sunday": ["23:00-24:00"] })).await;
        cluster.patch("/api/users/ben@example.com", json!({ "preference": "last" })).await.expect(200);
        let asked = two(cluster, "&as_of=2026-02-03").await;
        let mut counts = json!({});
        for (day, busy) in [
            ("monday", &[(9, 1), (10, 1), (11, 2), (12, 1), (13, 1), (14, 1), (15, 1)][..]), ("tuesday", &[(14, 1), (15, 2), (16, 1)]),
            ("wednesday", &[]), ("thursday", &[]), ("friday", &[]), ("saturday", &[]), ("sunday", &[(23, 2)]),
        ] {
            let mut hours = vec![0; 24];
            busy.iter().for_each(|(hour, count)| hours[*hour] = *count);
            counts[day] = json!(hours);
        }
        assert_eq!(asked, json!({
            "attendees": [{ "email": ANA, "preference": "first" }, { "email": BEN, "preference": "last" }],
            "time_zone": "UTC", "as_of": "2026-02-03",
            "common": {
                "monday": ["10:30-12:15"], "tuesday": ["15:00-16:00"], "wednesday": [], "thursday": [], "friday": [],
                "saturday": [], "sunday": ["23:00-24:00"],
            },
            "free_count": counts, "empty_reason": null,
        }));
        let hours = two(cluster, "&format=hours").await["common"].clone();
        assert_eq!((&hours["monday"], &hours["tuesday"], &hours["sunday"]), (&json!([11]), &json!([15]), &json!([23])));
        let grid = two(cluster, "&format=grid").await["common"].clone();
        assert_eq!((&grid[0][10], &grid[0][11], &grid[0][12], &grid[6][23], grid.as_array().map(Vec::len)),
            (&json!(0), &json!(1), &json!(0), &json!(1), Some(7)));

        // by POST the same, with attendees as texts or as objects; who stands there twice counts once
        let body = json!({ "attendees": [ANA, { "email": "BEN@example.com" }, "Ana@Example.com"], "as_of": "2026-02-03" });
        assert_eq!(cluster.post("/api/availability", body).await.expect(200).json, asked);
        assert_eq!(two(cluster, "&as_of=2026-02-03&attendee=ANA%40EXAMPLE.COM").await, asked);

        // the default date whose offsets apply is today
        let today = || jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
        let (before, output, after) = (today(), two(cluster, "").await["as_of"].clone(), today());
        assert!(output == before || output == after, "{output}");

        // nothing in common is an answer, and says who stands in the way
        cluster.register("cleo@example.com", json!({ "saturday": [9] })).await;
        cluster.register("dan@example.com", json!({})).await;
        for (other, blocking) in [("cleo@example.com", json!([])), ("dan@example.com", json!(["dan@example.com"]))] {
            for rest in ["", "&past=include&week=2026-W48"] {
                let found = two(cluster, &format!("&attendee={other}{rest}")).await;
                let why = &found["empty_reason"];
                assert_eq!((&why["code"], &why["blocking"]), (&json!("attendees_unavailable"), &blocking), "{found}");
                assert!(why["detail"].as_str().is_some_and(|text| !text.is_empty()), "{why}");
                match rest {
                    "" => assert_eq!(common(&found), json!({})),
                    _ => assert_eq!(found["periods"], json!([])),
                }
            }
        }
        cluster.expect_calm().await;
    }

    async fn people_in_different_zones_meet_at_the_same_instant(cluster) {
        cluster.register_in(ANA, "Europe/Paris", json!({ "monday": ["09:00-12:00"], "sunday": [23] })).await;
        cluster.register_in(BEN, "Asia/Kolkata", json!({ "monday": ["13:30-15:30"], "saturday": ["18:30-24:00"] })).await;
        for (rest, expected, zone) in [
            // Paris is four and a half hours behind in winter, three and a half in summer
            ("&as_of=2026-01-15", json!({ "monday": ["09:00-11:00"] }), "Europe/Paris"),
            ("&as_of=2026-07-15", json!({ "monday": ["10:00-12:00"] }), "Europe/Paris"),
            ("&as_of=2026-03-28", json!({ "monday": ["09:00-11:00"] }), "Europe/Paris"),
            ("&as_of=2026-03-29", json!({ "monday": ["10:00-12:00"] }), "Europe/Paris"),
            ("&as_of=2026-01-15&time_zone=Asia/Kolkata", json!({ "monday": ["13:30-15:30"] }), "Asia/Kolkata"),
            ("&as_of=2026-07-15&time_zone=asia/kolkata", json!({ "monday": ["13:30-15:30"] }), "Asia/Kolkata"),
            ("&as_of=2026-01-15&time_zone=UTC", json!({ "monday": ["08:00-10:00"] }), "UTC"),
            ("&as_of=2026-07-15&time_zone=America/New_York", json!({ "monday": ["04:00-06:00"] }), "America/New_York"),
            // fourteen hours ahead: Monday morning in Paris is Monday night there
            ("&as_of=2026-01-15&time_zone=Pacific/Kiritimati", json!({ "monday": ["22:00-24:00"] }), "Pacific/Kiritimati"),
            // the wall clocks of all attendees as they are
            ("&as_of=2026-01-15&time_zone=floating", json!({}), "floating"),
        ] {
            let found = two(cluster, rest).await;
            assert_eq!((common(&found), &found["time_zone"]), (expected, &json!(zone)), "{rest}");
        }
        // the response uses the zone of the first attendee
        let turned = cluster.get(&format!("/api/availability?attendee={BEN}&attendee={ANA}&as_of=2026-01-15")).await.expect(200).json;
        assert_eq!((common(&turned), &turned["time_zone"]), (json!({ "monday": ["13:30-15:30"] }), &json!("Asia/Kolkata")));

        // a week has no edge where another's clock is already in Monday
        cluster.register_in("kai@example.com", "Pacific/Auckland", json!({ "monday": [9, 10], "sunday": [23] })).await;
        cluster.register_in("lea@example.com", "America/Los_Angeles", json!({ "sunday": ["12:00-14:00"], "saturday": [23] })).await;
        let both = "/api/availability?attendee=kai@example.com&attendee=lea@example.com&as_of=2026-01-15";
        let found = cluster.get(both).await.expect(200).json;
        assert_eq!(common(&found), json!({ "monday": ["09:00-11:00"] }), "13:00 UTC on 12 January is summer in Auckland");
        let found = cluster.get(&format!("{both}&time_zone=America/Los_Angeles")).await.expect(200).json;
        assert_eq!(common(&found), json!({ "sunday": ["12:00-14:00"] }));

        // on equal clocks the zone does not matter
        cluster.patch("/api/users/ben@example.com", json!({ "time_zone": "europe/paris", "availability": { "monday": [11] } })).await.expect(200);
        for rest in ["&as_of=2026-01-15", "&as_of=2026-07-15", "&time_zone=floating"] {
            assert_eq!(common(&two(cluster, rest).await), json!({ "monday": ["11:00-12:00"] }), "{rest}");
        }
    }

    async fn a_window_follows_the_clocks_through_their_changes(cluster) {
        let always = json!({ "saturday": ["22:00-24:00"], "sunday": ["00:00-24:00"], "monday": ["00:00-01:15"] });
        cluster.register_in(ANA, "Europe/Paris", always.clone()).await;
        cluster.register_in(BEN, "Europe/Paris", always).await;
        // merged across midnight, over an hour that is not there and one that is there twice, and clipped
        for (window, expected, hours) in [
            ("week=2026-W13", "2026-03-28T22:00:00+01:00 2026-03-30T00:00:00+02:00", 167),
            ("from=2026-03-29&to=2026-03-29", "2026-03-29T00:00:00+01:00 2026-03-30T00:00:00+02:00", 23),
            ("from=2026-03-28&to=2026-03-30", "2026-03-28T22:00:00+01:00 2026-03-30T01:15:00+02:00", 71),
            ("from=2026-10-24&to=2026-10-26", "2026-10-24T22:00:00+02:00 2026-10-26T01:15:00+01:00", 73),
            ("from=2026-10-25&to=2026-10-25", "2026-10-25T00:00:00+02:00 2026-10-26T00:00:00+01:00", 25),
            ("from=2026-10-25&to=2026-10-25&time_zone=UTC", "2026-10-25T00:00:00+00:00 2026-10-26T00:00:00+00:00", 24),
        ] {
            let found = two(cluster, &format!("&{window}")).await;
            let last = periods(&found).pop().unwrap_or_default();
            assert_eq!(last, expected, "{window}: {found}");
            let counts = found["free_count"].as_array().map(Vec::len);
            assert_eq!((counts, &found["empty_reason"]), (Some(hours), &Value::Null), "{window}");
        }
        let spring = two(cluster, "&from=2026-03-29&to=2026-03-30").await;
        assert_eq!(spring["window"], json!({ "from": "2026-03-29", "to": "2026-03-30" }));
        assert_eq!(count_at(&spring, "2026-03-29T01:00:00+01:00"), Some(2));
        assert_eq!(count_at(&spring, "2026-03-29T02:00:00+01:00"), None, "there is no such hour");
        assert_eq!(count_at(&spring, "2026-03-29T03:00:00+02:00"), Some(2));
        assert_eq!((count_at(&spring, "2026-03-30T00:00:00+02:00"), count_at(&spring, "2026-03-30T01:00:00+02:00")), (Some(2), Some(0)));
        let autumn = two(cluster, "&from=2026-10-25&to=2026-10-25").await;
        for fold in ["2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00"] {
            assert_eq!(count_at(&autumn, fold), Some(2), "{fold}");
        }

        let set = async |zone: &str, week: Value| {
            for name in ["ana", "ben"] {
                let body = json!({ "time_zone": zone, "availability": null });
                cluster.patch(&format!("/api/users/{name}@example.com"), body).await.expect(200);
                cluster.put(&format!("/api/users/{name}@example.com/availability"), week.clone()).await.expect(200);
            }
        };
        set("Europe/Paris", json!({ "sunday": [2] })).await;
        let gap = two(cluster, "&from=2026-03-29&to=2026-03-29").await;
        assert_eq!((periods(&gap), &gap["empty_reason"]["code"]), (vec![], &json!("attendees_unavailable")));
        let fold = periods(&two(cluster, "&from=2026-10-25&to=2026-10-25").await);
        assert_eq!(fold, ["2026-10-25T02:00:00+02:00 2026-10-25T03:00:00+01:00"], "both hours that show 2");
        set("America/New_York", json!({ "sunday": ["01:00-03:30"] })).await;
        let spring = periods(&two(cluster, "&week=2026-W10").await);
        assert_eq!(spring, ["2026-03-08T01:00:00-05:00 2026-03-08T03:30:00-04:00"]);
        let autumn = periods(&two(cluster, "&from=2026-11-01&to=2026-11-01").await);
        assert_eq!(autumn, ["2026-11-01T01:00:00-04:00 2026-11-01T03:30:00-05:00"]);

        // between two continents the change comes on different days
        cluster.patch("/api/users/ana@example.com", json!({ "time_zone": "Europe/Paris", "availability": { "monday": [15, 16], "sunday": null } })).await.expect(200);
        cluster.patch("/api/users/ben@example.com", json!({ "availability": { "monday": [9], "sunday": null } })).await.expect(200);
        let found = two(cluster, "&from=2026-03-02&to=2026-04-30").await;
        let expected: Vec<String> = [("03-02", "+01:00"), ("03-30", "+02:00"), ("04-06", "+02:00"), ("04-13", "+02:00"), ("04-20", "+02:00"), ("04-27", "+02:00")]
            .map(|(day, offset)| format!("2026-{day}T15:00:00{offset} 2026-{day}T16:00:00{offset}")).into();
        assert_eq!(periods(&found), expected, "from 9 to 23 March 9 in New York is 14 in Paris");
        assert_eq!(count_at(&found, "2026-03-09T14:00:00+01:00"), Some(1));
        cluster.expect_calm().await;
    }

    async fn nothing_that_is_over_is_offered_unless_it_is_asked_for(cluster) {
        let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
        let always = Value::Object(days.map(|day| (day.to_owned(), json!(["00:00-24:00"]))).into_iter().collect());
        cluster.register(ANA, always.clone()).await;
        cluster.register(BEN, always).await;
        let now = jiff::Timestamp::now();
        let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
        let (yesterday, tomorrow) = (today.saturating_sub(1.day()), today.saturating_add(1.day()));
        let dates = format!("&from={yesterday}&to={tomorrow}");
        let first = async |more: &str| {
            let answer = two(cluster, &format!("{dates}{more}")).await;
            answer["periods"][0]["start"].as_str().and_then(|start| start.parse::<jiff::Timestamp>().ok()).expect("an instant")
        };
        assert!(first("").await > now);
        assert_eq!(first("&past=include").await.to_string(), format!("{yesterday}T00:00:00Z"));
        let path = format!("/api/suggestions?attendee={ANA}&attendee={BEN}{dates}&pick=first");
        let slot = cluster.get(&path).await.expect(200).json["suggestions"][0]["start"].clone();
        assert!(slot.as_str().and_then(|start| start.parse::<jiff::Timestamp>().ok()).expect("an instant") > now, "{slot}");
        // dates that have passed are asked for by name
        assert_eq!(periods(&two(cluster, "&from=2026-03-02&to=2026-03-02").await).len(), 1);
    }

    async fn ten_thousand_attendees_are_one_question_and_one_call_to_user(cluster) {
        let week = |number: usize| match number % 3 {
            0 => json!({ "monday": ["09:00-12:00"] }),
            1 => json!({ "monday": ["10:00-13:00"] }),
            _ => json!({ "monday": ["09:30-11:15"], "friday": [9] }),
        };
        let registering = (0..300).map(|number| {
            let body = json!({ "email": format!("u{number}@example.com"), "name": "U", "availability": week(number) });
            async move { cluster.post("/api/users", body).await.expect(201) }
        });
        let made: Vec<Reply> = stream::iter(registering).buffer_unordered(8).collect().await;
        assert_eq!(made.len(), 300);
        let emails: Vec<String> = (0..10_000).map(|number| format!("u{}@example.com", number % 300)).collect();
        let ask = async |attendees: &[String], case: &str| {
            let headers = [("content-type", "application/json"), ("case-id", case)];
            let body = json!({ "attendees": attendees, "as_of": "2026-01-15" }).to_string().into_bytes();
            cluster.send(awc::http::Method::POST, "/api/availability", &headers, Some(body)).await
        };
        let found = ask(&emails, "all-of-them").await.expect(200).json;
        assert_eq!(found["attendees"].as_array().map(Vec::len), Some(300), "who stands there twice counts once");
        assert_eq!(common(&found), json!({ "monday": ["10:00-11:15"] }));
        let monday: Vec<u64> = found["free_count"]["monday"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
        assert_eq!((&monday[8..14], &found["free_count"]["friday"][9]), (&[0, 100, 300, 200, 100, 0][..], &json!(100)));

        let strangers: Vec<String> = (0..10_000).map(|number| format!("u{number}@example.com")).collect();
        let refused = ask(&strangers, "with-strangers").await;
        refused.expect_problem("404 unknown-user", "/api/availability", "strangers");
        assert_eq!(unknown(&refused), strangers[300..], "all of them are named, in the order they were asked for");
        let few = cluster.get("/api/availability?attendee=u1@example.com&attendee=No.One@example.com&attendee=x@b.co").await;
        few.expect_problem("404 unknown-user", "/api/availability", "strangers");
        assert_eq!(unknown(&few), ["no.one@example.com", "x@b.co"]);

        ask(&emails[..2], "two-of-them").await.expect(200);
        for case in ["all-of-them", "with-strangers", "two-of-them"] {
            let calls = eventually("the last line of the role that calls user", async || {
                let log = cluster.log();
                let mine = log.into_iter().filter(|line| line["case_id"] == case).collect::<Vec<_>>();
                let done = |line: &Value| line["role"] == "availability" && line["message"] == "request completed";
                mine.iter().any(done).then_some(mine)
            }).await;
            let to_user = calls.iter().filter(|line| line["message"] == "call answered" && line["callee"] == "user");
            assert_eq!(to_user.count(), 1, "{case}");
        }
        cluster.expect_calm().await;
    }
}
