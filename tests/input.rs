//! Invalid bodies: refused with the right status and the place of each fault, and nothing is stored.

use awc::http::Method;
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::refusal::RefusalTable;

const USERS: &str = "/api/users";
const ANA: &str = "/api/users/ana@example.com";
const WEEK: &str = "/api/users/ana@example.com/availability";

/// What every user needs, and one more member or another value for one.
fn with(member: &str, value: Value) -> Value {
    let mut body = json!({ "email": "new@example.com", "name": "New" });
    body[member] = value;
    body
}

/// Texts that are no address we take.
fn no_addresses() -> Vec<String> {
    let label = |length: usize| "b".repeat(length);
    let mut texts = vec![
        format!("{}@example.com", "a".repeat(65)),
        format!("a@{}.com", label(64)),
        format!("{}@{}.{}.{}", "a".repeat(64), label(63), label(63), label(62)),
        format!("{}@example.com", "a".repeat(100_000)),
    ];
    let short = [
        "",
        " ",
        "a",
        "@",
        "a@",
        "@b.co",
        "a@b",
        "a@b.",
        "a@.co",
        "a@[127.0.0.1]",
        "a@[IPv6:::1]",
        "X <a@c.de>",
        "<a@c.de>",
        "a@c.de.",
        "\"a b\"@c.de",
        "\"a\"@c.de",
        "a..b@c.de",
        ".a@c.de",
        "a.@c.de",
        "a@-c.de",
        "a@c-.de",
        "a@@c.de",
        "a@b@c.de",
        "a b@c.de",
        "a@c .de",
        "a@c.de,b@c.de",
        "a@c.de;b@c.de",
        "a@c.de\r\nBcc: x@y.zz",
        "a\n@c.de",
        "a\u{0}@c.de",
        "a\u{85}@c.de",
        "a\u{202e}@c.de",
        "\u{2066}a@c.de",
        "a/b@c.de",
        "a\\b@c.de",
        "mailto:a@c.de",
        "(x)a@c.de",
        "' OR '1'='1",
        "a@xn--\u{e4}.de",
        "a@c_d.de",
        "a@c.de/../x",
    ];
    texts.extend(short.map(str::to_owned));
    texts
}

/// Characters that turn or hide text.
const HIDDEN: [char; 19] = [
    '\u{ad}',
    '\u{61c}',
    '\u{200b}',
    '\u{200e}',
    '\u{200f}',
    '\u{2028}',
    '\u{2029}',
    '\u{202a}',
    '\u{202e}',
    '\u{2060}',
    '\u{2066}',
    '\u{2069}',
    '\u{2800}',
    '\u{3164}',
    '\u{fe0f}',
    '\u{feff}',
    '\u{fff9}',
    '\u{fffe}',
    '\u{e0041}',
];

