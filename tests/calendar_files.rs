//! The calendars in the folder `calendars`, and hard cases. scripts/check-calendars compares them with another parser.

use jiff::Timestamp;
use w2meet::calendar::Zone;
use w2meet::calendar::icalendar::{BusyPeriods, DateRange, IcsError, Period, read_busy_periods, seconds_to_wall};

pub fn second(text: &str) -> i64 {
    format!("{text}:00Z").parse().map_or(0, Timestamp::as_second)
}

/// Fixed and floating periods from one date to another, as `MM-DD HH:MM HH:MM`.
fn periods(text: &str, from: &str, to: &str) -> Result<(Vec<String>, Vec<String>), IcsError> {
    let range = DateRange { from: second(&format!("{from}T00:00")), to: second(&format!("{to}T00:00")) };
    let reading = read_busy_periods(text, "owner@example.com", "w2meet", &Zone::utc(), range)?;
    let BusyPeriods { fixed, floating } = reading.busy;
    let format = |span: &Period| {
        format!(
            "{} {}",
            seconds_to_wall(span.start).strftime("%m-%d %H:%M"),
            seconds_to_wall(span.end).strftime("%H:%M")
        )
    };
    Ok((fixed.iter().map(format).collect(), floating.iter().map(format).collect()))
}

fn event(lines: &str) -> String {
    format!("BEGIN:VCALENDAR\nBEGIN:VEVENT\n{lines}\nEND:VEVENT\nEND:VCALENDAR")
}

#[test]
fn a_google_export_is_read_with_its_exceptions() -> Result<(), IcsError> {
    let text = include_str!("calendars/google.ics");
    let (fixed, floating) = periods(text, "2026-11-23", "2026-11-28")?;
    // Moved on Tuesday, cancelled on Thursday. On Friday one event is declined and one accepted.
    assert_eq!(
        fixed,
        ["11-23 08:30 08:45", "11-24 13:00 13:30", "11-25 08:30 08:45", "11-27 08:30 08:45", "11-27 16:00 16:30"]
    );
    assert_eq!(floating, [""; 0]);
    let (fixed, floating) = periods(text, "2026-12-14", "2026-12-20")?;
    assert_eq!((fixed.len(), floating), (5, vec!["12-14 00:00 00:00".to_owned()]), "five days are one period");
    assert_eq!(periods(text, "2026-12-25", "2026-12-26")?.0, [""; 0], "excepted");
    assert_eq!(
        periods(text, "2026-10-23", "2026-10-27")?.0,
        ["10-23 07:30 07:45", "10-26 08:30 08:45"],
        "clocks went back"
    );
    Ok(())
}

#[test]
fn an_outlook_export_is_read_with_its_own_zones() -> Result<(), IcsError> {
    let text = include_str!("calendars/outlook.ics");
    let (fixed, _) = periods(text, "2026-10-20", "2026-11-05")?;
    // The clocks of Denver, which the file alone describes, went back on the first of November.
    assert_eq!(
        fixed,
        ["10-20 14:00 15:00", "10-22 14:00 15:00", "11-02 23:00 00:30", "11-03 09:00 10:30", "11-03 15:00 16:00"]
    );
    let (fixed, floating) = periods(text, "2026-11-25", "2026-12-09")?;
    assert!(!fixed.iter().any(|one| one.contains("11-25 14:00")), "an event shown as free is not busy: {fixed:?}");
    assert_eq!(floating, ["12-08 00:00 00:00"]);
    Ok(())
}

#[test]
fn an_apple_export_floats_where_it_names_no_zone() -> Result<(), IcsError> {
    let text = include_str!("calendars/apple.ics");
    let without_zone = text.replace("X-WR-TIMEZONE", "X-OTHER");
    let (fixed, floating) = periods(&without_zone, "2026-10-31", "2026-12-03")?;
    // Half past midnight to half past two, but clocks went back in between: three hours.
    assert_eq!(
        fixed,
        ["11-01 07:30 10:30", "11-16 20:00 20:30", "11-18 20:00 20:30", "11-20 21:00 21:30", "11-30 00:00 01:00"]
    );
    let days: Vec<&str> = floating.iter().map(|one| &one[..5]).collect();
    assert_eq!(days, ["11-23", "11-24", "11-26", "11-27", "11-28", "11-29", "11-30", "12-01", "12-02"]);
    // The calendar's own zone places them, here Los Angeles.
    let (fixed, floating) = periods(text, "2026-11-23", "2026-11-25")?;
    assert_eq!((fixed, floating.len()), (vec!["11-23 15:00 16:00".to_owned(), "11-24 15:00 16:00".to_owned()], 0));
    Ok(())
}

