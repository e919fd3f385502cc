//! Imported calendars: their events make the owner busy, and nothing else of them is disclosed.

use std::time::{Duration, Instant};

use awc::http::Method;
use jiff::ToSpan;
use jiff::civil::Date;
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::cluster::Sandbox;
use crate::support::meeting::{ANA, BEN, create_meeting, meeting_path, next_monday, wait_for_status};
use crate::support::{Cluster, Node, Reply, eventually};

const ALL: &str = "/api/users/ana@example.com/calendars";
const WORK: &str = "/api/users/ana@example.com/calendars/work";

/// A calendar of these events, each of them lines.
pub fn calendar(events: &[&str]) -> String {
    let events: String = events.iter().map(|lines| format!("BEGIN:VEVENT\n{lines}\nEND:VEVENT\n")).collect();
    format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Test//EN\n{events}END:VCALENDAR\n")
}

/// `20261123` of a date.
pub fn compact(date: Date) -> String {
    date.strftime("%Y%m%d").to_string()
}

pub async fn put_text(cluster: &Cluster, path: &str, text: &str) -> Reply {
    cluster.send(Method::PUT, path, &[("content-type", "text/calendar; charset=utf-8")], Some(text.into())).await
}

/// Ana and Ben, who can always meet; Ana's clock hangs in this zone.
pub async fn two_people(cluster: &Cluster, zone: &str) {
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let always = Value::Object(days.map(|day| (day.to_owned(), json!(["00:00-24:00"]))).into_iter().collect());
    cluster.register_in(ANA, zone, always.clone()).await;
    cluster.register_in(BEN, zone, always).await;
}

/// When both are free on that Monday and the day after, as `00:00-09:00` of days 0 and 1, on Ana's clock.
pub async fn free(cluster: &Cluster) -> Vec<String> {
    let (from, to) = (next_monday(), next_monday().saturating_add(1.day()));
    let asked = format!("/api/availability?attendee={ANA}&attendee={BEN}&from={from}&to={to}");
    let answer = cluster.get(&asked).await.expect(200).json;
    let periods = answer["periods"].as_array().expect("periods").clone();
    let shown = |value: &Value| {
        let (date, time) = value.as_str().expect("an instant").split_once('T').expect("a time");
        let day = date.parse::<Date>().expect("a date").since(from).expect("days").get_days();
        format!("{day} {}", &time[..5])
    };
    periods.iter().map(|it| format!("{}-{}", shown(&it["start"]), shown(&it["end"]))).collect()
}