both_shapes! {
    async fn texts_that_cannot_be_seen_are_refused_in_every_name_and_title(cluster) {
        cluster.register("ana@example.com", json!({ "monday": [9] })).await;
        let password = "seven quiet llamas by the lake";
        for hidden in HIDDEN {
            let text = format!("pay{hidden}eve");
            let refused = [
                (cluster.post(USERS, with("name", json!(text))).await, "#/name"),
                (cluster.patch(ANA, json!({ "name": text })).await, "#/name"),
                (cluster.post("/api/auth/register", json!({ "email": "new@example.com", "password": password, "name": text })).await, "#/name"),
                (cluster.post("/api/meetings", json!({ "organizer": "ana@example.com", "attendees": ["ben@example.com"], "title": text })).await, "#/title"),
                (cluster.post("/api/suggestions", json!({ "attendees": ["ana@example.com", "ben@example.com"], "notify": true, "title": text })).await, "#/title"),
            ];
            for (reply, place) in refused {
                assert_eq!((reply.status, reply.pointers()), (422, vec![place]), "U+{:04X}: {}", u32::from(hidden), reply.text);
                let at = if hidden.is_control() { "not_a_text" } else { "hidden_character" };
                assert_eq!(reply.json["errors"][0]["code"], at, "{}", reply.text);
            }
            let address = format!("ne{hidden}w@example.com");
            assert_eq!(cluster.post(USERS, with("email", json!(address))).await.pointers(), ["#/email"]);
        }
        for (at, fine) in ["Zoë 日本語 שלום", "👩\u{200d}👩\u{200d}👧", "نامه\u{200c}ها", "❤\u{fe0f} 1\u{fe0f}\u{20e3}"].iter().enumerate() {
            let body = json!({ "email": format!("fine{at}@example.com"), "name": fine });
            assert_eq!(cluster.post(USERS, body).await.expect(201).json["name"], *fine);
        }
    }

    async fn a_patch_of_an_unknown_field_to_null_is_refused(cluster) {
        let ana = RefusalTable::new(cluster).await;
        for (patch, place) in [
            (json!({ "titel": null }), "#/titel"), (json!({ "": null }), "#/"),
            (json!({ "availability": { "funday": null } }), "#/availability/funday"),
            (json!({ "overrides": { "soon": null } }), "#/overrides/soon"),
        ] {
            ana.expect_faults(Method::PATCH, ANA, patch, &[place]).await;
        }
        cluster.register("ben@example.com", json!({})).await;
        let meeting = json!({ "organizer": "ana@example.com", "attendees": ["ben@example.com"] });
        let meeting = cluster.post("/api/meetings", meeting).await.expect(202);
        let path = meeting.header("location").expect("a path");
        let refused = cluster.patch(path, json!({ "titel": null })).await.expect(422);
        assert_eq!(refused.json["errors"][0]["pointer"], "#/titel");
    }

    async fn invalid_json_is_refused_and_nothing_is_stored(cluster) {
        let ana = RefusalTable::new(cluster).await;
        let deep = |depth: usize| format!(r#"{{"name":{}1{}}}"#, "[".repeat(depth), "]".repeat(depth)).into_bytes();
        for body in [
            b"".to_vec(), b"{".to_vec(), b"}".to_vec(), b"name=Ana".to_vec(), b"'{}'".to_vec(),
            br#"{"name":NaN}"#.to_vec(), br#"{"name":Infinity}"#.to_vec(), br#"{"name":-Infinity}"#.to_vec(),
            br#"{"name":1e999}"#.to_vec(), br#"{"name":01}"#.to_vec(), br#"{"name":+1}"#.to_vec(), br#"{"name":.5}"#.to_vec(),
            b"{} x".to_vec(), b"{}{}".to_vec(), b"{\"name\":\"\xff\"}".to_vec(),
            br#"{"name":"\ud800"}"#.to_vec(), br#"{"name":"\ud800\u0041"}"#.to_vec(), b"{\"name\":\"a\nb\"}".to_vec(),
            br#"{"name":"Ana",}"#.to_vec(), br#"{name:"Ana"}"#.to_vec(), br#"{"name":'Ana'}"#.to_vec(),
            br#"{"name":"Ana"/**/}"#.to_vec(), b"\xfe\xff\x00{\x00}".to_vec(), deep(200), deep(100_000),
            br#"{"name":"One","name":"Two"}"#.to_vec(), br#"{"email":"a@b.co","name":"A","email":"c@b.co"}"#.to_vec(),
            br#"{"monday":[1],"monday":[2]}"#.to_vec(), br#"{"availability":{"monday":[1],"monday":[2]}}"#.to_vec(),
            br#"{"attendees":[],"attendees":[]}"#.to_vec(), br#"{"monday":[1],"mond\u0061y":[1]}"#.to_vec(),
        ] {
            for (method, path) in [
                (Method::POST, USERS), (Method::PATCH, ANA), (Method::PUT, WEEK), (Method::POST, "/api/availability"),
                (Method::POST, "/api/suggestions"),
            ] {
                ana.expect_refused(method, path, &body, "400 bad-request").await;
            }
        }
        ana.expect_none().await;
    }

    async fn a_byte_order_mark_and_whole_numbers_with_a_fraction_are_read(cluster) {
        let headers = [("content-type", "application/json")];
        let body = b"\xef\xbb\xbf{\"email\":\"ana@example.com\",\"name\":\"Ana\",\"availability\":{\"monday\":[9.0]}}".to_vec();
        let ana = cluster.send(Method::POST, USERS, &headers, Some(body)).await.expect(201);
        assert_eq!(ana.json["availability"]["monday"], json!(["09:00-10:00"]));
        cluster.register("ben@example.com", json!({ "monday": [9] })).await;
        let search = json!({ "attendees": ["ana@example.com", "ben@example.com"], "duration_minutes": 45.0 });
        let found = cluster.post("/api/suggestions", search).await.expect(200);
        assert_eq!(found.json["suggestions"][0]["end"], "09:45");
        let query = "/api/suggestions?attendee=ana@example.com&attendee=ben@example.com&duration_minutes=45.0";
        assert_eq!(cluster.get(query).await.expect(200).json["suggestions"], found.json["suggestions"]);
    }

    async fn faults_of_a_query_show_the_right_form(cluster) {
        for email in ["ana+tag@example.com", "ben@example.com"] {
            cluster.post(USERS, json!({ "email": email, "name": "New" })).await.expect(201);
        }
        for (query, code, hint) in [
            ("attendee=ana+tag@example.com&attendee=ben@example.com", "not_an_email", "%2B"),
            ("attendee=ana%2Btag@example.com,ben@example.com", "list_in_a_query", "attendee=a@example.com&attendee=b@example.com"),
            ("attendees=ana%2Btag@example.com,ben@example.com", "unknown_field", "attendee=a@example.com&attendee=b@example.com"),
            ("attendee[]=ana%2Btag@example.com", "unknown_field", "attendee=a@example.com&attendee=b@example.com"),
            ("attendees[0]=ana%2Btag@example.com", "unknown_field", "attendee=a@example.com&attendee=b@example.com"),
            ("required=ana+tag@example.com&required=ben@example.com", "not_an_email", "%2B"),
        ] {
            for path in ["/api/suggestions", "/api/availability"] {
                let refused = cluster.get(&format!("{path}?{query}")).await.expect(422).json;
                let fault = refused["errors"].as_array().and_then(|all| all.iter().find(|one| one["code"] == code));
                let detail = fault.and_then(|one| one["detail"].as_str()).unwrap_or_default();
                assert!(detail.contains(hint), "{path}?{query}: {refused}");
            }
        }
        let escaped = "/api/suggestions?attendee=ana%2Btag@example.com&attendee=ben@example.com";
        cluster.get(escaped).await.expect(200);
        let refused = cluster.get("/users/user-avail/cache-aside?user1email=ana+tag@example.com").await.expect(400).json;
        assert!(refused["detail"][0]["msg"].as_str().is_some_and(|text| text.contains("%2B")), "{refused}");
    }

    async fn the_detail_names_every_fault_and_the_known_names(cluster) {
        let body = json!({ "email": "x", "titel": 1, "availability": { "monday": [9, 24] } });
        let refused = cluster.post(USERS, body).await.expect(422).json;
        let detail = refused["detail"].as_str().unwrap_or_default();
        for part in ["email: \"x\" is not ", "name: ", "availability.monday[1]: 24 ", "titel: "] {
            assert!(detail.split("; ").any(|sentence| sentence.starts_with(part)), "{part}: {detail}");
        }
        for fault in refused["errors"].as_array().expect("a list") {
            assert!(detail.contains(fault["detail"].as_str().expect("a text")), "{fault}: {detail}");
        }
        let unknown = refused["errors"].as_array().and_then(|all| all.iter().find(|one| one["pointer"] == "#/titel"));
        let known = unknown.and_then(|one| one["detail"].as_str()).unwrap_or_default();
        assert!(["email", "name", "time_zone", "availability"].iter().all(|name| known.contains(name)), "{known}");
    }

    async fn the_detail_names_what_was_sent_each_fault_once_and_no_secret(cluster) {
        for (path, body, detail) in [
            ("/api/availability?attendee[]=a@x.org&attendee[]=b@x.org&attendee=a@x.org&attendee=b@x.org", None,
                "attendee[]: is not known in a query: write attendee= once for each, such as attendee=a@example.com&attendee=b@example.com"),
            ("/api/users?limit=1000", None, "limit: must be a whole number from 1 to 200, not \"1000\""),
            (USERS, Some(json!({ "email": "ana@x.org", "name": 7 })), "name: must be a text of 1 to 200 characters on one line, not 7"),
            (USERS, Some(json!({ "email": "ana@x.org", "name": "Ana", "preference": "middle" })),
                "preference: must be first, last, random or best, not \"middle\""),
            (USERS, Some(json!([])), "the body must be a JSON object"),
        ] {
            let reply = match &body {
                Some(body) => cluster.post(path, body.clone()).await,
                None => cluster.get(path).await,
            };
            assert_eq!(reply.expect(422).json["detail"], detail);
        }
        let body = json!({ "email": "ana@example.com", "password": "guess me" });
        let refused = cluster.post("/api/auth/register", body).await.expect(422).text;
        assert!(!refused.contains("guess me"), "{refused}");
    }

    async fn an_invalid_user_is_refused_with_a_pointer_to_each_error(cluster) {
        let ana = RefusalTable::new(cluster).await;
        for address in no_addresses() {
            ana.expect_faults(Method::POST, USERS, with("email", json!(address)), &["#/email"]).await;
        }
        for no_text in [json!(null), json!(1), json!(true), json!(["a@b.co"]), json!({ "email": "a@b.co" })] {
            ana.expect_faults(Method::POST, USERS, with("email", no_text.clone()), &["#/email"]).await;
            ana.expect_faults(Method::POST, USERS, with("name", no_text.clone()), &["#/name"]).await;
            ana.expect_faults(Method::PATCH, ANA, json!({ "name": no_text }), &["#/name"]).await;
        }
        for name in ["", " \t ", "a\nb", "a\u{0}b", "a\u{9b}b", &"x".repeat(201)] {
            ana.expect_faults(Method::POST, USERS, with("name", json!(name)), &["#/name"]).await;
            ana.expect_faults(Method::PATCH, ANA, json!({ "name": name }), &["#/name"]).await;
        }
        for zone in [
            json!("Mars/Olympus"), json!("../../etc/passwd"), json!("/etc/localtime"), json!("GMT+25"), json!(""),
            json!("+05:30"), json!("UTC+1"), json!("Z"), json!("Factory"), json!("floating"), json!("Europe/Paris\u{0}"),
            json!("posix/Europe/Paris"), json!(2), json!({}), json!("x".repeat(10_000)),
        ] {
            ana.expect_faults(Method::POST, USERS, with("time_zone", zone.clone()), &["#/time_zone"]).await;
            ana.expect_faults(Method::PATCH, ANA, json!({ "time_zone": zone }), &["#/time_zone"]).await;
        }
        for preference in [json!("FIRST"), json!("middle"), json!(""), json!(1), json!(["first"])] {
            ana.expect_faults(Method::POST, USERS, with("preference", preference.clone()), &["#/preference"]).await;
            ana.expect_faults(Method::PATCH, ANA, json!({ "preference": preference }), &["#/preference"]).await;
        }
        // clients may write neither the fields of the server nor unknown fields
        for member in ["isAdmin", "role", "scope", "id", "version", "created_at", "updated_at", "typed_email", "a/b~c", ""] {
            let place = format!("#/{}", member.replace('~', "~0").replace('/', "~1"));
            ana.expect_faults(Method::POST, USERS, with(member, json!(1)), &[&place]).await;
            ana.expect_faults(Method::PATCH, ANA, json!({ member: 1 }), &[&place]).await;
        }
        ana.expect_faults(Method::PATCH, ANA, json!({ "email": "ben@example.com" }), &["#/email"]).await;
        for no_object in [json!([]), json!("x"), json!(1), json!(null), json!(true)] {
            ana.expect_faults(Method::POST, USERS, no_object.clone(), &["#"]).await;
            ana.expect_faults(Method::PATCH, ANA, no_object, &["#"]).await;
        }
        ana.expect_faults(Method::POST, USERS, json!({}), &["#/email", "#/name"]).await;
        let all = json!({
            "email": "x", "time_zone": "Moon", "preference": "", "isAdmin": true, "if_needed": 7,
            "availability": { "monday": [9, 24, "9"], "funday": [1], "tuesday": {} },
        });
        ana.expect_faults(Method::POST, USERS, all, &[
            "#/email", "#/name", "#/time_zone", "#/preference", "#/isAdmin", "#/if_needed", "#/availability/monday/1",
            "#/availability/monday/2", "#/availability/funday", "#/availability/tuesday",
        ]).await;
        ana.expect_none().await;
    }

    async fn an_invalid_week_is_refused_with_a_pointer_to_each_error(cluster) {
        let ana = RefusalTable::new(cluster).await;
        let row = |length: usize| vec![json!(0); length];
        let mut rows = vec![json!(row(24)); 7];
        rows[2] = json!(row(23));
        rows[4][5] = json!(2);
        rows[6][0] = json!(true);
        for (week, places) in [
            (json!({ "monday": [-1, 24, 3.5, "9", null, true, 256, 1e3, [], {}] }),
                (0..10).map(|at| format!("/monday/{at}")).collect()),
            (json!({ "monday": ["09:00-09:10", "10:00-10:00", "24:00-02:00", "24:00-24:00", "09:60-10:00", "25:00-26:00",
                "009:00-10:00", "09:00-24:15", "09:00 - 10:00", "09:00\u{2013}10:00", "-", ""] }),
                (0..12).map(|at| format!("/monday/{at}")).collect()),
            (json!({ "monday": [9], "Funday": [9], "mon": [9], "": [], "a/b~": [] }),
                ["/Funday", "/mon", "/", "/a~1b~0"].map(str::to_owned).to_vec()),
            (json!({ "monday": 9, "tuesday": null, "wednesday": { "9": 1 } }),
                ["/monday", "/tuesday", "/wednesday"].map(str::to_owned).to_vec()),
            (json!({ "monday": [1], "MONDAY": [2] }), vec!["/MONDAY".to_owned()]),
            (json!({ "monday": vec![9; 97] }), vec!["/monday".to_owned()]),
            (json!(rows), ["/2", "/4/5", "/6/0"].map(str::to_owned).to_vec()),
            (json!([]), vec![String::new()]), (json!(vec![row(24); 8]), vec![String::new()]),
            (json!("monday"), vec![String::new()]), (json!(1), vec![String::new()]),
        ] {
            let places = |place: &str| places.iter().map(|step| format!("{place}{step}")).collect::<Vec<_>>();
            ana.expect_faults(Method::PUT, WEEK, week.clone(), &places("#")).await;
            for member in ["availability", "if_needed"] {
                let found = places(&format!("#/{member}"));
                ana.expect_faults(Method::POST, USERS, with(member, week.clone()), &found).await;
                // in a merge patch a null takes a day away, and another spelling of a day is that day
                if week["monday"] != json!(9) {
                    ana.expect_faults(Method::PATCH, ANA, json!({ member: week.clone() }), &found).await;
                }
            }
        }
        ana.expect_faults(Method::PUT, WEEK, json!(null), &["#"]).await;
        ana.expect_none().await;
    }

}
