//! The user role, through the gateway: creating, reading, changing, listing and deleting users.

use awc::http::Method;
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::{Cluster, Reply};

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const ANA: &str = "/api/users/ana@example.com";
const WEEK: &str = "/api/users/ana@example.com/availability";

/// All seven days, empty but for these.
fn week(days: Value) -> Value {
    let all = DAYS.map(|day| (day.to_owned(), days.get(day).cloned().unwrap_or_else(|| json!([]))));
    Value::Object(all.into_iter().collect())
}

/// Seven rows of 24 from days of hours.
fn grid(hours: &Value) -> Value {
    let has = |day: &str, hour: i32| hours[day].as_array().is_some_and(|list| list.contains(&json!(hour)));
    json!(DAYS.map(|day| (0..24).map(|hour| i32::from(has(day, hour))).collect::<Vec<_>>()))
}

fn etag(reply: &Reply) -> &str {
    reply.header("etag").unwrap_or_default()
}

async fn make(cluster: &Cluster, email: &str) -> Reply {
    cluster.post("/api/users", json!({ "email": email, "name": "Ana" })).await
}

both_shapes! {
    async fn a_name_and_an_address_are_enough_for_a_user(cluster) {
        let made = make(cluster, "Ana@Example.com").await.expect(201);
        assert_eq!((made.header("location"), etag(&made)), (Some("/api/users/ana%40example.com"), "\"1\""));
        let user = &made.json;
        let expected = json!({
            "id": user["id"], "email": "ana@example.com", "name": "Ana", "time_zone": "UTC", "preference": "first",
            "availability": week(json!({})), "if_needed": week(json!({})), "overrides": {}, "version": 1,
            "created_at": user["created_at"], "updated_at": user["created_at"],
        });
        assert_eq!(*user, expected);
        let id = uuid::Uuid::parse_str(user["id"].as_str().unwrap_or_default()).expect("an id");
        assert_eq!(id.get_version_num(), 7);
        let created: Option<jiff::Timestamp> = user["created_at"].as_str().and_then(|at| at.parse().ok());
        let age = created.map(|at| at.duration_until(jiff::Timestamp::now()).as_secs());
        assert!(age.is_some_and(|age| (0..60).contains(&age)), "{user}");

        // however odd the address, its Location leads to the user
        let odd = make(cluster, "o'neil+\u{e9}t%20{x}@exämple.de").await.expect(201);
        let location = odd.header("location").unwrap_or_default();
        assert!(location.is_ascii() && !location.contains(['{', ' ', '@']), "{location}");
        let read = cluster.get(location).await.expect(200);
        assert_eq!((&read.json, etag(&read)), (&odd.json, "\"1\""));

        let full = json!({
            "email": "ben@example.com", "name": " Ben B. ", "time_zone": "europe/paris", "preference": "last",
            "availability": { "monday": [9] }, "if_needed": { "friday": ["09:15-10:00"] },
        });
        let user = cluster.post("/api/users", full).await.expect(201).json;
        let output = (&user["name"], &user["time_zone"], &user["preference"]);
        assert_eq!(output, (&json!("Ben B."), &json!("Europe/Paris"), &json!("last")));
        assert_eq!(user["availability"], week(json!({ "monday": ["09:00-10:00"] })));
        assert_eq!(user["if_needed"], week(json!({ "friday": ["09:15-10:00"] })));
    }

    async fn every_path_of_a_user_takes_the_address_or_the_id(cluster) {
        let id = make(cluster, "ana@example.com").await.expect(201).json["id"].as_str().unwrap_or_default().to_owned();
        let by_id = format!("/api/users/{id}");
        cluster.put(&format!("{by_id}/availability"), json!({ "monday": [9] })).await.expect(200);
        cluster.patch(&by_id, json!({ "name": "Anna" })).await.expect(200);
        let file = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n".to_vec();
        let kind = [("content-type", "text/calendar")];
        cluster.send(Method::PUT, &format!("{by_id}/calendars/work"), &kind, Some(file)).await.expect(201);
        let seen = async |path: String| {
            let reply = cluster.get(&path).await.expect(200);
            (reply.header("etag").map(str::to_owned), reply.json)
        };
        for end in ["", "/availability", "/availability.ics", "/freebusy.ics", "/calendars", "/calendars/work"] {
            assert_eq!(seen(format!("{ANA}{end}")).await, seen(format!("{by_id}{end}")).await, "{end}");
        }
        for (begin, end) in [("/users/users/", ""), ("/users/users/", "/"), ("/users/users/", "/availability"), ("/users/user-avail/cache-aside/", "")] {
            let by_address = seen(format!("{begin}ana@example.com{end}")).await;
            assert_eq!(by_address, seen(format!("{begin}{id}{end}")).await, "{begin}{end}");
            assert_eq!(by_address.1["email"], "ana@example.com");
        }
        let renamed = json!({ "email": "ana@example.com", "preferences": "last" });
        cluster.put(&format!("/users/users/{id}"), renamed).await.expect(200);
        cluster.put(&format!("/users/users/{id}"), json!({ "email": "ben@example.com" })).await.expect(400);
        cluster.delete(&format!("{by_id}/calendars/work")).await.expect(204);
        cluster.delete(&by_id).await.expect(204);
        for path in [ANA, &by_id, &format!("{by_id}/calendars"), &format!("{by_id}/freebusy.ics")] {
            cluster.get(path).await.expect_problem("404 unknown-user", path, "deleted");
        }
        assert_eq!(cluster.get("/api/users/ana").await.expect(422).pointers(), ["#/user"]);
    }

    async fn a_put_replaces_the_whole_profile(cluster) {
        let full = json!({
            "email": "ana@example.com", "name": "Ana", "time_zone": "Europe/Paris", "preference": "last",
            "availability": { "monday": [9] }, "overrides": { "2026-11-27": [] },
        });
        cluster.post("/api/users", full).await.expect(201);
        let replaced = cluster.put(ANA, json!({ "name": "Anna", "availability": { "tuesday": [10] } })).await.expect(200);
        assert_eq!(etag(&replaced), "\"2\"");
        let user = &replaced.json;
        let output = (&user["name"], &user["time_zone"], &user["preference"], &user["overrides"]);
        assert_eq!(output, (&json!("Anna"), &json!("UTC"), &json!("first"), &json!({})));
        assert_eq!(user["availability"], week(json!({ "tuesday": ["10:00-11:00"] })));
        assert_eq!(cluster.get(ANA).await.expect(200).json, *user);
        cluster.put(ANA, json!({ "name": "Anna", "email": "ANA@example.com" })).await.expect(200);
        for (body, place) in [
            (json!({}), "#/name"),
            (json!({ "name": "Anna", "email": "ben@example.com" }), "#/email"),
            (json!({ "name": "Anna", "version": 7 }), "#/version"),
        ] {
            assert_eq!(cluster.put(ANA, body.clone()).await.expect(422).pointers(), [place], "{body}");
        }
        let headers = [("content-type", "application/json"), ("if-match", "\"1\"")];
        let stale = cluster.send(Method::PUT, ANA, &headers, Some(json!({ "name": "Old" }).to_string().into_bytes())).await;
        stale.expect_problem("412 precondition-failed", ANA, "it has changed since");
        cluster.put("/api/users/ben@example.com", json!({ "name": "Ben" })).await.expect(404);
    }

    async fn every_spelling_of_an_address_is_the_same_user(cluster) {
        for (typed, path, others) in [
            ("Ana.B@Example.COM", "ANA.b%40example.com", ["ana.b@example.com", "ANA.B@eXample.com"]),
            ("jos\u{e9}@example.com", "jose%CC%81@example.com", ["jose\u{301}@example.com", "jos\u{e9}@EXAMPLE.com"]),
            ("a@exämple.de", "a@ex%C3%A4mple.de", ["a@xn--exmple-cua.de", "A@EXÄMPLE.de"]),
            ("a+x@b.co", "a+x@b.co", ["A+X@b.co", "a+x@B.co"]),
            ("q@b.co", "%71@b.co", ["Q@b.co", "q@B.CO"]),
        ] {
            let made = make(cluster, typed).await.expect(201);
            for other in others {
                let body = json!({ "email": other, "name": "Another", "availability": { "monday": [1] } });
                let again = cluster.post("/api/users", body).await;
                again.expect_problem("409 user-exists", "/api/users", other);
            }
            let read = cluster.get(&format!("/api/users/{path}")).await.expect(200);
            assert_eq!((&read.json, etag(&read)), (&made.json, "\"1\""), "{typed} is as it was");
        }
        // letters beyond ASCII are never folded into it: these are other people's mailboxes, or none
        for (one, other) in [
            ("mike@c.de", "m\u{131}ke@c.de"),
            ("\u{c9}va@c.de", "\u{e9}va@c.de"),
            ("kim@c.de", "\u{212a}im@c.de"),
        ] {
            let (one, other) = (make(cluster, one).await.expect(201), make(cluster, other).await);
            let apart = other.status == 422 || other.status == 201 && other.json["id"] != one.json["id"];
            assert!(apart, "{other:?} is not {}", one.text);
        }
    }

    async fn a_week_is_taken_in_every_form_and_shown_in_three(cluster) {
        make(cluster, "ana@example.com").await.expect(201);
        let mut rows = vec![vec![0; 24]; 7];
        rows[0][9] = 1;
        rows[6][23] = 1;
        let all_day: Vec<i32> = (0..24).collect();
        for (given, ranges, hours) in [
            (json!({ "monday": [9, 10, "13:30-15:00"] }), json!({ "monday": ["09:00-11:00", "13:30-15:00"] }),
                json!({ "monday": [9, 10, 14] })),
            (json!({ "SUNDAY": [23, 0, 23, "00:30-01:15"] }), json!({ "sunday": ["00:00-01:15", "23:00-24:00"] }),
                json!({ "sunday": [0, 23] })),
            (json!({ "Tuesday": ["00:00-24:00"], "friday": [] }), json!({ "tuesday": ["00:00-24:00"] }),
                json!({ "tuesday": all_day })),
            (json!({ "monday": ["09:00-09:45"] }), json!({ "monday": ["09:00-09:45"] }), json!({})),
            (json!(rows), json!({ "monday": ["09:00-10:00"], "sunday": ["23:00-24:00"] }),
                json!({ "monday": [9], "sunday": [23] })),
            (json!({}), json!({}), json!({})),
        ] {
            let put = cluster.put(WEEK, given.clone()).await.expect(200);
            assert_eq!(put.json, week(ranges.clone()), "{given}");
            let read = cluster.get(WEEK).await.expect(200);
            assert_eq!((&read.json, etag(&read)), (&put.json, etag(&put)), "{given}");
            for (format, shown) in [("ranges", week(ranges)), ("grid", grid(&hours)), ("hours", week(hours))] {
                let asked = format!("format={format}");
                let user = cluster.get(&format!("{ANA}?{asked}")).await.expect(200).json;
                assert_eq!((&user["availability"], &user["email"]), (&shown, &json!("ana@example.com")), "{given}");
                assert_eq!(cluster.get(&format!("{WEEK}?{asked}")).await.expect(200).json, shown, "{given}");
                let again = cluster.put(&format!("{WEEK}?{asked}"), given.clone()).await.expect(200);
                assert_eq!(again.json, shown, "{given}");
            }
        }
    }

    async fn a_patch_changes_what_it_names_and_null_is_the_default_again(cluster) {
        let body = json!({
            "email": "ana@example.com", "name": "Ana", "time_zone": "Asia/Tokyo", "preference": "last",
            "availability": { "monday": [9], "tuesday": [10] }, "if_needed": { "friday": [12] },
        });
        let mut expected = cluster.post("/api/users", body).await.expect(201).json;
        let (json, merge) = ("application/json", "application/merge-patch+json");
        let grid = json!(vec![vec![1; 24]; 7]);
        let always = DAYS.map(|day| (day.to_owned(), json!(["00:00-24:00"]))).into_iter().collect();
        for (version, (content_type, patch, value)) in (2..).zip([
            (json, json!({ "name": "Ana B." }), json!("Ana B.")),
            (merge, json!({ "availability": { "monday": ["08:00-08:30"] } }),
                week(json!({ "monday": ["08:00-08:30"], "tuesday": ["10:00-11:00"] }))),
            (&format!("{merge}; charset=utf-8"), json!({ "availability": { "tuesday": null, "sunday": [1] } }),
                week(json!({ "monday": ["08:00-08:30"], "sunday": ["01:00-02:00"] }))),
            (&format!("{json}; charset=\"UTF-8\""), json!({ "availability": { "Monday": [7], "FRIDAY": [8] } }),
                week(json!({ "monday": ["07:00-08:00"], "friday": ["08:00-09:00"], "sunday": ["01:00-02:00"] }))),
            (json, json!({ "availability": grid }), Value::Object(always)),
            (json, json!({ "availability": null }), week(json!({}))),
            (json, json!({ "if_needed": { "friday": [13] } }), week(json!({ "friday": ["13:00-14:00"] }))),
            (json, json!({ "if_needed": null }), week(json!({}))),
            (json, json!({ "preference": "best" }), json!("best")),
            (json, json!({ "preference": null }), json!("first")),
            (json, json!({ "time_zone": "america/new_york" }), json!("America/New_York")),
            (json, json!({ "time_zone": null }), json!("UTC")),
        ]) {
            let text = patch.to_string();
            let headers = [("content-type", content_type)];
            let patched = cluster.send(Method::PATCH, ANA, &headers, Some(text.clone().into_bytes())).await;
            assert_eq!(patched.status, 200, "{content_type} {text}: {}", patched.text);
            let member = patch.as_object().and_then(|patch| patch.keys().next()).expect("one member");
            expected[member] = value;
            expected["version"] = version.into();
            expected["updated_at"] = patched.json["updated_at"].clone();
            assert_eq!(patched.json, expected, "{content_type} {text}");
            assert_eq!(etag(&patched), format!("\"{version}\""));
            assert_eq!(cluster.get(ANA).await.expect(200).json, expected, "{text}");
        }
        let at = |when: &str| expected[when].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
        assert!(at("created_at") < at("updated_at"), "{expected}");
    }

    async fn a_deleted_user_is_gone_until_created_again(cluster) {
        let old = cluster.register("ana@example.com", json!({ "monday": [9] })).await.json;
        let gone = cluster.delete("/api/users/ANA%40example.com").await.expect(204);
        assert_eq!(gone.text, "");
        for reply in [cluster.get(ANA).await, cluster.delete(ANA).await, cluster.patch(ANA, json!({})).await] {
            reply.expect_problem("404 unknown-user", ANA, "after the deletion");
            assert_eq!(reply.json["unknown"], json!(["ana@example.com"]));
        }
        for reply in [cluster.get(WEEK).await, cluster.put(WEEK, json!({})).await] {
            reply.expect_problem("404 unknown-user", WEEK, "after the deletion");
        }
        let new = make(cluster, "ana@example.com").await.expect(201).json;
        assert_eq!((&new["version"], &new["availability"]["monday"]), (&json!(1), &json!([])));
        assert_ne!(new["id"], old["id"]);
        assert_eq!(cluster.get(ANA).await.expect(200).json, new);
    }

    async fn the_pages_of_a_list_show_every_user_once(cluster) {
        let first = cluster.get("/api/users").await.expect(200);
        assert_eq!((&first.json, first.header("link")), (&json!({ "users": [] }), None));
        let mut made = Vec::new();
        for number in [5, 3, 1, 4, 2, 7, 6] {
            let email = format!("u{number}@example.com");
            made.push(cluster.register(&email, json!({ "monday": [number] })).await.json);
        }
        let all = cluster.get("/api/users").await.expect(200);
        assert_eq!((&all.json, all.header("link")), (&json!({ "users": made }), None));
        for limit in [1, 3, 7, 200] {
            let mut next = Some(format!("/api/users?limit={limit}&format=hours"));
            let (mut seen, mut pages) = (Vec::new(), 0);
            while let Some(path) = next {
                let page = cluster.get(&path).await.expect(200);
                let users = page.json["users"].as_array().expect("a page");
                assert!(users.len() <= limit, "{path}");
                for user in users {
                    let hours = &user["availability"]["monday"];
                    assert!(hours[0].is_u64(), "{path} keeps the format that was asked for: {hours}");
                    seen.push(user["email"].clone());
                }
                pages += 1;
                assert!(pages <= 8, "the pages come to an end");
                next = page.header("link").map(|link| {
                    let (path, rel) = link.split_once(">; ").expect("<path>; rel=…");
                    assert_eq!(rel, "rel=\"next\"");
                    path.trim_start_matches('<').to_owned()
                });
            }
            let order: Vec<&Value> = made.iter().map(|user| &user["email"]).collect();
            assert_eq!(seen.iter().collect::<Vec<_>>(), order, "limit={limit}: in the order of their making");
        }
    }

}
