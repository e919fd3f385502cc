//! The size of a soak test, and the figures that it prints.

use std::time::Duration;

use super::servers::{env_var, print_line};

/// The value of `W2MEET_TEST_SOAK_<NAME>`, or a default that takes a few seconds.
pub fn soak_size(name: &str, small: usize) -> usize {
    env_var(&format!("W2MEET_TEST_SOAK_{name}")).and_then(|text| text.parse().ok()).unwrap_or(small)
}

/// Whether times are asserted: only at full size, alone on the machine.
pub fn is_full_size() -> bool {
    env_var("W2MEET_TEST_SOAK_STRICT").is_some()
}

/// The time limit of a scenario.
pub fn scenario_limit() -> Duration {
    Duration::from_secs(if is_full_size() { 1800 } else { 180 })
}

/// Prints one line of the table that `scripts/soak` collects.
pub fn print_figure(scenario: &str, what: &str) {
    print_line(&format!("FIGURE | {scenario} | {what} |"));
}

/// Measured durations, sorted.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<Duration>);

impl Latencies {
    pub fn from_times(times: impl IntoIterator<Item = Duration>) -> Latencies {
        let mut times: Vec<Duration> = times.into_iter().collect();
        times.sort();
        Latencies(times)
    }

    /// The duration at this percentile.
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
