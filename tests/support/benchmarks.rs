//! How large a soak test is, and the figures that it shows.

use std::time::Duration;

use super::servers::{env_var, print_line};

/// `W2MEET_TEST_SOAK_…`, or what takes a few seconds.
pub fn soak_size(name: &str, small: usize) -> usize {
    env_var(&format!("W2MEET_TEST_SOAK_{name}")).and_then(|text| text.parse().ok()).unwrap_or(small)
}

/// Whether times are held against what is promised: only at full size, alone on the machine.
pub fn is_full_size() -> bool {
    env_var("W2MEET_TEST_SOAK_STRICT").is_some()
}

/// How long the whole of a scenario may take.
pub fn scenario_limit() -> Duration {
    Duration::from_secs(if is_full_size() { 1800 } else { 180 })
}

/// One line of the table that `scripts/soak` prints.
pub fn print_figure(scenario: &str, what: &str) {
    print_line(&format!("FIGURE | {scenario} | {what} |"));
}

/// How long many things took.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    pub fn from_times(times: impl IntoIterator<Item = Duration>) -> Latencies {
        let mut times: Vec<Duration> = times.into_iter().collect();
        times.sort();
        Latencies(times)
    }

    /// The longest of the shortest so many of a hundred.
    pub fn percentile(&self, percent: f64) -> Duration {
        let at = (self.0.len() as f64 * percent / 100.0).ceil() as usize;
        self.0.get(at.max(1) - 1).copied().unwrap_or_default()
    }

    pub fn longest(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }

    pub fn summary(&self) -> String {
        let (half, most) = (self.percentile(50.0), self.percentile(99.0));
        format!("p50 {half:.1?}, p99 {most:.1?}, longest {:.1?}", self.longest())
    }
}
