//! What is refused in questions, by query string and by body: with the place of each fault, and before anybody is looked up.

use awc::http::Method;
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::refusal::Ana;

const USERS: &str = "/api/users";
const ANA: &str = "/api/users/ana@example.com";
const WEEK: &str = "/api/users/ana@example.com/availability";

both_shapes! {
    async fn a_question_that_is_not_valid_is_refused_with_the_place_of_each_fault(cluster) {
        let ana = Ana::new(cluster).await;
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
            ] {
                let two = if query.starts_with('&') { "attendee=ana@example.com&attendee=ben@example.com" } else { "" };
                ana.finds(Method::GET, &format!("{path}?{two}{query}"), Value::Null, &[place]).await;
            }
            let no_attendees = json!([1, null, "x", {}, { "email": "x" }, { "email": "a@b.co", "role": 1 }, ["a@b.co"], ""]);
            let places: Vec<String> = (0..8).map(|at| format!("#/attendees/{at}")).collect();
            ana.finds(Method::POST, path, json!({ "attendees": no_attendees }), &places).await;
            let many: Vec<String> = (0..=10_000).map(|at| format!("u{at}@example.com")).collect();
            for attendees in [json!(null), json!("a@b.co"), json!({}), json!([]), json!(["a@b.co"]), json!(many)] {
                ana.finds(Method::POST, path, json!({ "attendees": attendees }), &["#/attendees"]).await;
            }
            ana.finds(Method::POST, path, json!([]), &["#"]).await;
            let all = json!({ "attendees": [], "time_zone": 1, "as_of": 1, "week": 1, "from": 1, "to": 1, "foo": 1 });
            let places = ["#/attendees", "#/time_zone", "#/as_of", "#/week", "#/from", "#/to", "#/foo"];
            ana.finds(Method::POST, path, all, &places).await;
        }
        ana.expect_none().await;
    }

    async fn a_wish_that_is_not_valid_is_refused_with_its_place(cluster) {
        let ana = Ana::new(cluster).await;
        for (name, values) in [
            ("duration_minutes", &["0", "-15", "14", "20", "1441", "1455", "60.5", "\"60\"", "\"\"", "true", "1e9"][..]),
            ("step_minutes", &["0", "10", "45", "-15", "120", "\"x\""]),
            ("limit", &["0", "-1", "101", "1000000000", "18446744073709551616", "1.5", "\"\""]),
            ("seed", &["-1", "9007199254740992", "1.5", "\"x\""]),
            ("pick", &["\"middle\"", "\"FIRST\"", "\"\"", "1", "[]"]),
            ("format", &["\"hours\""]),
        ] {
            for value in values {
                let place = format!("#/{name}");
                let value: Value = serde_json::from_str(value).expect("JSON");
                let body = json!({ "attendees": ["ana@example.com", "ben@example.com"], name: value });
                ana.finds(Method::POST, "/api/suggestions", body, &[&place]).await;
                if value != json!("60") {
                    let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    let query = format!("attendee=ana@example.com&attendee=ben@example.com&{name}={shown}");
                    ana.finds(Method::GET, &format!("/api/suggestions?{query}"), Value::Null, &[&place]).await;
                }
            }
        }
        for (path, place) in [
            (USERS, "limit=0"), (USERS, "limit=-1"), (USERS, "limit=1000000000"), (USERS, "limit=x"), (USERS, "limit="),
            (USERS, "format=table"), (USERS, "foo=1"), (ANA, "format=HOURS"), (ANA, "foo=1"), (WEEK, "format="), (WEEK, "x"),
        ] {
            let name = format!("#/{}", place.split('=').next().unwrap_or_default());
            ana.finds(Method::GET, &format!("{path}?{place}"), Value::Null, &[name]).await;
        }
        for cursor in ["", "garbage", "1", "' OR '1'='1", "00000000-0000-0000-0000-00000000000g", "%00", "%ff"] {
            let path = format!("{USERS}?cursor={}", cursor.replace(' ', "%20"));
            ana.refuses(Method::GET, &path, b"", "400 bad-request").await;
        }
        ana.expect_none().await;
    }
}
