//! The seven days of a week, Monday first.

use serde::{Deserialize, Serialize};

/// A day of the week; in JSON its lower-case English name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Day {
    /// All days, in order.
    pub const ALL: [Day; 7] =
        [Day::Monday, Day::Tuesday, Day::Wednesday, Day::Thursday, Day::Friday, Day::Saturday, Day::Sunday];

    /// The lower-case English name, as JSON has it.
    pub const fn name(self) -> &'static str {
        match self {
            Day::Monday => "monday",
            Day::Tuesday => "tuesday",
            Day::Wednesday => "wednesday",
            Day::Thursday => "thursday",
            Day::Friday => "friday",
            Day::Saturday => "saturday",
            Day::Sunday => "sunday",
        }
    }

    /// Reads a full English name in any case; `None` for everything else.
    pub fn parse(text: &str) -> Option<Day> {
        Day::ALL.into_iter().find(|day| day.name().eq_ignore_ascii_case(text))
    }

    /// 0 for Monday to 6 for Sunday.
    pub const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::Day;

    #[test]
    fn a_day_is_read_in_any_case_but_only_in_full() {
        assert_eq!(Day::parse("WednesDay"), Some(Day::Wednesday));
        assert_eq!(Day::parse("wed"), None);
        assert_eq!(Day::parse(" monday"), None);
        assert_eq!(Day::parse(""), None);
    }

    #[test]
    fn index_order_and_json_name_agree() {
        for (index, day) in Day::ALL.into_iter().enumerate() {
            assert_eq!(day.index(), index);
            assert_eq!(serde_json::json!(day), day.name());
        }
        assert!(Day::ALL.is_sorted());
    }
}
