//! Expands recurrence rules (RRULE, RFC 5545, 3.3.10) on the wall clock, period by period. The work is counted as it is done, also
//! that in periods without an occurrence: no library for rules can be stopped in these.

use jiff::civil::{Date, DateTime};

use super::content_line::{ContentLine, IcsError};
use super::day_filter::{DayFilter, NumberSet};
use super::expansion_limit::ExpansionLimit;
use super::recurrence_parser::{Frequency, RecurrenceRule};
use super::values::{seconds_to_wall, wall_to_seconds};
use crate::calendar::time::SECONDS_PER_DAY;

impl RecurrenceRule {
    /// The wall clocks, from `from` to `to`, of the occurrences of the rule; `start` is the first occurrence.
    ///
    /// # Errors
    /// The expansion exceeds the limit.
    pub fn expand(
        &self,
        line: &ContentLine<'_>,
        start: i64,
        from: i64,
        to: i64,
        limit: &mut ExpansionLimit,
    ) -> Result<Vec<i64>, IcsError> {
        let (from, end) = (from.max(start), self.until.map_or(to, |until| until.min(to)));
        if end < start || end < from {
            return Ok(Vec::new());
        }
        // A rule is followed from its beginning only to count its occurrences: some begin in 1604.
        let first = self.period_of(start);
        let skipped = if self.count.is_some() { 0 } else { (self.period_of(from) - first) / self.interval };
        let last = (self.period_of(end) - first) / self.interval;
        let cost = self.frequency.days().div_ceil(100);
        if self.count.is_none() {
            let periods = usize::try_from(last - skipped + 1).unwrap_or(usize::MAX);
            limit.ensure_steps(line.number, periods.saturating_mul(cost))?;
        }
        limit.count_steps(line.number, self.times_per_day())?;
        let at = seconds_to_wall(start);
        let (days, times) = (self.days.with_day_of(at.date(), self.frequency), self.times(at));
        let (mut walls, mut candidates, mut count) = (Vec::new(), Vec::new(), 0);
        for number in skipped..=last {
            candidates.clear();
            self.push_candidates(first + number * self.interval, &days, &times, &mut candidates);
            limit.count_steps(line.number, cost.max(candidates.len()))?;
            let all = candidates.len();
            let selected = candidates.iter().enumerate().filter(|(index, _)| self.has_position(*index, all));
            for wall in selected.map(|(_, wall)| *wall).filter(|wall| *wall >= start) {
                if wall > end {
                    return Ok(walls);
                }
                if wall >= from {
                    walls.push(wall);
                }
                count += 1;
                if self.count == Some(count) {
                    return Ok(walls);
                }
            }
        }
        Ok(walls)
    }

    /// The number of the period of a wall clock.
    fn period_of(&self, wall: i64) -> i64 {
        let date = || seconds_to_wall(wall).date();
        match self.frequency {
            Frequency::Secondly => wall,
            Frequency::Minutely => wall.div_euclid(60),
            Frequency::Hourly => wall.div_euclid(3600),
            Frequency::Daily => wall.div_euclid(SECONDS_PER_DAY),
            Frequency::Weekly => (wall.div_euclid(SECONDS_PER_DAY) + self.days_to_thursday()).div_euclid(7),
            Frequency::Monthly => i64::from(date().year()) * 12 + i64::from(date().month()) - 1,
            Frequency::Yearly => date().year().into(),
        }
    }

    /// The days from the beginning of the week to Thursday, on which the clock of Unix begins.
    fn days_to_thursday(&self) -> i64 {
        i64::from(3 - self.days.week_start)
    }

    /// The times of a period, from its midnight or its beginning on, in order.
    fn times(&self, start: DateTime) -> Vec<i64> {
        let of = |is_named: bool, times: Vec<i64>| if is_named { times } else { vec![0] };
        let hours = of(self.frequency > Frequency::Hourly, self.hours.numbers_or(start.hour()));
        let minutes = of(self.frequency > Frequency::Minutely, self.minutes.numbers_or(start.minute()));
        let seconds = of(self.frequency > Frequency::Secondly, self.seconds.numbers_or(start.second()));
        let minutes = hours.iter().flat_map(|hour| minutes.iter().map(move |minute| hour * 3600 + minute * 60));
        minutes.flat_map(|minute| seconds.iter().map(move |second| minute + second)).collect()
    }

