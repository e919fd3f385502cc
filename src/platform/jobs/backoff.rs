//! How long a failed attempt at a job waits for the next one, and how many attempts there are.

use crate::config::Jobs as Limits;

/// The wait after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backoff {
    /// 15 s and the fourth power of the attempt in seconds (as Sidekiq and Oban do), 6 h at most; `jobs.max_attempts` attempts.
    Polynomial,
    /// The schedule of Standard Webhooks: nine waits, ten attempts.
    Webhook,
}

/// The longest wait of [`Backoff::Polynomial`], in seconds.
const MAX_DELAY: f64 = 6.0 * 3600.0;
/// The waits of [`Backoff::Webhook`], in seconds.
const WEBHOOK_DELAYS: [f64; 9] = [5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0];

impl Backoff {
    /// How many attempts a job has.
    pub fn max_attempts(self, limits: &Limits) -> i32 {
        match self {
            Backoff::Polynomial => limits.max_attempts,
            Backoff::Webhook => 10,
        }
    }

    /// Seconds to wait after this failed attempt, from 1. `retry_after`: what the recipient asked for; `slow`: whether it was too slow.
    pub(super) fn seconds(self, attempt: i32, retry_after: Option<u64>, slow: bool) -> f64 {
        match self {
            Backoff::Polynomial => (15.0 + f64::from(attempt.max(1)).powi(4)).min(MAX_DELAY),
            Backoff::Webhook => {
                let at = usize::try_from(attempt - 1).unwrap_or(0).min(WEBHOOK_DELAYS.len() - 1);
                let base = if slow { WEBHOOK_DELAYS[at].max(60.0) } else { WEBHOOK_DELAYS[at] };
                retry_after.map_or(base, |asked| (asked as f64).clamp(base, 2.0 * base))
            }
        }
    }
}
