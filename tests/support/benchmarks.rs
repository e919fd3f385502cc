//! How large a soak test is, and the figures that it shows.

use std::time::Duration;

use super::servers::{say, told};

/// `W2MEET_TEST_SOAK_…`, or what takes a few seconds.
pub fn size(name: &str, small: usize) -> usize {
    told(&format!("W2MEET_TEST_SOAK_{name}")).and_then(|text| text.parse().ok()).unwrap_or(small)
}

/// Whether times are held against what is promised: only at full size, alone on the machine.
pub fn strict() -> bool {
    told("W2MEET_TEST_SOAK_STRICT").is_some()
}

/// How long the whole of a scenario may take.
pub fn long() -> Duration {
    Duration::from_secs(if strict() { 1800 } else { 180 })
}

/// One line of the table that `scripts/soak` prints.
pub fn figure(scenario: &str, what: &str) {
    say(&format!("FIGURE | {scenario} | {what} |"));
}

/// How long many things took.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    pub fn of(times: impl IntoIterator<Item = Duration>) -> Times {
        let mut times: Vec<Duration> = times.into_iter().collect();
        times.sort();
        Times(times)
    }

    /// The longest of the shortest so many of a hundred.
    pub fn percentile(&self, percent: f64) -> Duration {
        let at = (self.0.len() as f64 * percent / 100.0).ceil() as usize;
        self.0.get(at.max(1) - 1).copied().unwrap_or_default()
    }

    pub fn longest(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }

    pub fn tell(&self) -> String {
        let (half, most) = (self.percentile(50.0), self.percentile(99.0));
        format!("p50 {half:.1?}, p99 {most:.1?}, longest {:.1?}", self.longest())
    }
}
