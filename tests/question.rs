//! Invalid searches, by query string and by body: refused with the place of each fault, before any user is looked up.

use awc::http::Method;
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::refusal::RefusalTable;

const USERS: &str = "/api/users";
const ANA: &str = "/api/users/ana@example.com";
const WEEK: &str = "/api/users/ana@example.com/availability";

both_shapes! {
    async fn a_question_that_is_not_valid_is_refused_with_the_place_of_each_fault(cluster) {
        let ana = RefusalTable::new(cluster).await;
        for path in ["/api/availability", "/api/suggestions"] {
            for (query, place) in [
                ("attendee=", "#/attendees"), ("attendee=ana@example.com", "#/attendees"), ("", "#/attendees"),
                ("&attendee=", "#/attendees/2"), ("&attendee=a%00@b.co", "#/attendees/2"), ("&attendee=%ff", "#/attendees/2"),
                ("&attendees=x", "#/attendees"), ("&attendee[]=c@b.co", "#/attendee[]"), ("&foo=1", "#/foo"),
                ("&time_zone=Mars/Olympus", "#/time_zone"), ("&time_zone=", "#/time_zone"), ("&time_zone=%2B01:00", "#/time_zone"),
                ("&time_zone=UTC&time_zone=UTC", "#/time_zone"), ("&as_of=today", "#/as_of"), ("&as_of=", "#/as_of"),
                ("&as_of=2026-02-30", "#/as_of"), ("&as_of=9999-12-31", "#/as_of"), ("&as_of=0000-01-01", "#/as_of"),
                ("&as_of=1969-12-31", "#/as_of"), ("&as_of=2200-01-01", "#/as_of"), ("&as_of=2026-01-01T10:00:00", "#/as_of"),
                ("&week=2026-48", "#/week"), ("&week=2025-W53", "#/week"), ("&week=2026-W00", "#/week"),
                ("&week=1969-W01", "#/week"), ("&week=2200-W01", "#/week"), ("&week=", "#/week"),
                ("&from=2026-03-01", "#/from"), ("&to=2026-03-01", "#/from"), ("&week=2026-W48&to=2026-03-01", "#/from"),
                ("&from=2026-03-02&to=2026-03-01", "#/from"), ("&from=2026-01-01&to=2026-03-04", "#/from"),
                ("&from=1969-12-31&to=1970-01-01", "#/from"), ("&from=2199-12-31&to=2200-01-01", "#/from"),
                ("&from=9999-12-31&to=9999-12-31", "#/from"), ("&from=0000-01-01&to=0000-01-01", "#/from"),
                ("&week=2026-W48&as_of=2026-03-01", "#/time_zone"), ("&week=2026-W48&time_zone=floating", "#/time_zone"),
                ("&optional=x", "#/optional/0"), ("&required=", "#/required/0"), ("&attendance=optional", "#/attendance"),
                ("&past=include", "#/past"), ("&past=yes&from=2026-03-01&to=2026-03-01", "#/past"), ("&unknown=", "#/unknown"), ("&unknown=SKIP", "#/unknown"), ("&unknown=true", "#/unknown"),
                ("&quorum=0", "#/quorum"), ("&quorum=3", "#/quorum"), ("&quorum=-1", "#/quorum"), ("&quorum=", "#/quorum"),
                ("&quorum=1.5", "#/quorum"), ("&quorum=0%25", "#/quorum"), ("&quorum=101%25", "#/quorum"), ("&quorum=half", "#/quorum"),
                ("&quorum=%25", "#/quorum"), ("&quorum=5%20%25", "#/quorum"), ("&quorum=99999999999999999999%25", "#/quorum"),
                ("&earliest=9", "#/earliest"), ("&earliest=9:00", "#/earliest"), ("&earliest=09:10", "#/earliest"),
                ("&earliest=24:00", "#/earliest"), ("&earliest=%2B9:00", "#/earliest"), ("&earliest=", "#/earliest"),
                ("&latest=00:00", "#/latest"), ("&latest=24:15", "#/latest"), ("&latest=17:60", "#/latest"), ("&latest=17:00:00", "#/latest"),
                ("&earliest=09:00&latest=09:00", "#/latest"), ("&earliest=22:00&latest=06:00", "#/latest"),
            ] {
                let two = if query.starts_with('&') { "attendee=ana@example.com&attendee=ben@example.com" } else { "" };
                ana.expect_faults(Method::GET, &format!("{path}?{two}{query}"), Value::Null, &[place]).await;
            }
            let no_attendees = json!([1, null, "x", {}, { "email": "x" }, { "email": "a@b.co", "role": 1 }, ["a@b.co"], ""]);
            let inside = ["", "", "", "/email", "/email", "/role", "", ""];
            let places: Vec<String> = inside.iter().enumerate().map(|(at, inside)| format!("#/attendees/{at}{inside}")).collect();
            ana.expect_faults(Method::POST, path, json!({ "attendees": no_attendees }), &places).await;
            let many: Vec<String> = (0..=10_000).map(|at| format!("u{at}@example.com")).collect();
            for attendees in [json!(null), json!("a@b.co"), json!({}), json!([]), json!(["a@b.co"]), json!(many)] {
                ana.expect_faults(Method::POST, path, json!({ "attendees": attendees }), &["#/attendees"]).await;
            }
            ana.expect_faults(Method::POST, path, json!([]), &["#"]).await;
            let all = json!({ "attendees": [], "time_zone": 1, "as_of": 1, "week": 1, "from": 1, "to": 1, "foo": 1 });
            let places = ["#/attendees", "#/time_zone", "#/as_of", "#/week", "#/from", "#/to", "#/foo"];
            ana.expect_faults(Method::POST, path, all, &places).await;
        }
        ana.expect_none().await;
    }

    async fn an_invalid_attendee_is_named_by_its_pointer(cluster) {
        let ana = RefusalTable::new(cluster).await;
        for path in ["/api/availability", "/api/suggestions"] {
            for (one, place) in [
                (json!({ "email": "a@b.co", "attendance": "maybe" }), "attendance"), (json!({ "email": "a@b.co", "attendance": null }), "attendance"),
                (json!({ "email": "a@b.co", "attendance": "Optional" }), "attendance"), (json!({ "email": "a@b.co", "attendance": 1 }), "attendance"),
                (json!({ "email": "a@b.co", "weight": 0 }), "weight"), (json!({ "email": "a@b.co", "weight": 10 }), "weight"),
                (json!({ "email": "a@b.co", "weight": "2" }), "weight"), (json!({ "email": "a@b.co", "weight": 1.5 }), "weight"),
                (json!({ "email": "a@b.co", "weight": -1 }), "weight"), (json!({ "email": "a@b.co", "a/b": 1 }), "a~1b"),
                (json!({ "weight": 2 }), "email"), (json!({ "email": null }), "email"),
            ] {
                let body = json!({ "attendees": ["ana@example.com", one] });
                ana.expect_faults(Method::POST, path, body, &[format!("#/attendees/1/{place}")]).await;
            }
            for (name, value, place) in [
                ("optional", json!("a@b.co"), "#/optional"), ("required", json!({}), "#/required"), ("optional", json!([{}]), "#/optional/0/email"),
                ("quorum", json!("2"), "#/quorum"), ("quorum", json!(true), "#/quorum"), ("quorum", json!([1]), "#/quorum"),
                ("quorum", json!(0.6), "#/quorum"), ("unknown", json!(true), "#/unknown"), ("earliest", json!(9), "#/earliest"),
                ("latest", json!(["17:00"]), "#/latest"),
            ] {
                let body = json!({ "attendees": ["ana@example.com", "ben@example.com"], name: value });
                ana.expect_faults(Method::POST, path, body, &[place]).await;
            }
        }
        ana.expect_none().await;
    }

    async fn views_and_details_that_are_not_valid_are_refused_with_their_place(cluster) {
        let ana = RefusalTable::new(cluster).await;
        for value in ["0", "10", "45", "120", "-15", "x", "", "15.5"] {
            let query = format!("/api/availability?attendee=ana@example.com&attendee=ben@example.com&view_minutes={value}");
            ana.expect_faults(Method::GET, &query, Value::Null, &["#/view_minutes"]).await;
        }
        let many: Vec<String> = (0..2000).map(|at| format!("u{at}@example.com")).collect();
        let long = json!({ "attendees": many, "from": "2026-01-01", "to": "2026-03-03", "view_minutes": 15 });
        ana.expect_faults(Method::POST, "/api/availability", long, &["#/view_minutes"]).await;
        for name in ["distinct", "organizer", "limit", "duration_minutes"] {
            let query = format!("/api/availability?attendee=ana@example.com&attendee=ben@example.com&{name}=1");
            ana.expect_faults(Method::GET, &query, Value::Null, &[format!("#/{name}")]).await;
        }
        let rank = async |body: Value| cluster.nodes_of("suggestion")[0].client("suggestion").post("/internal/suggestions/rank", body).await;
        for detail in [json!({}), json!(null), json!([]), json!({ "attendees": [] })] {
            let reply = rank(json!({ "detail": detail, "duration_minutes": 60 })).await;
            reply.expect_problem("400 bad-request", "/api/internal/suggestions/rank", "a detail without its fields");
        }
        let detail = |free: &str| json!({
            "attendees": [{ "email": "ana@example.com", "preference": "first", "free": free }],
            "time_zone": "UTC", "as_of": "2026-01-01", "window": null, "data_version": "",
        });
        for free in ["", "!", "AAAA"] {
            let reply = rank(json!({ "detail": detail(free), "duration_minutes": 60, "step_minutes": 15 })).await;
            assert_eq!((reply.status, reply.pointers()), (422, vec!["#/detail/attendees/0/free"]), "{free}");
            let body = json!({ "detail": detail(free), "attendees": ["ana@example.com", "ben@example.com"] });
            ana.expect_faults(Method::POST, "/api/suggestions", body, &["#/detail"]).await;
        }
        ana.expect_none().await;
    }

    async fn an_invalid_meeting_request_is_refused_with_a_pointer(cluster) {
        let ana = RefusalTable::new(cluster).await;
        for (name, values) in [
            ("duration_minutes", &["0", "-15", "14", "20", "1441", "1455", "60.5", "\"60\"", "\"\"", "true", "1e9"][..]),
            ("step_minutes", &["0", "10", "45", "-15", "120", "\"x\""]),
            ("limit", &["0", "-1", "101", "1000000000", "18446744073709551616", "1.5", "\"\""]),
            ("seed", &["-1", "9007199254740992", "1.5", "\"x\""]),
            ("pick", &["\"middle\"", "\"FIRST\"", "\"\"", "1", "[]"]),
            ("distinct", &["\"hour\"", "\"Slot\"", "\"\"", "1", "[]"]),
            ("organizer", &["\"x\"", "\"\"", "1", "[]"]),
            ("view_minutes", &["15"]),
            ("format", &["\"hours\""]),
        ] {
            for value in values {
                let place = format!("#/{name}");
                let value: Value = serde_json::from_str(value).expect("JSON");
                let body = json!({ "attendees": ["ana@example.com", "ben@example.com"], name: value });
                ana.expect_faults(Method::POST, "/api/suggestions", body, &[&place]).await;
                if value != json!("60") {
                    let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    let query = format!("attendee=ana@example.com&attendee=ben@example.com&{name}={shown}");
                    ana.expect_faults(Method::GET, &format!("/api/suggestions?{query}"), Value::Null, &[&place]).await;
                }
            }
        }
        for (path, place) in [
            (USERS, "limit=0"), (USERS, "limit=-1"), (USERS, "limit=1000000000"), (USERS, "limit=x"), (USERS, "limit="),
            (USERS, "format=table"), (USERS, "foo=1"), (ANA, "format=HOURS"), (ANA, "foo=1"), (WEEK, "format="), (WEEK, "x"),
        ] {
            let name = format!("#/{}", place.split('=').next().unwrap_or_default());
            ana.expect_faults(Method::GET, &format!("{path}?{place}"), Value::Null, &[name]).await;
        }
        for cursor in ["", "garbage", "1", "' OR '1'='1", "00000000-0000-0000-0000-00000000000g", "%00", "%ff"] {
            let path = format!("{USERS}?cursor={}", cursor.replace(' ', "%20"));
            ana.expect_refused(Method::GET, &path, b"", "400 bad-request").await;
        }
        ana.expect_none().await;
    }
}
