//! Expands recurrence rules (RRULE, RFC 5545, 3.3.10) on the wall clock with the `rrule` crate, within a limit.

use jiff::civil::Date;
use rrule::RRuleSet;

use super::content_line::{ContentLine, IcsError};
use super::expansion_limit::ExpansionLimit;
use super::recurrence_parser::{Length, RecurrenceRule};
use super::values::{seconds_to_wall, wall_to_seconds};
use super::writer::utc_value;
use crate::calendar::time::zone::timestamp;

impl RecurrenceRule {
    /// The wall clocks, from `from` to `to`, of the occurrences of the rule; `start` is the first occurrence.
    ///
    /// # Errors
    /// The rule is not supported, or the expansion exceeds the limit.
    pub fn expand(
        &self,
        line: &ContentLine<'_>,
        start: i64,
        from: i64,
        to: i64,
        limit: &mut ExpansionLimit,
    ) -> Result<Vec<i64>, IcsError> {
        let end = self.until.map_or(to, |until| until.min(to));
        let start = self.skip_to(start, from);
        if end < start {
            return Ok(Vec::new());
        }
        // A rule that may end by its COUNT is followed as far as the limit lets it.
        let until = end.min(start.saturating_add(self.reach(limit.steps())));
        if until < end && self.count.is_none() || until < start {
            return Err(limit.out_of_steps(line.number));
        }
        let text = &self.text;
        let set =
            format!("DTSTART:{}\nRRULE:{text};UNTIL={}", utc_value(timestamp(start)), utc_value(timestamp(until)));
        let set: RRuleSet = set.parse().map_err(|_| RecurrenceRule::unsupported(line))?;
        let all = set.all(self.count.and_then(|count| u16::try_from(count).ok()).unwrap_or(u16::MAX));
        // A rule that reached its COUNT was not followed any further.
        let last = all.dates.last().filter(|_| self.count == Some(all.dates.len())).map(|last| last.timestamp());
        if until < end && last.is_none() {
            return Err(limit.exhaust(line.number));
        }
        limit.work(line.number, self.cost(last.unwrap_or(until) - start))?;
        if all.limited && last.is_none() {
            limit.spend_all(line.number, all.dates.len())?;
            return Err(IcsError::of_component(line.number, "this rule repeats too often, or never matches a date"));
        }
        let walls: Vec<i64> = all.dates.into_iter().map(|occurrence| occurrence.timestamp()).collect();
        // The caller counts the occurrences that it uses.
        let unused = walls.partition_point(|wall| *wall < from);
        limit.spend_all(line.number, unused)?;
        Ok(walls[unused..].to_vec())
    }

    /// A later start of the same occurrences, from a period before `from` on: some rules begin in 1604.
    fn skip_to(&self, start: i64, from: i64) -> i64 {
        match self.length {
            _ if self.count.is_some() => start,
            Length::Seconds(length) => start + ((from - start) / length - 1).max(0) * length,
            Length::Years(years) => {
                let (first, target) = (seconds_to_wall(start), seconds_to_wall(from));
                let count = (i64::from(target.year()) - i64::from(first.year())) / years - 1;
                // 29 February does not exist in every year.
                let date = |count: i64| {
                    let year = i16::try_from(i64::from(first.year()) + count * years).ok()?;
                    Date::new(year, first.month(), first.day()).ok()
                };
                let date = (1..=count).rev().take(10).find_map(date);
                date.map_or(start, |date| wall_to_seconds(date.to_datetime(first.time())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ExpansionLimit, IcsError, RecurrenceRule, seconds_to_wall, wall_to_seconds};
    use crate::calendar::icalendar::content_line::{Loss, content_lines};
    use crate::calendar::icalendar::zone_rules::ZoneRules;
    use jiff::civil::date;

    /// The occurrences in the years 2026 and 2027 as `MM-DD HH`.
    fn expand(rule: &str, start: (i16, i8, i8)) -> Result<Vec<String>, IcsError> {
        let text = format!("RRULE:{rule}");
        let line = content_lines(&text).next().ok_or_else(|| IcsError::new(1, "no line"))??;
        let wall = |(year, month, day)| wall_to_seconds(date(year, month, day).at(10, 0, 0, 0));
        let rule = RecurrenceRule::parse(&line, &ZoneRules::utc())?;
        let (from, to) = (wall((2026, 1, 1)), wall((2027, 12, 31)));
        let walls = rule.expand(&line, wall(start), from, to, &mut ExpansionLimit::default())?;
        Ok(walls.into_iter().map(|at| seconds_to_wall(at).strftime("%y-%m-%d").to_string()).collect())
    }

    #[test]
    fn an_old_rule_is_expanded_from_a_late_start() -> Result<(), IcsError> {
        assert_eq!(expand("FREQ=YEARLY", (1604, 3, 5))?, ["26-03-05", "27-03-05"]);
        assert_eq!(expand("FREQ=YEARLY;INTERVAL=2", (1605, 3, 5))?, ["27-03-05"]);
        assert_eq!(expand("FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", (1604, 3, 25))?, ["26-03-29", "27-03-28"]);
        assert_eq!(expand("FREQ=MONTHLY;INTERVAL=9", (1970, 1, 31))?, ["27-01-31", "27-10-31"]);
        assert_eq!(expand("FREQ=YEARLY;INTERVAL=3;BYWEEKNO=10;BYDAY=TH", (1970, 3, 5))?, ["27-03-11"]);
        assert!(expand("FREQ=YEARLY", (1604, 2, 29))?.is_empty(), "neither year has this day");
        Ok(())
    }

    #[test]
    fn what_has_one_meaning_is_read() -> Result<(), IcsError> {
        let mondays = expand("FREQ=WEEKLY;BYDAY=MO;UNTIL=20260120T100000", (2026, 1, 5))?;
        assert_eq!(mondays, ["26-01-05", "26-01-12", "26-01-19"]);
        for same in [
            "FREQ=WEEKLY;BYDAY=1MO;COUNT=3",
            "freq = weekly; byday = mo ;count=3;",
            "RRULE:FREQ=WEEKLY;BYDAY=MO,;COUNT=3",
            "FREQ=WEEKLY;X-PART=1;BYDAY=0MO;COUNT=3;;BYMONTH=",
            "FREQ=WEEKLY;BYDAY=Monday;COUNT=3;BYSETPOS=",
            "FREQ=DAILY;BYDAY=-1MO;COUNT=3;UNTL=2",
            "FREQ=WEEKLY;INTERVAL=0;COUNT=3",
            "FREQ=WEEKLY;COUNT=3;BYSETPOS=1",
        ] {
            assert_eq!(expand(same, (2026, 1, 5))?, mondays, "{same}");
        }
        for bad in ["", "W1 MO", "FREQ=SOMETIMES", "BYDAY=MO", "FREQ=DAILY;UNTIL=soon", "FREQ=DAILY;COUNT=x"] {
            assert_eq!(expand(bad, (2026, 1, 5)).err().map(|error| error.loss), Some(Loss::Part), "{bad}");
        }
        Ok(())
    }
}