#[test]
fn free_busy_counts_except_free_time() -> Result<(), IcsError> {
    let text = include_str!("calendars/freebusy.ics");
    let (fixed, _) = periods(text, "2026-11-23", "2026-11-27")?;
    assert_eq!(fixed, ["11-23 09:00 10:30", "11-24 09:00 09:30", "11-25 00:00 00:00"]);
    Ok(())
}

#[test]
fn times_in_a_gap_are_read_as_the_standard_says() -> Result<(), IcsError> {
    let place = event("DTSTART;TZID=Europe/Berlin:20260328T023000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3");
    let expected = ["03-28 01:30 02:30", "03-29 01:30 02:30", "03-30 00:30 01:30"];
    assert_eq!(periods(&place, "2026-03-28", "2026-03-31")?.0, expected);
    // The same by a VTIMEZONE of the calendar.
    let rules = "BEGIN:VTIMEZONE\nTZID:Mine\nBEGIN:DAYLIGHT\nDTSTART:19700329T020000\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\nTZOFFSETFROM:+0100\n\
        TZOFFSETTO:+0200\nEND:DAYLIGHT\nBEGIN:STANDARD\nDTSTART:19701025T030000\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\nTZOFFSETFROM:+0200\n\
        TZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE\nBEGIN:VEVENT";
    let own = place.replace("Europe/Berlin", "Mine").replace("BEGIN:VEVENT", rules);
    assert_eq!(periods(&own, "2026-03-28", "2026-03-31")?.0, expected);
    // Of a time that occurs twice, the first counts.
    let (autumn, own) = (place.replace("20260328", "20261024"), own.replace("20260328", "20261024"));
    let expected = ["10-24 00:30 01:30", "10-25 00:30 01:30", "10-26 01:30 02:30"];
    assert_eq!(periods(&autumn, "2026-10-24", "2026-10-27")?.0, expected);
    assert_eq!(periods(&own, "2026-10-24", "2026-10-27")?.0, expected);
    Ok(())
}

#[test]
fn an_exact_end_stays_exact_and_days_are_nominal() -> Result<(), IcsError> {
    // Over the night in which the clocks of Berlin go forward.
    let start = "DTSTART;TZID=Europe/Berlin:20260327T220000\nRRULE:FREQ=DAILY;COUNT=2";
    let exact = event(&format!("{start}\nDTEND;TZID=Europe/Berlin:20260328T060000"));
    assert_eq!(periods(&exact, "2026-03-27", "2026-03-30")?.0, ["03-27 21:00 05:00", "03-28 21:00 05:00"]);
    let nominal = event(&format!("{start}\nDURATION:P1D"));
    assert_eq!(
        periods(&nominal, "2026-03-27", "2026-03-30")?.0,
        ["03-27 21:00 20:00"],
        "two days that touch, the second an hour shorter"
    );
    Ok(())
}

#[test]
fn an_old_series_still_repeats() -> Result<(), IcsError> {
    let old = event("DTSTART:19700105T090000Z\nDURATION:PT30M\nRRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;WKST=SU");
    let (fixed, _) = periods(&old, "2026-11-22", "2026-12-06")?;
    assert_eq!(fixed.len(), 2, "{fixed:?}");
    let over = event("DTSTART:20200105T090000Z\nDURATION:PT30M\nRRULE:FREQ=DAILY;UNTIL=20210101T000000Z");
    assert_eq!(periods(&over, "2026-11-22", "2026-12-06")?.0, [""; 0], "a series that ended has no occurrences");
    let long = event("DTSTART:20250101T000000Z\nDTEND:20270101T000000Z");
    assert_eq!(periods(&long, "2026-11-22", "2026-11-23")?.0, ["11-22 00:00 00:00"]);
    Ok(())
}

