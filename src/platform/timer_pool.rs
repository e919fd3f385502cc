//! Timers that are set once and used often. To set one wakes the thread's reactor, which costs more than most of what the timer is
//! to guard, and nearly none of them ever rings.

use std::cell::RefCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use futures_util::future::poll_fn;
use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that may ring early for itself, and never does so for its user.
#[derive(Debug, Default)]
pub struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Whether it is `until`; if not, the task is woken then.
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

/// Timers for one purpose, as one thread needs them one after the other. All should guard about the same length of time.
#[derive(Debug, Default)]
pub struct TimerPool(RefCell<Vec<Timer>>);

impl TimerPool {
    /// Waits for `work` until then; `None` if it has not ended.
    pub async fn limit<T>(&self, until: Instant, work: impl Future<Output = T>) -> Option<T> {
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
    async fn work_is_waited_for_until_then_and_no_longer() {
        let (timers, begin) = (TimerPool::default(), Instant::now());
        let after = |seconds| Instant::now() + Duration::from_secs(seconds);
        assert_eq!(timers.limit(after(3), ready(7)).await, Some(7));
        for (seconds, over) in [(3, 3), (5, 8), (1, 9), (2, 11)] {
            assert_eq!(timers.limit(after(seconds), pending::<()>()).await, None);
            assert_eq!(begin.elapsed().as_secs(), over, "a timer that was used before rings at its own time");
        }
        assert_eq!(timers.0.borrow().len(), 1, "one after the other use one timer");
    }
}
