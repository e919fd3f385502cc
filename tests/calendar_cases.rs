//! Calendars as programs write them, against the standard or beyond it: `calendars/cases` and its right answers. One odd line never
//! costs the whole calendar.

use jiff::Timestamp;
use jiff::civil::date;
use w2meet::calendar::Zone;
use w2meet::calendar::icalendar::{
    CalendarReading, DateRange, IcsError, Period, ZoneRules, merge_periods, read_busy_periods,
};

use super::calendar_files::second;

/// Reads a calendar of an owner in this zone, from December 2026 to July 2027.
pub fn read(text: &str, zone: &str) -> Result<CalendarReading, IcsError> {
    let range = DateRange { from: second("2026-12-01T00:00"), to: second("2027-08-01T00:00") };
    let zone = Zone::parse(zone).expect("a zone");
    read_busy_periods(text, "owner@example.com", "w2meet", &zone, range)
}

/// The busy periods in UTC: `MM-DD HH:MM/HH:MM`, with the day of the end if it is another.
pub fn busy(reading: CalendarReading, zone: &str) -> String {
    let home = ZoneRules::of_zone(&Zone::parse(zone).expect("a zone"));
    let floating = reading.busy.floating.iter().map(|span| (home.instant(span.start), home.instant(span.end)));
    let floating = floating.map(|(start, end)| Period { start, end });
    let at =
        |second: i64, format: &str| Timestamp::from_second(second).expect("an instant").strftime(format).to_string();
    let shown = |span: Period| {
        let start = at(span.start, "%m-%d %H:%M");
        let is_same_day = start[..5] == at(span.end, "%m-%d");
        format!("{start}/{}", at(span.end, if is_same_day { "%H:%M" } else { "%m-%d %H:%M" }))
    };
    let all = merge_periods(reading.busy.fixed.into_iter().chain(floating).collect());
    all.into_iter().map(shown).collect::<Vec<_>>().join(", ")
}

/// Events of a calendar, each of them lines, and one that is right: on 12 December at ten.
fn calendar(events: &[&str]) -> String {
    let good = "UID:good\nDTSTART:20261212T100000Z\nDTEND:20261212T110000Z";
    let events = events.iter().chain([&good]).map(|lines| format!("BEGIN:VEVENT\n{lines}\nEND:VEVENT\n"));
    format!("BEGIN:VCALENDAR\nVERSION:2.0\n{}END:VCALENDAR\n", events.collect::<String>())
}

/// What an event of an owner in Berlin adds to the calendar, and the number of warnings.
pub fn added(lines: &str) -> (String, usize) {
    let reading = read(&calendar(&[lines]), "Europe/Berlin").expect("a calendar");
    let warnings = reading.warnings.len();
    let all = busy(reading, "Europe/Berlin");
    let (before, after) =
        all.split_once("12-12 10:00/11:00").unwrap_or_else(|| panic!("the good event is lost: {all}"));
    (format!("{before}{after}").replace(", , ", ", ").trim_matches([',', ' ']).to_owned(), warnings)
}