    /// Adds what the rule names in a period, in order.
    fn push_candidates(&self, period: i64, days: &DayFilter, times: &[i64], candidates: &mut Vec<i64>) {
        let mut push = |midnight: i64| candidates.extend(times.iter().map(|time| midnight + time));
        let mut push_month = |year: i64, month: i8| {
            let first = i16::try_from(year).ok().and_then(|year| Date::new(year, month, 1).ok());
            let Some(first) = first.filter(|_| days.has_month(month)) else { return };
            let midnight = wall_to_seconds(first.at(0, 0, 0, 0));
            for day in 1..=first.days_in_month() {
                if Date::new(first.year(), month, day).is_ok_and(|date| days.matches(date)) {
                    push(midnight + i64::from(day - 1) * SECONDS_PER_DAY);
                }
            }
        };
        match self.frequency {
            Frequency::Yearly => (1..=12).for_each(|month| push_month(period, month)),
            Frequency::Monthly => {
                push_month(period.div_euclid(12), i8::try_from(period.rem_euclid(12) + 1).unwrap_or(1));
            }
            Frequency::Weekly | Frequency::Daily => {
                let (first, count) = match self.frequency {
                    Frequency::Weekly => (period * 7 - self.days_to_thursday(), 7),
                    _ => (period, 1),
                };
                let midnights = (first..first + count).map(|day| day * SECONDS_PER_DAY);
                midnights.filter(|midnight| days.matches(seconds_to_wall(*midnight).date())).for_each(push);
            }
            Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => {
                let start = period * self.seconds_of_period();
                let at = seconds_to_wall(start);
                let has = |set: &NumberSet, time: i8| set.is_empty() || set.contains(time.into());
                let is_named = has(&self.hours, at.hour())
                    && (self.frequency > Frequency::Minutely || has(&self.minutes, at.minute()))
                    && (self.frequency > Frequency::Secondly || has(&self.seconds, at.second()));
                if is_named && days.matches(at.date()) {
                    push(start);
                }
            }
        }
    }

    fn seconds_of_period(&self) -> i64 {
        match self.frequency {
            Frequency::Hourly => 3600,
            Frequency::Minutely => 60,
            _ => 1,
        }
    }

