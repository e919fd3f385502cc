//! The delay before the next connection attempt, and the log lines of an outage: one when it begins, one when it ends.

use std::time::{Duration, Instant};

use super::topology::Mismatch;
use crate::platform::refusal::remedy;

const FIRST_DELAY: Duration = Duration::from_millis(200);
const MAX_DELAY: Duration = Duration::from_secs(5);
/// After a connection that lasted this long, a failure counts as a new outage.
const STABLE_AFTER: Duration = Duration::from_secs(5);

/// The connection attempts of one connection.
pub struct ReconnectBackoff {
    connection: &'static str,
    delay: Duration,
    outage_since: Option<Instant>,
    refusal_reported: bool,
    connected_at: Option<Instant>,
}

impl ReconnectBackoff {
    /// No attempt so far. `connection` is the name in the log.
    pub fn new(connection: &'static str) -> ReconnectBackoff {
        ReconnectBackoff {
            connection,
            delay: FIRST_DELAY,
            outage_since: None,
            refusal_reported: false,
            connected_at: None,
        }
    }

    /// Records that the connection ended or failed. Returns the delay before the next attempt.
    pub fn failed(&mut self, why: &anyhow::Error) -> Duration {
        if self.connected_at.take().is_some_and(|at| at.elapsed() >= STABLE_AFTER) {
            self.delay = FIRST_DELAY;
        }
        let (connection, cause) = (self.connection, format!("{why:#}"));
        // only the operator can help: the line must appear also during an outage that was reported before
        let remedy = remedy(&cause);
        if (why.is::<Mismatch>() || remedy.is_some()) && !self.refusal_reported {
            self.refusal_reported = true;
            tracing::error!(line = connection, cause, remedy, "the broker cannot be used");
        } else if self.outage_since.is_none() {
            tracing::warn!(line = connection, cause, "the broker is unavailable; reconnecting");
        } else {
            tracing::debug!(line = connection, cause, "the broker is still unavailable");
        }
        self.outage_since.get_or_insert_with(Instant::now);
        let delay = self.delay;
        self.delay = (delay * 2).min(MAX_DELAY);
        delay.mul_f64(rand::random_range(0.5..1.0))
    }

    /// Whether the log has the outage already.
    pub fn is_outage_reported(&self) -> bool {
        self.outage_since.is_some()
    }

    /// Records that the connection is established.
    pub fn connected(&mut self) {
        self.refusal_reported = false;
        self.connected_at = Some(Instant::now());
        if let Some(since) = self.outage_since.take() {
            tracing::info!(
                line = self.connection,
                seconds = since.elapsed().as_secs(),
                "the broker is available again"
            );
        }
    }
}