#[test]
fn every_case_is_read_as_it_is_meant() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/calendars/cases");
    let answers = include_str!("calendars/cases/answers.txt").lines().filter(|line| !line.starts_with('#'));
    let mut wrong = Vec::new();
    for line in answers {
        let [name, zone, expected] = line.split(" | ").collect::<Vec<_>>().try_into().expect("three columns");
        let text = std::fs::read_to_string(folder.join(format!("{name}.ics"))).expect("a calendar");
        let found = read(&text, zone).map_or_else(|why| why.to_string(), |reading| busy(reading, zone));
        if found != expected {
            wrong.push(format!("{name}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_zone_that_nothing_describes_is_read_by_its_name_or_on_the_clock_of_the_calendar() {
    for (zone, expected) in [
        ("Customized Time Zone", "07-10 12:00/13:00"),
        ("tzone://Microsoft/Custom", "07-10 12:00/13:00"),
        ("GMT+0500", "07-10 09:00/10:00"),
        ("UTC-05:30", "07-10 19:30/20:30"),
        ("\"(UTC-05:00) Eastern Time (US & Canada)\"", "07-10 18:00/19:00"),
        ("\"(GMT+01.00) Amsterdam / Berlin / Rome\"", "07-10 12:00/13:00"),
        ("Office Tokyo", "07-10 05:00/06:00"),
        ("US-Eastern", "07-10 18:00/19:00"),
        ("Coordinated Universal Time", "07-10 14:00/15:00"),
        ("Z", "07-10 14:00/15:00"),
        ("PST", "07-10 21:00/22:00"),
        ("IST", "07-10 08:30/09:30"),
        ("CEST", "07-10 12:00/13:00"),
        // The database has these two, without summer time.
        ("EST", "07-10 19:00/20:00"),
        ("MST", "07-10 21:00/22:00"),
    ] {
        let event = format!("DTSTART;TZID={zone}:20270710T140000\nDTEND;TZID={zone}:20270710T150000");
        assert_eq!(added(&event), (expected.to_owned(), 1), "{zone}");
    }
    let event = "DTSTART;TZID=Mine:20261210T140000\nDTEND;TZID=Mine:20261210T150000";
    let zurich = calendar(&[event]).replace("VERSION:2.0", "X-WR-TIMEZONE:America/New_York");
    let reading = read(&zurich, "Europe/Berlin").expect("a calendar");
    assert_eq!((reading.warnings[0].line, reading.warnings[0].component.as_str()), (4, "VEVENT"));
    assert_eq!(busy(reading, "Europe/Berlin"), "12-10 19:00/20:00, 12-12 10:00/11:00");
    let known = "DTSTART;TZID=CET:20270710T140000\nDTEND;TZID=\"Europe/Berlin\":20270710T150000";
    assert_eq!(added(known), ("07-10 12:00/13:00".to_owned(), 0));
}

#[test]
fn the_zone_of_a_calendar_is_read_like_that_of_an_event() {
    let office = "BEGIN:VTIMEZONE\nTZID:Office\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0500\nTZOFFSETTO:+0500\nEND:STANDARD\nEND:VTIMEZONE";
    for (zone, expected, warnings) in [
        ("America/New_York", "19:00/20:00", 0),
        ("\"America/New_York\"", "19:00/20:00", 0),
        ("'America/New_York'", "19:00/20:00", 0),
        ("Office", "09:00/10:00", 0),
        ("\"OFFICE\"", "09:00/10:00", 0),
        ("US-Eastern", "19:00/20:00", 1),
        ("Narnia", "13:00/14:00", 1),
        ("", "13:00/14:00", 0),
    ] {
        let events = calendar(&["DTSTART:20261210T140000\nDURATION:PT1H", "DTSTART:20261210T140000\nDURATION:PT1M"]);
        let text = events.replace("VERSION:2.0", &format!("X-WR-TIMEZONE:{zone}\n{office}"));
        let reading = read(&text, "Europe/Berlin").expect("a calendar");
        let warned: Vec<_> = reading.warnings.iter().map(|one| (one.line, one.component.clone())).collect();
        assert_eq!(warned, vec![(2, "VCALENDAR".to_owned()); warnings], "{zone}");
        assert_eq!(busy(reading, "Europe/Berlin"), format!("12-10 {expected}, 12-12 10:00/11:00"), "{zone}");
    }
}

#[test]
fn the_last_warning_says_how_many_are_not_listed() {
    for (count, last) in [(51, "1 more warning is not listed"), (70, "20 more warnings are not listed")] {
        let reading = read(&calendar(&vec!["DTSTART:soon"; count]), "UTC").expect("a calendar");
        assert_eq!(reading.warnings.len(), 51);
        let shown = reading.warnings.last().map(|one| (one.line, one.component.as_str(), one.detail.as_str()));
        assert_eq!(shown, Some((1, "VCALENDAR", last)));
    }
    assert_eq!(read(&calendar(&vec!["DTSTART:soon"; 50]), "UTC").expect("a calendar").warnings.len(), 50);
}

#[test]
fn a_vtimezone_with_defects_still_counts() {
    let with = |name: &str, rules: &str| {
        let zone = format!("BEGIN:VTIMEZONE\nTZID:{name}\n{rules}\nEND:VTIMEZONE\nBEGIN:VEVENT");
        let event = "DTSTART;TZID=\"My Office, Room\":20261210T140000\nDURATION:PT1H";
        let text = calendar(&[event]).replacen("BEGIN:VEVENT", &zone, 1);
        let reading = read(&text, "Europe/Berlin").expect("a calendar");
        (reading.warnings.len(), busy(reading, "Europe/Berlin"))
    };
    let standard = |lines: &str| format!("BEGIN:STANDARD\n{lines}\nEND:STANDARD");
    let east = "12-10 04:00/05:00, 12-12 10:00/11:00".to_owned();
    for (name, lines, warnings) in [
        ("My Office\\, Room", "DTSTART:16010101T000000\nTZOFFSETFROM:+1000\nTZOFFSETTO:+1000", 0),
        ("my office, room", "DTSTART:16010101T000000\nTZOFFSETFROM:+10:00\nTZOFFSETTO:10", 0),
        ("My Office\\, Room", "DTSTART:16010101T000000\nTZOFFSETFROM:+1000", 1),
        ("My Office\\, Room", "TZOFFSETFROM:+1000\nTZOFFSETTO:+1000", 1),
    ] {
        assert_eq!(with(name, &standard(lines)), (warnings, east.clone()), "{lines}");
    }
    let home = "12-10 13:00/14:00, 12-12 10:00/11:00".to_owned();
    assert_eq!(with("My Office\\, Room", "COMMENT:none"), (1, home.clone()), "it is empty");
    let observance = standard("DTSTART:19700101T000000\nTZOFFSETFROM:+1000\nTZOFFSETTO:+1000");
    assert_eq!(with("My Office\\, Room", &vec![observance.as_str(); 100].join("\n")), (0, east));
    assert_eq!(with("My Office\\, Room", &vec![observance.as_str(); 101].join("\n")), (2, home), "more than 100");
}

#[test]
fn an_odd_line_costs_nothing_but_itself() {
    let good = "DTSTART:20261210T100000Z\nDTEND:20261210T110000Z";
    for (lines, warnings) in [
        (format!("DESCRIPTION:first\nsecond line\nDTSTART: to be decided\n{good}"), 1),
        (format!("{good}\nSUMMARY:a\n\tb\n<html>"), 1),
        (format!("{good}\nATTENDEE;CN=\"Joe;X=1:mailto:joe@example.com"), 0),
        (format!("{good}\nEND:VALARM"), 1),
        (format!("{good}\nBEGIN:VALARM\nTRIGGER:x"), 1),
        (format!("{good}\nDTEND:"), 0),
    ] {
        assert_eq!(added(&lines), ("12-10 10:00/11:00".to_owned(), warnings), "{lines}");
    }
}

#[test]
fn a_time_that_cannot_be_read_costs_its_event_or_its_part_alone() {
    let rule = "DTSTART:20261214T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=2";
    for (lines, expected, warnings) in [
        ("DTSTART:23.11.2026", "", 1),
        ("SUMMARY:no start", "", 1),
        ("DTSTART:20270230T100000Z\nDURATION:PT1H", "", 1),
        ("DTSTART:20261210T100000Z\nDTEND:soon", "", 1),
        ("DTSTART:20261210T100000Z\nDTEND:soon\nDURATION:PT1H", "12-10 10:00/11:00", 1),
        ("DTSTART;VALUE=DATE:20261210\nDURATION:long", "12-09 23:00/12-10 23:00", 1),
        ("DTSTART;VALUE=DATE:20261210T000000\nDTEND;VALUE=DATE:20261211T000000", "12-09 23:00/12-10 23:00", 0),
        ("DTSTART:20261210T110000Z\nDTEND:20261210T100000Z", "", 1),
        ("DTSTART:20261210T100000Z\nDTEND:", "", 1),
        ("DTSTART:20261210T100000Z\nDTEND:\nDURATION:PT1H", "12-10 10:00/11:00", 1),
        ("DTSTART;VALUE=DATE:20261210\nDTEND:", "12-09 23:00/12-10 23:00", 1),
        ("X-MICROSOFT-CDO-ALLDAYEVENT:TRUE\nDTSTART:20261210T000000Z\nDTEND:", "12-09 23:00/12-10 23:00", 1),
        ("DTSTART;VALUE=DATE:20261210\nDURATION:", "12-09 23:00/12-10 23:00", 1),
        ("DTSTART:20261210T100000Z\nDTEND:20261210T110000Z\nDURATION:", "12-10 10:00/11:00", 0),
        (&format!("{rule}\nRECURRENCE-ID:"), "12-14 10:00/11:00, 12-15 10:00/11:00", 0),
        (
            &format!("{rule}\nRDATE;VALUE=PERIOD:20261218T100000Z/20261218T100000Z"),
            "12-14 10:00/11:00, 12-15 10:00/11:00",
            1,
        ),
        (&format!("{rule}\nEXDATE:never"), "12-14 10:00/11:00, 12-15 10:00/11:00", 1),
        (&format!("{rule}\nEXDATE:,20261214T100000Z,"), "12-15 10:00/11:00", 0),
        (
            &format!("{rule}\nRDATE:nonsense,20261218T100000Z"),
            "12-14 10:00/11:00, 12-15 10:00/11:00, 12-18 10:00/11:00",
            1,
        ),
        ("DTSTART:20261214T100000Z\nDURATION:PT1H\nRRULE:FREQ=SOMETIMES", "12-14 10:00/11:00", 1),
        ("DTSTART:20261214T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;UNTIL=soon", "12-14 10:00/11:00", 1),
        (
            "DTSTART:20261214T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;BYDAY=1MO;COUNT=2",
            "12-14 10:00/11:00, 12-21 10:00/11:00",
            1,
        ),
        ("DTSTART:2026-12-10T11:00:00+01:00\nDURATION:P1H", "12-10 10:00/11:00", 0),
    ] {
        assert_eq!(added(lines), (expected.to_owned(), warnings), "{lines}");
    }
}

#[test]
fn a_start_and_an_end_of_two_kinds_are_read_on_one_clock() {
    for (lines, expected, warnings) in [
        ("DTSTART:20261210T090000\nDTEND;TZID=America/New_York:20261210T100000", "12-10 08:00/15:00", 1),
        ("DTSTART:20261210T100000\nDTEND:20261210T100000Z", "12-10 09:00/10:00", 1),
        ("DTSTART:20261210T100000\nDTEND;TZID=Asia/Tokyo:20261210T180000", "12-10 01:00/09:00", 1),
        ("DTSTART:20261210T100000\nDTEND:20261210T080000Z", "", 2),
        ("DTSTART;TZID=Asia/Tokyo:20261210T100000\nDTEND:20261210T093000", "12-10 01:00/08:30", 1),
        ("DTSTART:20261210T100000Z\nDTEND:20261210T093000", "", 1),
        ("DTSTART:20261210T090000Z\nDTEND:20261210T100000", "12-10 09:00/10:00", 0),
        ("DTSTART:20261210T090000\nDTEND:20261210T100000Z", "12-10 08:00/10:00", 1),
        ("DTSTART;VALUE=DATE:20261210\nDTEND:20261210T100000Z", "12-09 23:00/12-10 10:00", 1),
        ("DTSTART;TZID=America/New_York:20261210T090000\nDTEND;VALUE=DATE:20261211", "12-10 14:00/12-11 05:00", 1),
        ("DTSTART:20261210T230000\nDTEND;VALUE=DATE:20261211", "12-10 22:00/23:00", 1),
    ] {
        assert_eq!(added(lines), (expected.to_owned(), warnings), "{lines}");
    }
    let text = calendar(&["DTSTART:20261210T090000\nDTEND:20261210T180000Z"]);
    let reading = read(&text.replace("VERSION:2.0", "X-WR-TIMEZONE:America/Los_Angeles"), "Europe/Berlin");
    assert_eq!(busy(reading.expect("a calendar"), "UTC"), "12-10 17:00/18:00, 12-12 10:00/11:00");
}

#[test]
fn a_declined_cancelled_or_free_event_is_not_busy() {
    let event = "DTSTART:20261210T100000Z\nDTEND:20261210T110000Z";
    for line in [
        "ATTENDEE;PARTSTAT=DECLINED:mailto:owner@example.com",
        "ATTENDEE;PARTSTAT=declined:MAILTO: Owner@Example.com",
        "ATTENDEE;PARTSTAT=DECLINED:MAILTO:\n  owner@example.com",
        "ATTENDEE;PARTSTAT=DECLINED:owner@example.com",
        "ATTENDEE;PARTSTAT=DECLINED:<mailto:owner@example.com>",
        "ATTENDEE;PARTSTAT=DECLINED:mailto:owner%40example.com",
        "ATTENDEE;PARTSTAT=DECLINED;EMAIL=owner%40Example.com:urn:uuid:1",
        "ATTENDEE;CN=5\" Owner;PARTSTAT=DECLINED:mailto:owner@example.com",
        "ATTENDEE;PARTSTAT=DECLINED;EMAIL=\"owner@example.com\":urn:uuid:1",
        "STATUS:Cancelled",
        "STATUS:CANCELED",
        "X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE",
        "X-MICROSOFT-CDO-BUSYSTATUS:free",
    ] {
        assert_eq!(added(&format!("{event}\n{line}")).0, "", "{line}");
    }
    for line in ["ATTENDEE;PARTSTAT=DECLINED;EMAIL=b@example.com:/p", "X-MICROSOFT-CDO-BUSYSTATUS:OOF"] {
        assert_eq!(added(&format!("{event}\n{line}")).0, "12-10 10:00/11:00", "{line}");
    }
}

#[test]
fn an_exception_of_another_kind_names_its_day_and_a_time_without_a_zone_is_on_the_clock_of_its_series() {
    let days = "DTSTART;VALUE=DATE:20261214\nRRULE:FREQ=DAILY;COUNT=2";
    let left = "12-14 23:00/12-15 23:00";
    for line in ["20261214", "20261214T080000", "20261214T000000Z", "20261213T230000Z"] {
        assert_eq!(added(&format!("{days}\nEXDATE:{line}")), (left.to_owned(), 0), "{line}");
    }
    let hours = "DTSTART;TZID=America/New_York:20261214T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=2\nEXDATE:20261214T090000";
    assert_eq!(added(hours).0, "12-15 14:00/15:00");
    let text = calendar(&[hours]).replace("VERSION:2.0", "X-WR-TIMEZONE:Asia/Tokyo");
    assert!(!busy(read(&text, "Europe/Berlin").expect("a calendar"), "Europe/Berlin").contains("12-14"));
}

#[test]
fn only_a_replacement_of_an_older_revision_is_out_of_date() {
    let event = |sequence: u8, lines: &str| format!("UID:1\nSEQUENCE:{sequence}\nDURATION:PT1H\n{lines}");
    let series = "DTSTART:20261207T090000Z\nRRULE:FREQ=WEEKLY;COUNT=4\nEXDATE:20261221T090000Z";
    let moved = "RECURRENCE-ID:20261221T090000Z\nDTSTART:20261221T120000Z";
    for (revision, expected) in [(0, false), (1, true), (2, true)] {
        let text = calendar(&[&event(1, series), &event(revision, moved)]);
        let found = busy(read(&text, "UTC").expect("a calendar"), "UTC");
        assert_eq!(found.contains("12-21 12:00"), expected, "revision {revision}: {found}");
    }
    let cancelled = calendar(&[&event(1, &format!("{series}\nSTATUS:CANCELLED")), &event(0, moved)]);
    assert_eq!(busy(read(&cancelled, "UTC").expect("a calendar"), "UTC"), "12-12 10:00/11:00");
}

#[test]
fn thousands_of_rules_since_1604_and_of_past_events_are_read() -> Result<(), IcsError> {
    let day = |number: i32| {
        date(1604, 1, 1).saturating_add(jiff::Span::new().days(number % 366)).strftime("%m%d").to_string()
    };
    let birthdays: Vec<String> = (0..1500)
        .map(|number| format!("UID:{number}\nDTSTART;VALUE=DATE:1604{}\nRRULE:FREQ=YEARLY", day(number)))
        .collect();
    let past: Vec<String> = (0..6000)
        .map(|number| {
            format!("UID:p{number}\nDTSTART:2019{}T090000Z\nDURATION:PT1H", day(number).replace("0229", "0228"))
        })
        .collect();
    let all: Vec<&str> = birthdays.iter().chain(&past).map(String::as_str).collect();
    let reading = read(&calendar(&all), "UTC")?;
    assert_eq!((reading.busy.floating.len(), reading.warnings.len()), (1, 0), "the days touch");
    Ok(())
}

#[test]
fn an_event_that_takes_too_much_work_is_left_out_and_the_rest_counts() {
    let zone = |rule: &str| {
        let observance = format!("DTSTART:19700101T000000\nTZOFFSETFROM:+0500\nTZOFFSETTO:+0500\nRRULE:{rule}");
        format!("BEGIN:VTIMEZONE\nTZID:Office\nBEGIN:STANDARD\n{observance}\nEND:STANDARD\nEND:VTIMEZONE\nBEGIN:VEVENT")
    };
    let start = "DTSTART:20261201T000000Z\nDURATION:PT1S";
    let dates = vec!["20261210T100000Z"; 50_000].join(",");
    for lines in [
        format!("{start}\nRRULE:FREQ=SECONDLY"),
        format!("{start}\nRRULE:FREQ=MINUTELY;COUNT=60000"),
        format!("{start}\nRRULE:FREQ=DAILY;BYHOUR=0,1,2,3,4,5,6;BYMINUTE={}", "0,1,2,3,4,5,6,7,8,9"),
        format!("{start}\nRRULE:FREQ=DAILY;COUNT=2\nEXRULE:FREQ=SECONDLY"),
        format!("{start}\nRDATE:{dates}"),
        format!("{start}\nEXDATE:{dates}"),
    ] {
        let (found, warnings) = added(&lines);
        let is_taken = lines.contains("BYHOUR");
        assert_eq!((found.is_empty(), warnings), (!is_taken, usize::from(!is_taken)), "{}", &lines[..90]);
    }
    let event = "DTSTART;TZID=Office:20261210T140000\nDURATION:PT1H";
    for (rule, expected) in [("FREQ=YEARLY", "12-10 09:00/10:00"), ("FREQ=SECONDLY", "12-10 13:00/14:00")] {
        let text = calendar(&[event]).replacen("BEGIN:VEVENT", &zone(rule), 1);
        let found = busy(read(&text, "Europe/Berlin").expect("a calendar"), "Europe/Berlin");
        assert_eq!(found, format!("{expected}, 12-12 10:00/11:00"), "{rule}");
    }
}

#[test]
fn a_replacement_counts_without_its_series() {
    let series = "UID:1\nDTSTART:20261201T000000Z\nDURATION:PT1S\nRRULE:FREQ=SECONDLY";
    let moved = "UID:1\nRECURRENCE-ID:20261210T090000Z\nDTSTART:20261210T100000Z\nDURATION:PT1H";
    let found = busy(read(&calendar(&[series, moved]), "UTC").expect("a calendar"), "UTC");
    assert_eq!(found, "12-10 10:00/11:00, 12-12 10:00/11:00");
}

#[test]
fn a_calendar_that_takes_too_much_work_as_a_whole_is_refused() {
    let never = vec!["DTSTART:19700101T000000Z\nRRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"; 600];
    let refused = read(&calendar(&never), "UTC").err().map(|error| error.to_string());
    assert!(refused.is_some_and(|why| why.contains("takes too long")));
    // The work in periods without an occurrence counts, and ends when there is too much of it.
    for rule in
        ["YEARLY;BYMONTH=2;BYMONTHDAY=30", "YEARLY;BYMONTH=6;BYYEARDAY=366", "YEARLY;COUNT=9;BYWEEKNO=53;BYMONTH=6"]
    {
        let never = format!("DTSTART:20250101T090000Z\nRRULE:FREQ={rule}");
        let (few, many) = (vec![never.as_str(); 1000], vec![never.as_str(); 20_000]);
        assert!(read(&calendar(&few), "UTC").is_ok(), "{rule}");
        let refused = read(&calendar(&many), "UTC").err().map(|error| error.to_string());
        assert!(refused.is_some_and(|why| why.contains("takes too long")), "{rule}");
    }
    let cancelled = "RECURRENCE-ID:20261210T090000Z\nDTSTART:20261210T090000Z";
    let pairs = [vec!["DTSTART:20261210T090000Z\nSTATUS:CANCELLED"; 1000], vec![cancelled; 1000]].concat();
    assert!(read(&calendar(&pairs), "UTC").is_err(), "without UIDs, each event belongs to each other one");
}

/// Reading them once for each date or event would take hours.
#[test]
fn long_lines_are_not_read_again_for_each_date_or_event() {
    let (long, dates) = ("x".repeat(1 << 20), vec!["20261214T100000Z"; 40_000].join(","));
    let rule = "DTSTART:20261214T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=2";
    assert_eq!(added(&format!("{rule}\nEXDATE;X={long}:{dates}")), ("12-15 10:00/11:00".to_owned(), 0));
    let zones = format!("{rule}\nEXDATE;TZID={long}:{}", dates.replace('Z', ""));
    assert_eq!(added(&zones), ("12-15 10:00/11:00".to_owned(), 1));
    let event = "DTSTART:20261210T140000\nDURATION:PT1H";
    let many = calendar(&vec![event; 20_000]);
    let expected = "12-10 13:00/14:00, 12-12 10:00/11:00";
    let text = many.replacen("VERSION:2.0", &format!("X-WR-TIMEZONE:{long}"), 1);
    assert_eq!(busy(read(&text, "Europe/Berlin").expect("a calendar"), "Europe/Berlin"), expected);
    let text = many.replacen("VERSION:2.0", &format!("X-WR-TIMEZONE:Europe/Berlin{}", " ".repeat(1 << 20)), 1);
    assert_eq!(busy(read(&text, "Europe/Berlin").expect("a calendar"), "Europe/Berlin"), expected);
    let of_one_uid = format!("UID:1\n{event}");
    let moved = format!("{of_one_uid}\nRECURRENCE-ID;X={long}:20261210T140000");
    let text = calendar(&[vec![moved.as_str()], vec![of_one_uid.as_str(); 20_000]].concat());
    assert!(read(&text, "UTC").is_err_and(|why| why.to_string().contains("100000 occurrences")));
}