both_shapes! {
    async fn events_of_a_calendar_make_its_owner_busy(cluster) {
        two_people(cluster, "Europe/Paris").await;
        assert_eq!(free(cluster).await, ["0 00:00-2 00:00"]);
        let (day, next) = (compact(next_monday()), compact(next_monday().saturating_add(1.day())));
        let text = calendar(&[
            &format!("UID:1\nDTSTART;TZID=W. Europe Standard Time:{day}T090000\nDTEND;TZID=Europe/Paris:{day}T103000"),
            &format!("UID:2\nDTSTART:{day}T120000\nDURATION:PT1H"),
            &format!("UID:3\nDTSTART;VALUE=DATE:{next}"),
            &format!("UID:4\nDTSTART:{day}T150000\nDURATION:PT1H\nTRANSP:TRANSPARENT"),
            &format!("UID:5\nDTSTART:{day}T160000\nDURATION:PT1H\nSTATUS:CANCELLED"),
            &format!("UID:6\nDTSTART:{day}T170000\nDURATION:PT1H\nX-MICROSOFT-CDO-BUSYSTATUS:FREE"),
        ]);
        let made = put_text(cluster, WORK, &text).await.expect(201);
        assert_eq!(made.header("location"), Some("/api/users/ana%40example.com/calendars/work"));
        assert_eq!(free(cluster).await, ["0 00:00-0 09:00", "0 10:30-0 12:00", "0 13:00-1 00:00"]);
        let shown = cluster.get(WORK).await.expect(200).json;
        assert_eq!((&shown, &made.json), (&made.json, &cluster.get(ALL).await.expect(200).json["calendars"][0]));
        assert_eq!((&shown["name"], &shown["kind"], &shown["busy_periods"]), (&json!("work"), &json!("file"), &json!(3)));
        assert_eq!((&shown["error"], &shown["origin"]), (&Value::Null, &Value::Null));
        let until: jiff::Timestamp = shown["known_until"].as_str().and_then(|at| at.parse().ok()).expect("an instant");
        assert!(until > jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 700), "{shown}");

        // times without a zone go with their owner; those with one stay where they are
        cluster.patch("/api/users/ana@example.com", json!({ "time_zone": "Europe/Helsinki" })).await.expect(200);
        assert_eq!(free(cluster).await, ["0 00:00-0 10:00", "0 11:30-0 12:00", "0 13:00-1 00:00"]);

        // other calendars add to it, and a calendar may be replaced
        let more = calendar(&[&format!("UID:1\nDTSTART:{day}T000000\nDURATION:PT10H")]);
        put_text(cluster, &format!("{ALL}/home"), &more).await.expect(201);
        assert_eq!(free(cluster).await, ["0 11:30-0 12:00", "0 13:00-1 00:00"]);
        let again = put_text(cluster, WORK, &calendar(&[])).await.expect(200).json;
        assert_eq!(again["busy_periods"], 0);
        assert_eq!(free(cluster).await, ["0 10:00-2 00:00"]);
        cluster.delete(&format!("{ALL}/home")).await.expect(204);
        assert_eq!(free(cluster).await, ["0 00:00-2 00:00"]);
        cluster.delete(&format!("{ALL}/home")).await.expect_problem("404 unknown-calendar", &format!("{ALL}/home"), "again");
    }

    async fn no_answer_is_older_than_a_calendar_that_was_acknowledged(cluster) {
        two_people(cluster, "UTC").await;
        let day = compact(next_monday());
        for round in 0..10 {
            let text = calendar(&[&format!("UID:1\nDTSTART:{day}T{round:02}0000Z\nDURATION:PT48H")]);
            let status = if round == 0 { 201 } else { 200 };
            put_text(cluster, WORK, &text).await.expect(status);
            let expected = if round == 0 { Vec::new() } else { vec![format!("0 00:00-0 {round:02}:00")] };
            assert_eq!(free(cluster).await, expected, "round {round}");
        }
    }

    async fn titles_stay_with_their_owner(cluster) {
        two_people(cluster, "UTC").await;
        let day = compact(next_monday());
        let text = calendar(&[&format!(
            "UID:SECRET-1\nSUMMARY:SECRET-2\nDESCRIPTION:SECRET-3\nLOCATION:SECRET-4\nX-SECRET-5:SECRET-6\nATTENDEE;CN=SECRET-7:mailto:secret-8@example.com\n\
             DTSTART:{day}T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY"
        )]);
        let mut response = vec![put_text(cluster, WORK, &text).await.expect(201)];
        let body = json!({ "url": "https://calendar.example.com/SECRET-9/basic.ics?key=SECRET-10" });
        response.push(cluster.put(&format!("{ALL}/feed"), body).await.expect(201));
        let asked = format!("attendee={ANA}&attendee={BEN}&from={0}&to={0}", next_monday());
        for path in [ALL, WORK, "/api/users/ana@example.com", "/api/users"] {
            response.push(cluster.get(path).await.expect(200));
        }
        response.push(cluster.get(&format!("/api/availability?{asked}")).await.expect(200));
        response.push(cluster.get(&format!("/api/suggestions?{asked}")).await.expect(200));
        response.push(cluster.get("/api/jobs").await.expect(200));
        let midnight = next_monday().to_zoned(jiff::tz::TimeZone::UTC).expect("a date").timestamp();
        let at = |hour: i64| midnight + jiff::SignedDuration::from_hours(hour);
        let lookup = json!({ "emails": [ANA], "busy_in": { "start": at(0), "end": at(23) } });
        let user = cluster.nodes_of("user")[0].client("user");
        let found = user.post("/internal/users/lookup", lookup).await.expect(200);
        assert_eq!(found.json["busy"], json!({ ANA: [[at(9).as_second(), at(10).as_second()]] }));
        response.push(found);
        // not even in what is wrong with it
        for bad in [
            "DTSTART:SECRET", "DTSTART;TZID=SECRET:20261123T090000", "DTSTART:20261123\nRRULE:SECRET=1", "SECRET",
            "BEGIN:SECRET\nSECRET", "DTSTART:20261123\nDTEND:SECRET",
        ] {
            let warned = put_text(cluster, WORK, &calendar(&[bad])).await.expect(200);
            assert_ne!(warned.json["warnings"], json!([]), "{bad}");
            response.push(warned);
        }
        response.push(put_text(cluster, WORK, "SECRET").await.expect(422));
        cluster.expect_calm().await;
        for reply in response {
            assert!(!reply.text.to_uppercase().contains("SECRET"), "{}", reply.text);
        }
        for node in &cluster.nodes {
            let output = node.log_text();
            let line = output.lines().find(|line| line.to_uppercase().contains("SECRET-"));
            assert_eq!(line, None);
        }
    }

    async fn what_is_no_calendar_is_refused_with_its_line_and_changes_nothing(cluster) {
        two_people(cluster, "UTC").await;
        let day = compact(next_monday());
        put_text(cluster, WORK, &calendar(&[&format!("UID:1\nDTSTART:{day}T000000Z\nDURATION:PT47H")])).await.expect(201);
        for (text, line, why) in [
            (String::new(), 1, "no BEGIN:VCALENDAR"),
            ("\n<html>\n".to_owned(), 2, "no content line"),
            ("{\"a\": 1}".to_owned(), 1, "no BEGIN:VCALENDAR"),
            ("BEGIN:VEVENT\nDTSTART:20261123\nEND:VEVENT\n".to_owned(), 1, "no BEGIN:VCALENDAR"),
        ] {
            let refused = put_text(cluster, WORK, &text).await;
            refused.expect_problem("422 validation", WORK, why);
            let detail = refused.json["errors"][0]["detail"].as_str().unwrap_or_default();
            assert!(detail.contains(&format!("line {line}:")), "{why}: {detail}");
            assert_eq!(refused.json["errors"][0]["code"], "not_a_calendar");
        }
        let headers = [("content-type", "text/calendar")];
        let packed = cluster.send(Method::PUT, WORK, &headers, Some(vec![0x1f, 0x8b, 8, 0])).await;
        packed.expect_problem("415 unsupported-media", WORK, "a gzip file");
        assert!(packed.json["detail"].as_str().is_some_and(|detail| detail.contains("unpack it")), "{}", packed.text);
        assert_eq!(free(cluster).await, ["1 23:00-2 00:00"]);
        let nested = format!("BEGIN:VCALENDAR\n{}", "BEGIN:X-A\n".repeat(5000));
        let taken = put_text(cluster, WORK, &nested).await.expect(200).json;
        let warnings = taken["warnings"].as_array().expect("warnings");
        assert_eq!((warnings.len(), &warnings[50]["detail"]), (51, &json!("4951 more warnings are not listed")));
    }

    async fn a_calendar_with_odd_lines_is_taken_and_says_what_was_left_out_or_assumed(cluster) {
        two_people(cluster, "Europe/Paris").await;
        let day = compact(next_monday());
        let text = calendar(&[
            &format!("UID:1\nDTSTART;TZID=Customized Time Zone:{day}T090000\nDURATION:PT1H"),
            "UID:2\nDTSTART:20260230T090000Z",
            &format!("UID:3\nDTSTART:{day}T120000Z\nsecond line of a title\nDTEND:{day}T130000Z"),
        ]);
        let made = put_text(cluster, WORK, &text).await.expect(201).json;
        let warned = made["warnings"].as_array().expect("warnings").iter();
        let places: Vec<_> = warned.map(|one| (one["line"].as_u64(), one["component"].as_str())).collect();
        assert_eq!(places, [(Some(6), Some("VEVENT")), (Some(11), Some("VEVENT")), (Some(16), Some("VEVENT"))], "{made}");
        assert_eq!(cluster.get(WORK).await.expect(200).json, made);
        assert_eq!(cluster.get(ALL).await.expect(200).json["calendars"][0], made);
        assert_eq!(free(cluster).await, ["0 00:00-0 09:00", "0 10:00-0 13:00", "0 14:00-2 00:00"]);
        // a right calendar has no warnings; Windows saves one as UTF-16
        let right = calendar(&[&format!("UID:1\nDTSTART:{day}T090000\nDURATION:PT1H")]);
        let wide: Vec<u8> = [0xfeff].into_iter().chain(right.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let headers = [("content-type", "text/calendar")];
        let taken = cluster.send(Method::PUT, WORK, &headers, Some(wide)).await.expect(200).json;
        assert_eq!((&taken["warnings"], &taken["busy_periods"]), (&json!([]), &json!(1)));
        assert_eq!(free(cluster).await, ["0 00:00-0 09:00", "0 10:00-2 00:00"]);
    }

    async fn a_calendar_of_many_past_years_is_taken(cluster) {
        two_people(cluster, "UTC").await;
        let day = compact(next_monday());
        let long_ago = |number: u32| {
            let date = format!("{}{:02}{:02}", 2010 + number % 10, 1 + number % 12, 1 + number % 28);
            format!("UID:{number}\nDTSTART:{date}T090000Z\nDTEND:{date}T093000Z\nDESCRIPTION:{}", "x".repeat(300))
        };
        let mut events: Vec<String> = (0..8000).map(long_ago).collect();
        events.push(format!("UID:now\nDTSTART:{day}T000000Z\nDURATION:PT9H"));
        let events: Vec<&str> = events.iter().map(String::as_str).collect();
        let text = calendar(&events);
        assert!(text.len() > 3 << 20, "{}", text.len());
        let made = put_text(cluster, WORK, &text).await.expect(201).json;
        assert_eq!((&made["busy_periods"], &made["warnings"]), (&json!(1), &json!([])));
        assert_eq!(free(cluster).await, ["0 09:00-2 00:00"]);
    }

    async fn the_calendars_of_one_account_do_not_keep_another_waiting(cluster) {
        two_people(cluster, "UTC").await;
        let heavy: Vec<String> = (0..50).map(|number| format!("UID:{number}\nDTSTART:20200101T000000Z\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30")).collect();
        let heavy = calendar(&heavy.iter().map(String::as_str).collect::<Vec<_>>());
        let path = |number: usize| format!("{ALL}/c{number}");
        let uploads = futures_util::future::join_all((0..6).map(|number| {
            let (path, heavy) = (path(number), heavy.clone());
            async move { put_text(cluster, &path, &heavy).await.status }
        }));
        let other = async {
            for _ in 0..5 {
                let name = "/api/users/ben@example.com/calendars/work";
                let made = put_text(cluster, name, &calendar(&[])).await;
                assert!(matches!(made.status, 200 | 201), "{}: {}", made.status, made.text);
            }
        };
        let (statuses, ()) = futures_util::future::join(uploads, other).await;
        assert!(statuses.iter().all(|status| matches!(status, 201 | 503)), "{statuses:?}");
        assert!(statuses.contains(&201), "one of them had its turn: {statuses:?}");
    }

    async fn malicious_calendars_do_no_harm(cluster) {
        two_people(cluster, "UTC").await;
        let start = "UID:1\nDTSTART:20200101T000000Z\nDURATION:PT1S";
        let all: Vec<String> = (0..60).map(|number| number.to_string()).collect();
        let (all, hours) = (all.join(","), all[..24].join(","));
        let far = "UID:1\nDTSTART:19700101T000000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30";
        let dates = vec!["20261123T090000Z"; 3000].join(",");
        for (name, lines) in [
            ("every second", format!("{start}\nRRULE:FREQ=SECONDLY")),
            ("every minute", format!("{start}\nRRULE:FREQ=MINUTELY")),
            ("a huge count", format!("{start}\nRRULE:FREQ=SECONDLY;COUNT=4000000000")),
            ("all at once", format!("{start}\nRRULE:FREQ=YEARLY;BYHOUR={hours};BYMINUTE={all};BYSECOND={all}")),
            ("exceptions without end", format!("{start}\nEXDATE:{}", vec!["20261123"; 60_000].join(","))),
        ] {
            let (begin, good) = (Instant::now(), format!("UID:2\nDTSTART:{}T090000Z\nDURATION:PT1H", compact(next_monday())));
            let taken = put_text(cluster, WORK, &calendar(&[&lines, &good])).await;
            assert!(matches!(taken.status, 200 | 201), "{name}: {}", taken.text);
            assert_eq!((&taken.json["busy_periods"], taken.json["warnings"].as_array().map(Vec::len)), (&json!(1), Some(1)), "{name}");
            assert!(begin.elapsed() < Duration::from_secs(8), "{name}: {:?}", begin.elapsed());
            cluster.send(Method::DELETE, WORK, &[], None).await.expect(204);
        }
        for (name, lines, copies) in [
            ("never, thousands of times", far.to_owned(), 5000),
            ("every day, thousands of times", format!("{start}\nRRULE:FREQ=DAILY"), 5000),
            ("dates without end", format!("{start}\nRDATE:{dates}"), 40),
            ("exceptions without end", format!("{start}\nEXDATE:{}", vec!["20261123"; 40_000].join(",")), 3),
        ] {
            let begin = Instant::now();
            let refused = put_text(cluster, WORK, &calendar(&vec![lines.as_str(); copies])).await;
            refused.expect_problem("422 validation", WORK, name);
            assert!(begin.elapsed() < Duration::from_secs(8), "{name}: {:?}", begin.elapsed());
        }
        // a rule that never matches is found quickly, and a title of a megabyte does no harm
        let begin = Instant::now();
        let never = calendar(&[&format!("{start}\nRRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30")]);
        assert_eq!(put_text(cluster, WORK, &never).await.expect(201).json["busy_periods"], 0);
        assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
        let long = calendar(&[&format!("UID:1\nSUMMARY:{}\nDTSTART:20200101T000000Z", "x".repeat(1 << 20))]);
        put_text(cluster, WORK, &long).await.expect(200);
        let large = format!("{}{}", calendar(&[]), "X-A:b\n".repeat(2_000_000));
        put_text(cluster, WORK, &large).await.expect_problem("413 too-large", WORK, "large");
        assert_eq!(free(cluster).await, ["0 00:00-2 00:00"]);
    }

    async fn a_calendar_has_a_user_a_name_and_a_kind(cluster) {
        let absent = "/api/users/nobody@example.com/calendars";
        put_text(cluster, &format!("{absent}/work"), &calendar(&[])).await.expect_problem("404 unknown-user", &format!("{absent}/work"), "put");
        cluster.get(absent).await.expect_problem("404 unknown-user", absent, "list");
        two_people(cluster, "UTC").await;
        assert_eq!(cluster.get(ALL).await.expect(200).json, json!({ "calendars": [] }));
        cluster.get(WORK).await.expect_problem("404 unknown-calendar", WORK, "get");
        for name in ["-a", "a%20b", "a~b", &"a".repeat(65)] {
            let path = format!("{ALL}/{name}");
            assert_eq!(put_text(cluster, &path, &calendar(&[])).await.pointers(), ["#/name"], "{name}");
        }
        for kind in ["text/plain", "application/xml", ""] {
            let reply = cluster.send(Method::PUT, WORK, &[("content-type", kind)], Some(calendar(&[]).into())).await;
            reply.expect_problem("415 unsupported-media", WORK, kind);
        }
        for body in [json!({}), json!({ "url": 1 }), json!({ "url": "https://a.example/x", "name": "b" })] {
            cluster.put(WORK, body.clone()).await.expect_problem("422 validation", WORK, &body.to_string());
        }
        for number in 0..20 {
            put_text(cluster, &format!("{ALL}/c{number}"), &calendar(&[])).await.expect(201);
        }
        let refused = put_text(cluster, WORK, &calendar(&[])).await;
        assert_eq!(refused.json["errors"][0]["code"], "too_many_calendars");
        put_text(cluster, &format!("{ALL}/c7"), &calendar(&[])).await.expect(200);
        assert_eq!(cluster.get(ALL).await.expect(200).json["calendars"].as_array().map(Vec::len), Some(20));
    }

    async fn calendars_are_deleted_with_their_user(cluster) {
        two_people(cluster, "UTC").await;
        let day = compact(next_monday());
        put_text(cluster, WORK, &calendar(&[&format!("UID:1\nDTSTART:{day}T000000Z\nDURATION:PT47H")])).await.expect(201);
        assert_eq!(free(cluster).await, ["1 23:00-2 00:00"]);
        for email in [ANA, BEN] {
            cluster.delete(&format!("/api/users/{email}")).await.expect(204);
        }
        two_people(cluster, "UTC").await;
        assert_eq!(cluster.get(ALL).await.expect(200).json, json!({ "calendars": [] }));
        assert_eq!(free(cluster).await, ["0 00:00-2 00:00"]);
    }

    async fn an_imported_copy_of_a_meeting_does_not_block_the_meeting(cluster) {
        two_people(cluster, "UTC").await;
        let meeting = create_meeting(cluster, json!({})).await;
        wait_for_status(cluster, &meeting, &["invited"]).await;
        let invitation = cluster.get(&format!("{}/invite.ics", meeting_path(&meeting))).await.expect(200).text;
        let busy = free(cluster).await;
        let imported = put_text(cluster, WORK, &invitation).await.expect(201).json;
        assert_eq!(imported["busy_periods"], 0);
        assert_eq!(free(cluster).await, busy, "it is counted once");
        // a meeting of another installation is like any other event
        let other = invitation.replace(".w2meet", ".another");
        assert_eq!(put_text(cluster, WORK, &other).await.expect(200).json["busy_periods"], 1);
        put_text(cluster, WORK, &invitation).await.expect(200);
        // cancelled, it holds nothing, whatever the calendar still says
        cluster.delete(&meeting_path(&meeting)).await.expect(204);
        assert_eq!(free(cluster).await, ["0 00:00-2 00:00"]);
    }
}

