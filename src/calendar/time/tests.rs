//! Windows on days whose clocks jump, and typical weeks in other zones.

use std::error::Error;

use jiff::civil::{Date, date};

use super::{Day, SearchWindow, Zone};

type Tested = Result<(), Box<dyn Error>>;

fn window(zone: &str, date: Date) -> Result<SearchWindow, Box<dyn Error>> {
    Ok(SearchWindow::dates(Zone::parse(zone)?, date, date)?)
}

#[test]
fn a_busy_period_overlaps_every_quarter_that_it_has_a_part_in() -> Tested {
    let window = window("UTC", date(2026, 1, 1))?;
    let overlapping = |start: &str, end: &str| -> Result<_, jiff::Error> {
        Ok(window.quarters_overlapping(start.parse()?, end.parse()?))
    };
    assert_eq!(overlapping("2026-01-01T00:14:59Z", "2026-01-01T00:30:00Z")?, 0..2);
    assert_eq!(overlapping("2026-01-01T00:15:00Z", "2026-01-01T00:30:00.1Z")?, 1..3);
    assert_eq!(overlapping("2025-01-01T00:00:00Z", "2027-01-01T00:00:00Z")?, 0..96);
    assert!(overlapping("2026-01-02T00:00:00Z", "2026-01-02T01:00:00Z")?.is_empty());
    assert!(overlapping("2026-01-01T03:00:00Z", "2026-01-01T02:00:00Z")?.is_empty());
    Ok(())
}

#[test]
fn hours_are_those_the_wall_clock_shows() -> Tested {
    let typical = SearchWindow::typical_week(None, date(2026, 1, 1)).hours();
    assert_eq!(typical.len(), 168);
    assert_eq!(typical[167], 668..672);
    let paris = window("Europe/Paris", date(2026, 10, 25))?;
    assert_eq!(paris.hours().len(), 25);
    // 02:00 jumps back to 01:30: the second half of that hour comes twice.
    let howe = window("Australia/Lord_Howe", date(2026, 4, 5))?;
    assert_eq!(howe.hours()[..4], [0..4, 4..8, 8..10, 10..14]);
    let starts: Vec<_> = howe.steps(4).iter().take(4).collect();
    assert_eq!(starts, [0, 4, 10, 14], "slots start on steps of the wall clock");
    assert_eq!(howe.steps(1).count(), howe.len());
    Ok(())
}

#[test]
fn a_quarter_has_the_offset_of_its_own_instant() -> Tested {
    let paris = window("Europe/Paris", date(2026, 3, 29))?;
    assert_eq!(paris.format_quarter(7), "2026-03-29T01:45:00+01:00");
    assert_eq!(paris.format_quarter(8), "2026-03-29T03:00:00+02:00");
    assert_eq!(paris.format_quarter(paris.len()), "2026-03-30T00:00:00+02:00");
    assert_eq!(paris.instant(8).to_string(), "2026-03-29T01:00:00Z");
    assert_eq!(window("UTC", date(2199, 12, 31))?.format_quarter(96), "2200-01-01T00:00:00+00:00");
    Ok(())
}

#[test]
fn an_offset_with_seconds_is_rounded_and_the_instant_kept() -> Tested {
    let monrovia = window("Africa/Monrovia", date(1972, 1, 1))?;
    assert_eq!(monrovia.instant(0).to_string(), "1972-01-01T00:44:30Z");
    assert_eq!(monrovia.format_quarter(0), "1972-01-01T00:00:30-00:44");
    Ok(())
}

#[test]
fn quarters_of_a_typical_week_are_days_and_times() -> Tested {
    let week = SearchWindow::typical_week(Some(Zone::parse("Asia/Tokyo")?), date(2026, 1, 1));
    assert_eq!((week.len(), week.has_dates()), (672, false));
    assert_eq!(week.day_and_time(0, false), (Day::Monday, "00:00".into()));
    assert_eq!(week.day_and_time(96, true), (Day::Monday, "24:00".into()));
    assert_eq!(week.day_and_time(672, true), (Day::Sunday, "24:00".into()));
    assert_eq!(week.format_quarter(38 + 96), "tuesday 09:30");
    Ok(())
}

#[test]
fn a_typical_week_is_circular_in_other_zones() -> Tested {
    let week = SearchWindow::typical_week(Some(Zone::parse("Europe/Paris")?), date(2026, 1, 15));
    let tokyo = Zone::parse("Asia/Tokyo")?;
    assert_eq!(week.day_and_time_in(&tokyo, 36, false), (Day::Monday, "17:00".to_owned()));
    assert_eq!(week.day_and_time_in(&tokyo, 64, true), (Day::Monday, "24:00".to_owned()));
    assert_eq!(week.day_and_time_in(&tokyo, 64, false), (Day::Tuesday, "00:00".to_owned()));
    assert_eq!(week.day_and_time_in(&tokyo, 671, false), (Day::Monday, "07:45".to_owned()));
    let new_york = Zone::parse("America/New_York")?;
    assert_eq!(week.day_and_time_in(&new_york, 0, false), (Day::Sunday, "18:00".to_owned()));
    let floating = SearchWindow::typical_week(None, date(2026, 1, 15));
    assert_eq!(floating.day_and_time_in(&tokyo, 36, false), (Day::Monday, "09:00".to_owned()));
    Ok(())
}