#[test]
fn meetings_of_this_installation_are_left_out() -> Result<(), IcsError> {
    let id = "01a1b2c3-0000-7000-8000-000000000000";
    let range = DateRange { from: second("2026-11-01T00:00"), to: second("2026-12-01T00:00") };
    let periods = |uid: String| {
        let text = event(&format!("UID:{uid}\nDTSTART:20261123T090000Z\nDURATION:PT1H"));
        read_busy_periods(&text, "", "7f.w2meet", &Zone::utc(), range).map(|reading| reading.busy.fixed.len())
    };
    assert_eq!(periods(format!("{id}@7f.w2meet"))?, 0);
    assert_eq!(periods(format!("{id}@8a.w2meet"))?, 1, "another installation's");
    assert_eq!(periods("lunch@7f.w2meet".to_owned())?, 1, "no meeting's");
    Ok(())
}

#[test]
fn a_series_may_have_no_end() -> Result<(), IcsError> {
    for end in ["99991231T235959Z", "99991231", "99991230T000000Z"] {
        let weekly = event(&format!("UID:1\nDTSTART:20261103T100000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;UNTIL={end}"));
        assert_eq!(periods(&weekly, "2026-11-23", "2026-11-30")?.0, ["11-24 10:00 11:00"], "{end}");
    }
    let away = event("UID:1\nDTSTART:20261101T000000Z\nDTEND:99991231T000000Z");
    assert_eq!(periods(&away, "2026-11-24", "2026-11-25")?.0, ["11-24 00:00 00:00"]);
    Ok(())
}

#[test]
fn of_several_revisions_the_latest_counts() -> Result<(), IcsError> {
    let at = |sequence: u8, more: &str| format!("UID:1\nSEQUENCE:{sequence}\n{more}\nDURATION:PT1H");
    let both = |one: &str, two: &str| event(&format!("{one}\nEND:VEVENT\nBEGIN:VEVENT\n{two}"));
    let (old, new) = (at(0, "DTSTART:20261124T100000Z"), at(2, "DTSTART:20261124T150000Z"));
    for text in [both(&old, &new), both(&new, &old)] {
        assert_eq!(periods(&text, "2026-11-24", "2026-11-25")?.0, ["11-24 15:00 16:00"]);
    }
    let gone = at(3, "STATUS:CANCELLED\nDTSTART:20261124T100000Z");
    assert_eq!(periods(&both(&old, &gone), "2026-11-24", "2026-11-25")?.0, [""; 0]);
    Ok(())
}

#[test]
fn exrule_and_whole_days_that_end_where_they_begin_are_supported() -> Result<(), IcsError> {
    let rules = "RRULE:FREQ=DAILY;COUNT=5\nEXRULE:FREQ=DAILY;INTERVAL=2;COUNT=2";
    let text = event(&format!("UID:1\nDTSTART:20261123T100000Z\nDURATION:PT1H\n{rules}"));
    let expected = ["11-24 10:00 11:00", "11-26 10:00 11:00", "11-27 10:00 11:00"];
    assert_eq!(periods(&text, "2026-11-23", "2026-11-30")?.0, expected);
    let day = event("UID:1\nDTSTART;VALUE=DATE:20261124\nDTEND;VALUE=DATE:20261124");
    assert_eq!(periods(&day, "2026-11-23", "2026-11-30")?.1, ["11-24 00:00 00:00"]);
    Ok(())
}

#[test]
fn a_calendar_may_have_100000_occurrences() {
    let minutes = |count: usize| {
        event(&format!("UID:1\nDTSTART:20261101T000000Z\nDURATION:PT1S\nRRULE:FREQ=MINUTELY;COUNT={count}"))
    };
    let copies = |count: u8| (0..count).map(|uid| minutes(40_000).replace("UID:1", &format!("UID:{uid}")) + "\n");
    let found = |count: u8| periods(&copies(count).collect::<String>(), "2026-11-01", "2027-11-01");
    assert!(found(2).is_ok_and(|(fixed, _)| fixed.len() == 40_000));
    let refused = found(3).err().map(|error| error.what).unwrap_or_default();
    assert!(refused.contains("100000 occurrences") || refused.contains("too long"), "{refused}");
}