both_shapes! {
    async fn old_and_windows_names_of_zones_and_clients_forms_of_hours_and_weeks_are_read(cluster) {
        let user = json!({
            "name": "Ana", "email": ANA, "time_zone": "Asia/Calcutta",
            "availability": { "monday": ["9:00-17:00"], "sunday": ["22:00-02:00"] },
        });
        cluster.register(BEN, json!({ "monday": ["09:00-17:00"] })).await;
        let made = cluster.post("/api/users", user).await.expect(201).json;
        assert_eq!(made["time_zone"], "Asia/Calcutta");
        assert_eq!(made["availability"]["monday"], json!(["00:00-02:00", "09:00-17:00"]));
        assert_eq!(made["availability"]["sunday"], json!(["22:00-24:00"]));
        // a week on the clock of the same zone, by its new name
        let week = "BEGIN:VCALENDAR\nBEGIN:VAVAILABILITY\nBEGIN:AVAILABLE\nDTSTART;TZID=Asia/Kolkata:20211021T090000\n\
            DTEND;TZID=Asia/Kolkata:20211021T170000\nRRULE:FREQ=WEEKLY;BYDAY=MO\nEND:AVAILABLE\nEND:VAVAILABILITY\nEND:VCALENDAR\n";
        let path = "/api/users/ana@example.com/availability";
        put_text(cluster, path, week).await.expect(200);
        let stored = cluster.get(path).await.expect(200).text;
        assert!(stored.contains("\"monday\":[\"09:00-17:00\"]"), "{stored}");
        let patched = cluster.patch("/api/users/ana@example.com", json!({ "time_zone": "Eastern Standard Time" })).await;
        assert_eq!(patched.expect(200).json["time_zone"], "America/New_York");
        let asked = format!("/api/availability?attendee={ANA}&attendee={BEN}&week=2026-w50&time_zone=W.%20Europe%20Standard%20Time");
        assert_eq!(cluster.get(&asked).await.expect(200).json["time_zone"], "Europe/Berlin");
    }
}