    /// Whether BYSETPOS selects the candidate of this index among all of a period.
    fn has_position(&self, index: usize, all: usize) -> bool {
        let number = |number: usize| i16::try_from(number).unwrap_or(i16::MAX);
        self.positions.is_empty()
            || self.positions.contains(&number(index + 1))
            || self.positions.contains(&-number(all - index))
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
        let (from, to) = (wall((2026, 1, 1)) - 10 * 3600, wall((2027, 12, 31)) + 13 * 3600);
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
        let days = expand("FREQ=YEARLY;INTERVAL=2;COUNT=7;BYWEEKNO=53", (2020, 2, 29))?;
        assert_eq!(days, ["26-12-28", "26-12-29", "26-12-30"], "2020 has four of the seven");
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

    /// The occurrences by another implementation, which reads the RFC in the same way where the rule is a standard one.
    fn expand_by_crate(rule: &str, start: (i16, i8, i8)) -> Vec<String> {
        let (year, month, day) = start;
        let text = format!("DTSTART:{year}{month:02}{day:02}T100000Z\nRRULE:{rule}");
        let set: rrule::RRuleSet = text.parse().unwrap_or_else(|why| panic!("{rule}: {why}"));
        let all = set
            .into_iter()
            .map(|date| date.format("%Y-%m-%d").to_string())
            .take_while(|date| date.as_str() <= "2027-12-31");
        all.filter(|date| date.as_str() >= "2026").map(|date| date[2..].to_owned()).collect()
    }

    #[test]
    fn rules_of_all_kinds_are_expanded_as_by_another_implementation() -> Result<(), IcsError> {
        let mut compared = 0;
        for rule in [
            "FREQ=DAILY",
            "FREQ=DAILY;BYMONTH=1,3,12",
            "FREQ=DAILY;BYMONTHDAY=1,-1,15",
            "FREQ=DAILY;BYDAY=MO,FR;BYMONTH=2",
            "FREQ=DAILY;BYHOUR=9,10,11",
            "FREQ=DAILY;BYHOUR=9,12,15;BYSETPOS=-1,2",
            "FREQ=WEEKLY",
            "FREQ=WEEKLY;BYDAY=SU,TU,SA",
            "FREQ=WEEKLY;WKST=SU;BYDAY=SU,TU,SA",
            "FREQ=WEEKLY;WKST=TH;BYDAY=WE,TH",
            "FREQ=WEEKLY;BYMONTH=12,1;BYDAY=MO,SU",
            "FREQ=MONTHLY",
            "FREQ=MONTHLY;BYMONTHDAY=31",
            "FREQ=MONTHLY;BYMONTHDAY=-1,-31,29",
            "FREQ=MONTHLY;BYDAY=1MO,-1FR,5SU",
            "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
            "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1,1,30",
            "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=29",
            "FREQ=MONTHLY;BYMONTH=6,11;BYDAY=2TU",
            "FREQ=YEARLY",
            "FREQ=YEARLY;BYMONTH=1,7",
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
            "FREQ=YEARLY;BYMONTHDAY=1,-2",
            "FREQ=YEARLY;BYYEARDAY=1,100,-1,366",
            "FREQ=YEARLY;BYDAY=20MO,-1SU",
            "FREQ=YEARLY;BYDAY=TH",
            "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU",
            "FREQ=YEARLY;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
            "FREQ=YEARLY;BYWEEKNO=1,20,52,-1;BYDAY=MO,TH",
            "FREQ=YEARLY;WKST=SU;BYWEEKNO=10,1;BYDAY=SU,MO",
            "FREQ=YEARLY;BYDAY=MO,TU;BYSETPOS=5,-5,366",
            "FREQ=HOURLY;BYHOUR=10;BYDAY=WE",
        ] {
            for interval in [1, 2, 3, 5] {
                for start in [(2020, 2, 29), (2024, 12, 30), (2026, 1, 5), (2026, 5, 31)] {
                    for count in ["", ";COUNT=7", ";UNTIL=20261231T230000Z"] {
                        let rule = format!("{rule};INTERVAL={interval}{count}");
                        assert!(expand(&rule, start)? == expand_by_crate(&rule, start), "{rule} from {start:?}");
                        compared += 1;
                    }
                }
            }
        }
        assert_eq!(compared, 32 * 48);
        Ok(())
    }

    #[test]
    fn rules_within_a_day_are_expanded_in_order() -> Result<(), IcsError> {
        for (rule, times) in [
            ("FREQ=HOURLY;INTERVAL=5;COUNT=4", "10:00:00 15:00:00 20:00:00 01:00:00"),
            ("FREQ=HOURLY;BYMINUTE=30,0;BYHOUR=11,9;COUNT=4", "11:00:00 11:30:00 09:00:00 09:30:00"),
            ("FREQ=MINUTELY;INTERVAL=90;BYSECOND=5,1;COUNT=3", "10:00:01 10:00:05 11:30:01"),
            ("FREQ=SECONDLY;INTERVAL=7200;BYMINUTE=0;COUNT=3", "10:00:00 12:00:00 14:00:00"),
            ("FREQ=DAILY;BYHOUR=23,8;BYMINUTE=15;COUNT=3", "23:15:00 08:15:00 23:15:00"),
        ] {
            let text = format!("RRULE:{rule}");
            let line = content_lines(&text).next().ok_or_else(|| IcsError::new(1, "no line"))??;
            let start = wall_to_seconds(date(2026, 1, 5).at(10, 0, 0, 0));
            let parsed = RecurrenceRule::parse(&line, &ZoneRules::utc())?;
            let walls = parsed.expand(&line, start, start, start + 9_000_000, &mut ExpansionLimit::default())?;
            let found: Vec<_> = walls.iter().map(|at| seconds_to_wall(*at).strftime("%H:%M:%S").to_string()).collect();
            assert_eq!(found.join(" "), times, "{rule}");
        }
        Ok(())
    }

    #[test]
    fn an_element_that_cannot_be_read_costs_nothing_but_itself() -> Result<(), IcsError> {
        for (odd, same, is_adjusted) in [
            ("FREQ=WEEKLY;BYDAY=TH FR", "FREQ=WEEKLY;BYDAY=TH,FR", false),
            ("FREQ=WEEKLY;BYDAY=THFR", "FREQ=WEEKLY;BYDAY=TH,FR", false),
            ("FREQ=WEEKLY;BYDAY=Thurs,Friday", "FREQ=WEEKLY;BYDAY=TH,FR", false),
            ("FREQ=MONTHLY;BYDAY=1TH -1FR", "FREQ=MONTHLY;BYDAY=1TH,-1FR", false),
            ("FREQ=WEEKLY;BYDAY=TH,XX", "FREQ=WEEKLY;BYDAY=TH", true),
            ("FREQ=WEEKLY;BYDAY=THXX,FRYY,SU", "FREQ=WEEKLY;BYDAY=SU", true),
            ("FREQ=WEEKLY;BYDAY=MONTHLY", "FREQ=WEEKLY", true),
            ("FREQ=WEEKLY;BYDAY=é,TH", "FREQ=WEEKLY;BYDAY=TH", true),
            ("FREQ=MONTHLY;BYDAY=1MOTU,TH", "FREQ=MONTHLY;BYDAY=TH", true),
            ("FREQ=WEEKLY;BYDAY=SU,TU;INTERVAL=2;WKST=Sunday", "FREQ=WEEKLY;BYDAY=SU,TU;INTERVAL=2;WKST=SU", false),
            ("FREQ=WEEKLY;BYDAY=SU,TU;INTERVAL=2;WKST=XX", "FREQ=WEEKLY;BYDAY=SU,TU;INTERVAL=2", true),
            ("FREQ=MONTHLY;BYMONTHDAY=0,32,5,x", "FREQ=MONTHLY;BYMONTHDAY=5", true),
            ("FREQ=YEARLY;BYMONTH=13,5", "FREQ=YEARLY;BYMONTH=5", true),
        ] {
            assert_eq!(expand(odd, (2026, 1, 5))?, expand(same, (2026, 1, 5))?, "{odd}");
            let text = format!("RRULE:{odd}");
            let line = content_lines(&text).next().ok_or_else(|| IcsError::new(1, "no line"))??;
            assert_eq!(RecurrenceRule::parse(&line, &ZoneRules::utc())?.is_adjusted, is_adjusted, "{odd}");
        }
        Ok(())
    }
}
