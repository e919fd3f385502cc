//! Quarters of a day as text: `09:30` is quarter 38, `24:00` is 96.

use super::week::QUARTERS_PER_DAY;

/// `HH:MM` for every quarter 0..=96.
static TEXTS: [[u8; 5]; QUARTERS_PER_DAY + 1] = texts();

const fn texts() -> [[u8; 5]; QUARTERS_PER_DAY + 1] {
    let mut texts = [*b"00:00"; QUARTERS_PER_DAY + 1];
    let mut quarter = 0;
    while quarter < texts.len() {
        let (hour, minute) = (quarter / 4, quarter % 4 * 15);
        texts[quarter][0] += (hour / 10) as u8;
        texts[quarter][1] += (hour % 10) as u8;
        texts[quarter][3] += (minute / 10) as u8;
        texts[quarter][4] += (minute % 10) as u8;
        quarter += 1;
    }
    texts
}

/// The five bytes of `HH:MM` for a quarter 0..=96 of a day; a later one counts as 96.
pub fn format_quarter(quarter: usize) -> [u8; 5] {
    TEXTS[quarter.min(QUARTERS_PER_DAY)]
}

/// Reads `HH:MM` or `H:MM`, `00:00` to `24:00`; `None` if the text does not have that shape.
pub fn parse(text: &[u8]) -> Option<Minutes> {
    let (h1, h0, m1, m0) = match *text {
        [h1, h0, b':', m1, m0] => (h1, h0, m1, m0),
        [h0, b':', m1, m0] => (b'0', h0, m1, m0),
        _ => return None,
    };
    let digit = |byte: u8| byte.is_ascii_digit().then(|| usize::from(byte - b'0'));
    let hour = digit(h1)? * 10 + digit(h0)?;
    let minute = digit(m1)? * 10 + digit(m0)?;
    Some(match hour * 60 + minute {
        total if minute < 60 && total <= 24 * 60 => Minutes::OfDay(total),
        _ => Minutes::Invalid,
    })
}

/// The value of a text of the shape `HH:MM`.
#[derive(Debug, PartialEq, Eq)]
pub enum Minutes {
    /// Minutes since midnight, 0..=1440.
    OfDay(usize),
    /// Digits in the right places, but no time of day, such as `25:00` or `09:75`.
    Invalid,
}

#[cfg(test)]
mod tests {
    use super::{Minutes, format_quarter, parse};

    #[test]
    fn quarters_are_written_as_hours_and_minutes() {
        assert_eq!(&format_quarter(0), b"00:00");
        assert_eq!(&format_quarter(39), b"09:45");
        assert_eq!(&format_quarter(96), b"24:00");
    }

    #[test]
    fn what_is_written_is_read_back() {
        for quarter in 0..=96 {
            assert_eq!(parse(&format_quarter(quarter)), Some(Minutes::OfDay(quarter * 15)));
        }
    }

    #[test]
    fn a_time_that_does_not_exist_is_not_a_wrong_shape() {
        assert_eq!(parse(b"24:15"), Some(Minutes::Invalid));
        assert_eq!(parse(b"09:60"), Some(Minutes::Invalid));
        assert_eq!(parse(b"9:30"), Some(Minutes::OfDay(9 * 60 + 30)));
        for text in [":00", "09.00", "+9:00", "0９:0", "", "09:000"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
