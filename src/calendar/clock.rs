//! Quarters of a day as clock text: `09:30` is quarter 38, `24:00` is 96.

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

/// The five bytes of the clock at a quarter 0..=96 of a day; what is past it counts as 96.
pub fn bytes(quarter: usize) -> [u8; 5] {
    TEXTS[quarter.min(QUARTERS_PER_DAY)]
}

/// The minutes since midnight that `HH:MM` says, `00:00` to `24:00`; `None` if it is no such text.
pub fn minutes(text: &[u8]) -> Option<Minutes> {
    let &[h1, h0, b':', m1, m0] = text else {
        return None;
    };
    let digit = |byte: u8| byte.is_ascii_digit().then(|| usize::from(byte - b'0'));
    let hour = digit(h1)? * 10 + digit(h0)?;
    let minute = digit(m1)? * 10 + digit(m0)?;
    Some(match hour * 60 + minute {
        total if minute < 60 && total <= 24 * 60 => Minutes::OfDay(total),
        _ => Minutes::OffTheClock,
    })
}

/// What a text of the shape `HH:MM` says.
#[derive(Debug, PartialEq, Eq)]
pub enum Minutes {
    /// Minutes since midnight, 0..=1440.
    OfDay(usize),
    /// Digits in the right places, but no time of day, such as `25:00` or `09:75`.
    OffTheClock,
}

#[cfg(test)]
mod tests {
    use super::{Minutes, bytes, minutes};

    #[test]
    fn quarters_are_written_as_a_clock_shows_them() {
        assert_eq!(&bytes(0), b"00:00");
        assert_eq!(&bytes(39), b"09:45");
        assert_eq!(&bytes(96), b"24:00");
    }

    #[test]
    fn what_is_written_is_read_back() {
        for quarter in 0..=96 {
            assert_eq!(minutes(&bytes(quarter)), Some(Minutes::OfDay(quarter * 15)));
        }
    }

    #[test]
    fn off_the_clock_is_told_from_not_a_clock() {
        assert_eq!(minutes(b"24:15"), Some(Minutes::OffTheClock));
        assert_eq!(minutes(b"09:60"), Some(Minutes::OffTheClock));
        for text in ["9:00", "09.00", "+9:00", "0９:0", "", "09:000"] {
            assert_eq!(minutes(text.as_bytes()), None, "{text}");
        }
    }
}
