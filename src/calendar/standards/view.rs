//! A week as a string of digits, one for each hour or quarter, as `availabilityView` of Microsoft Graph's getSchedule.

use serde::ser::{Serialize, Serializer};

use crate::calendar::fault::shortened;
use crate::calendar::week::QUARTERS_PER_WEEK;
use crate::calendar::{Days, Fault, Format, Week};

/// Hours in a week.
const HOURS: usize = QUARTERS_PER_WEEK / 4;

/// The digits, Monday 00:00 first, each of `quarters` quarters (4 or 1): `0` all of it is free, `1` all of it is free or
/// possible if needed, `2` neither.
pub fn digits(free: &Week, if_needed: &Week, quarters: usize) -> String {
    let step = quarters.max(1);
    let digit = |first: usize| {
        let all = |good: &dyn Fn(usize) -> bool| (first..first + step).all(good);
        match () {
            () if all(&|q| free.contains(q)) => '0',
            () if all(&|q| free.contains(q) || if_needed.contains(q)) => '1',
            () => '2',
        }
    };
    (0..QUARTERS_PER_WEEK).step_by(step).map(digit).collect()
}

/// Reads 168 digits, one for each hour, or 672, one for each quarter. As Graph has them, `0` is free and `4`, working
/// elsewhere, is too; `1` tentative, `2` busy and `3` out of office are not.
///
/// # Errors
/// What is wrong with the text as a whole.
pub fn parse(text: &str) -> Result<Week, Fault> {
    let length = text.chars().count();
    let quarters = match length {
        HOURS => 4,
        QUARTERS_PER_WEEK => 1,
        _ => {
            let detail =
                format!("{:?} has {length} characters: a view has 168 digits, or 672 of quarters", shortened(text));
            return Err(Fault::new("", "not_a_view", detail));
        }
    };
    let mut week = Week::EMPTY;
    for (index, digit) in text.chars().enumerate() {
        match digit {
            '0' | '4' => week.insert(quarters * index..quarters * (index + 1)),
            '1'..='3' => {}
            other => {
                let detail = format!("{other:?} at {index} is no digit 0 to 4: write 0 for free and 2 for busy");
                return Err(Fault::new("", "not_a_view", detail));
            }
        }
    }
    Ok(week)
}

/// When somebody is free, written in a format; a view also shows what is possible if needed.
#[derive(Clone, Copy, Debug)]
pub struct Graded<'a> {
    /// When they are free.
    pub free: &'a Week,
    /// When they could, if it must be.
    pub if_needed: &'a Week,
    /// How it is written.
    pub format: Format,
}

impl Serialize for Graded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.format.digit_quarters() {
            Some(quarters) => serializer.serialize_str(&digits(self.free, self.if_needed, quarters)),
            None => Days(self.free, self.format).serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Week, digits, parse};

    #[test]
    fn an_hour_is_as_good_as_its_worst_quarter() {
        let (mut free, mut if_needed) = (Week::EMPTY, Week::EMPTY);
        free.insert(36..43);
        if_needed.insert(43..48);
        if_needed.insert(670..672);
        let hours = digits(&free, &if_needed, 4);
        assert_eq!((hours.len(), &hours[8..13], &hours[167..]), (168, "20112", "2"));
        let quarters = digits(&free, &if_needed, 1);
        assert_eq!((quarters.len(), &quarters[35..49], &quarters[669..]), (672, "20000000111112", "211"));
        assert_eq!(parse(&quarters), Ok(free));
    }

    #[test]
    fn digits_are_read_as_graph_means_them() {
        let read = |digits: &str| parse(&format!("{digits:2<168}")).map(|week| week.count());
        assert_eq!(read("01234"), Ok(8));
        assert_eq!(parse(&"0".repeat(672)), Ok(Week::ALWAYS));
        let said = |text: &str| parse(text).err().map(|fault| fault.detail).unwrap_or_default();
        assert_eq!(said("012"), "\"012\" has 3 characters: a view has 168 digits, or 672 of quarters");
        assert_eq!(said(&format!("{:2<168}", "00x")), "'x' at 2 is no digit 0 to 4: write 0 for free and 2 for busy");
        assert!(said(&"٠".repeat(168)).starts_with("'٠' at 0"));
    }
}
