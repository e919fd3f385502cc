//! How long to wait before the broker is tried again, and what the log says of it: once that it is away, once that it is back.

use std::time::{Duration, Instant};

use super::topology::Mismatch;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(5);
/// A connection that lasted this long was a good one: what comes then is a new outage.
const STEADY: Duration = Duration::from_secs(5);

/// What one connection has been through.
pub struct ReconnectBackoff {
    line: &'static str,
    pause: Duration,
    since: Option<Instant>,
    explained: bool,
    connected: Option<Instant>,
}

impl ReconnectBackoff {
    /// None so far. `line` names the connection in the log.
    pub fn of(line: &'static str) -> ReconnectBackoff {
        ReconnectBackoff { line, pause: FIRST, since: None, explained: false, connected: None }
    }

    /// The connection ended, or did not come about. Returns how long to wait before the next try.
    pub fn goes_on(&mut self, why: &anyhow::Error) -> Duration {
        if self.connected.take().is_some_and(|at| at.elapsed() >= STEADY) {
            self.pause = FIRST;
        }
        let (line, cause) = (self.line, format!("{why:#}"));
        // somebody has to do something: that must not drown in an outage that was reported before
        if why.is::<Mismatch>() && !self.explained {
            self.explained = true;
            tracing::error!(line, cause, "the broker cannot be used");
        } else if self.since.is_none() {
            tracing::warn!(line, cause, "the broker is away; trying again until it is back");
        } else {
            tracing::debug!(line, cause, "the broker is still away");
        }
        self.since.get_or_insert_with(Instant::now);
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST);
        pause.mul_f64(rand::random_range(0.5..1.0))
    }

    /// The connection is there.
    pub fn is_over(&mut self) {
        self.explained = false;
        self.connected = Some(Instant::now());
        if let Some(since) = self.since.take() {
            tracing::info!(line = self.line, seconds = since.elapsed().as_secs(), "the broker is back");
        }
    }
}