#[actix_web::test]
async fn the_expanded_horizon_of_a_calendar_advances_with_time() {
    let space = Sandbox::new();
    let with = |days: &str| {
        let mut env = space.env();
        env.push(("W2MEET_CALENDARS__HORIZON_DAYS".to_owned(), days.to_owned()));
        Node::start("all", &env)
    };
    let months = |entry: &Value| -> i64 {
        let until: jiff::Timestamp = entry["known_until"].as_str().and_then(|at| at.parse().ok()).expect("an instant");
        until.duration_since(jiff::Timestamp::now()).as_hours() / 24 / 30
    };
    let node = with("62");
    let client = node.client("gateway");
    client.post("/api/users", json!({ "email": ANA, "name": "Ana" })).await.expect(201);
    let daily = calendar(&["UID:1\nDTSTART:20200101T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY"]);
    let headers = [("content-type", "text/calendar")];
    let first = client.send(Method::PUT, WORK, &headers, Some(daily.into())).await.expect(201).json;
    assert!((2..=3).contains(&months(&first)), "{first}");
    node.signal("TERM");
    node.wait();
    // as if a year and a half had passed
    let node = with("700");
    let client = node.client("gateway");
    let later = eventually("later months are worked out", async || {
        let entry = client.get(WORK).await.expect(200).json;
        (months(&entry) >= 22).then_some(entry)
    })
    .await;
    assert!(later["busy_periods"].as_i64() > Some(700) && later["error"].is_null(), "{later}");
    assert_eq!(later["refreshed_at"], first["refreshed_at"]);
}
