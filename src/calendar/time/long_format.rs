//! Times as people read them in e-mails and on pages.

use jiff::{SignedDuration, Timestamp, Zoned};

use super::Zone;

impl Zone {
    /// A period on the wall clock, and the name of the zone: `Monday, 30 March 2026, 15:00–16:00`, `Europe/Berlin (UTC+02:00)`.
    pub fn format_period(&self, start: Timestamp, end: Timestamp) -> [String; 2] {
        let (first, last) = (self.datetime_at(start), self.datetime_at(end));
        let period = match first.date() == last.date() {
            true => format!("{}, {}–{}", date(&first), time(&first), time(&last)),
            false => format!("{}, {} – {}, {}", date(&first), time(&first), date(&last), time(&last)),
        };
        [period, self.format_place(&first, &last)]
    }

    /// The dates of a window on the wall clock, and the name of the zone. A window that begins or ends within a day on this clock is a period.
    pub fn format_dates(&self, start: Timestamp, end: Timestamp) -> [String; 2] {
        let (first, after) = (self.datetime_at(start), self.datetime_at(end));
        let last = self.datetime_at(end.saturating_sub(SignedDuration::from_secs(1)).unwrap_or(end));
        let is_midnight = |at: &Zoned| at.start_of_day().is_ok_and(|midnight| midnight == *at);
        let dates = match is_midnight(&first) && is_midnight(&after) {
            false => return self.format_period(start, end),
            true if first.date() == last.date() => date(&first),
            true => format!("{} – {}", date(&first), date(&last)),
        };
        [dates, self.format_place(&first, &last)]
    }

    /// The name of the zone, and its offset at both instants.
    fn format_place(&self, first: &Zoned, last: &Zoned) -> String {
        let offset = |at: &Zoned| at.strftime("UTC%:z").to_string();
        match (first.offset() == last.offset(), self.name()) {
            (_, "UTC") => "UTC".to_owned(),
            (true, name) => format!("{name} ({})", offset(first)),
            (false, name) => format!("{name} ({}, at the end {})", offset(first), offset(last)),
        }
    }
}

/// A length in hours and minutes: `1 hour 30 minutes`.
pub fn format_minutes(minutes: u32) -> String {
    let count = |number: u32, unit: &str| match number {
        1 => format!("1 {unit}"),
        number => format!("{number} {unit}s"),
    };
    match (minutes / 60, minutes % 60) {
        (0, minutes) => count(minutes, "minute"),
        (hours, 0) => count(hours, "hour"),
        (hours, minutes) => format!("{} {}", count(hours, "hour"), count(minutes, "minute")),
    }
}

fn date(at: &Zoned) -> String {
    at.strftime("%A, %-d %B %Y").to_string()
}

fn time(at: &Zoned) -> String {
    at.strftime("%H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::{Zone, format_minutes};

    #[test]
    fn a_length_has_hours_and_minutes() {
        let lengths = [1, 15, 60, 61, 90, 600, 1440].map(format_minutes);
        let expected =
            ["1 minute", "15 minutes", "1 hour", "1 hour 1 minute", "1 hour 30 minutes", "10 hours", "24 hours"];
        assert_eq!(lengths, expected);
    }

    #[test]
    fn dates_have_a_time_of_day_on_another_clock() -> Result<(), Box<dyn std::error::Error>> {
        let (start, end) = ("2026-03-27T23:00:00Z".parse()?, "2026-03-29T22:00:00Z".parse()?);
        let dates =
            |zone, end| Ok::<_, Box<dyn std::error::Error>>(Zone::parse(zone)?.format_dates(start, end).join(" | "));
        let berlin =
            "Saturday, 28 March 2026 – Sunday, 29 March 2026 | Europe/Berlin (UTC+01:00, at the end UTC+02:00)";
        assert_eq!(dates("Europe/Berlin", end)?, berlin);
        let one_day = "Saturday, 28 March 2026 | Europe/Berlin (UTC+01:00)";
        assert_eq!(dates("Europe/Berlin", "2026-03-28T23:00:00Z".parse()?)?, one_day);
        assert_eq!(dates("UTC", end)?, "Friday, 27 March 2026, 23:00 – Sunday, 29 March 2026, 22:00 | UTC");
        Ok(())
    }
}
