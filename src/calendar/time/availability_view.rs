//! A week as a string of digits, one for each hour or quarter, as `availabilityView` of Microsoft Graph's getSchedule.

use super::fault::{Fault, truncate_for_message};
use super::week::{QUARTERS_PER_WEEK, Week};

/// Hours in a week.
const HOURS: usize = QUARTERS_PER_WEEK / 4;

/// The digits, Monday 00:00 first, each of `quarters` quarters (4 or 1): `0` if all of it is free, `1` if all of
/// it is free or possible if needed, else `2`.
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

/// Reads 168 digits, one for each hour, or 672, one for each quarter. As in Graph, `0` (free) and `4` (working elsewhere) are free;
/// `1` (tentative), `2` (busy) and `3` (out of office) are not.
///
/// # Errors
/// A fault of the whole text.
pub fn parse_digits(text: &str) -> Result<Week, Fault> {
    let length = text.chars().count();
    let quarters = match length {
        HOURS => 4,
        QUARTERS_PER_WEEK => 1,
        _ => {
            let detail = format!(
                "{:?} has {length} characters: a view has 168 digits, or 672 of quarters",
                truncate_for_message(text)
            );
            return Err(Fault::new("", "not_a_view", detail));
        }
    };
    let mut week = Week::EMPTY;
    for (index, digit) in text.chars().enumerate() {
        match digit {
            '0' | '4' => week.insert(quarters * index..quarters * (index + 1)),
            '1'..='3' => {}
            other => {
                let detail = format!("{other:?} at {index} is not a digit 0 to 4: write 0 for free and 2 for busy");
                return Err(Fault::new("", "not_a_view", detail));
            }
        }
    }
    Ok(week)
}

#[cfg(test)]
mod tests {
    use super::{Week, digits, parse_digits};

    #[test]
    fn an_hour_counts_as_its_worst_quarter() {
        let (mut free, mut if_needed) = (Week::EMPTY, Week::EMPTY);
        free.insert(36..43);
        if_needed.insert(43..48);
        if_needed.insert(670..672);
        let hours = digits(&free, &if_needed, 4);
        assert_eq!((hours.len(), &hours[8..13], &hours[167..]), (168, "20112", "2"));
        let quarters = digits(&free, &if_needed, 1);
        assert_eq!((quarters.len(), &quarters[35..49], &quarters[669..]), (672, "20000000111112", "211"));
        assert_eq!(parse_digits(&quarters), Ok(free));
    }

    #[test]
    fn digits_are_read_as_graph_means_them() {
        let read = |digits: &str| parse_digits(&format!("{digits:2<168}")).map(|week| week.count());
        assert_eq!(read("01234"), Ok(8));
        assert_eq!(parse_digits(&"0".repeat(672)).map(|week| week.count()), Ok(672));
        let message = |text: &str| parse_digits(text).err().map(|fault| fault.detail).unwrap_or_default();
        assert_eq!(message("012"), "\"012\" has 3 characters: a view has 168 digits, or 672 of quarters");
        assert_eq!(
            message(&format!("{:2<168}", "00x")),
            "'x' at 2 is not a digit 0 to 4: write 0 for free and 2 for busy"
        );
        assert!(message(&"٠".repeat(168)).starts_with("'٠' at 0"));
    }
}
