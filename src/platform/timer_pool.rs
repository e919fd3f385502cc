//! Reusable timers. Registering a timer wakes the reactor of the thread, which costs more than most calls that a timer guards,
//! and almost no timer fires.

use std::cell::RefCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use futures_util::future::poll_fn;
use tokio::time::{Instant, Sleep, sleep_until};

/// A timer whose inner sleep may fire too early; [`Timer::poll`] then re-arms it.
#[derive(Debug, Default)]
pub struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Ready at `until`; otherwise the task is woken at that time.
    pub fn poll(&mut self, cx: &mut Context<'_>, until: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if sleep.deadline() > until {
            sleep.as_mut().reset(until);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= until || Instant::now() >= until {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(until);
        }
    }
}

/// Timers for one purpose on one thread. All of them should guard about the same length of time.
#[derive(Debug, Default)]
pub struct TimerPool(RefCell<Vec<Timer>>);

impl TimerPool {
    /// Runs `work` until the deadline; `None` if it has not finished by then.
    pub async fn timeout_at<T>(&self, until: Instant, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let mut timer = None;
        let outcome = poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Some(done));
            }
            let timer = timer.get_or_insert_with(|| self.0.borrow_mut().pop().unwrap_or_default());
            timer.poll(cx, until).map(|()| None)
        })
        .await;
        self.0.borrow_mut().extend(timer);
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::time::Duration;

    use tokio::time::Instant;

    use super::TimerPool;

    #[tokio::test(start_paused = true)]
    async fn work_that_misses_its_deadline_is_dropped() {
        let (timers, begin) = (TimerPool::default(), Instant::now());
        let after = |seconds| Instant::now() + Duration::from_secs(seconds);
        assert_eq!(timers.timeout_at(after(3), ready(7)).await, Some(7));
        for (seconds, over) in [(3, 3), (5, 8), (1, 9), (2, 11)] {
            assert_eq!(timers.timeout_at(after(seconds), pending::<()>()).await, None);
            assert_eq!(begin.elapsed().as_secs(), over, "a reused timer fires at its new deadline");
        }
        assert_eq!(timers.0.borrow().len(), 1, "successive calls reuse one timer");
    }
}
