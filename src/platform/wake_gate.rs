//! A future that is polled only after it was woken.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use pin_project_lite::pin_project;

pin_project! {
    /// Polls the inner future only if it was woken. actix polls a request's future after every event on the connection, and
    /// twice before the first wait: most of those polls would be in vain.
    pub struct WakeGated<F> {
        #[pin]
        work: F,
        waker: Option<(Arc<GateWaker>, Waker)>,
    }
}

/// Records a wake-up and wakes the task.
struct GateWaker {
    is_notified: AtomicBool,
    /// The task that polls the gate.
    task: Waker,
}

impl Wake for GateWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_notified.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

impl<F> WakeGated<F> {
    /// The first poll always reaches the inner future.
    pub fn new(work: F) -> WakeGated<F> {
        WakeGated { work, waker: None }
    }
}

impl<F: Future> Future for WakeGated<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let waker = match this.waker {
            Some((gate, waker)) if gate.task.will_wake(cx.waker()) => {
                // A cheap relaxed load first: the swap is needed only if the flag is set. The waker sets the flag before it
                // wakes the task, so the next poll sees a flag that is missed here.
                if !gate.is_notified.load(Ordering::Relaxed) || !gate.is_notified.swap(false, Ordering::Acquire) {
                    return Poll::Pending;
                }
                waker
            }
            // the first poll, or a poll by another task than before
            slot => {
                let gate = Arc::new(GateWaker { is_notified: AtomicBool::new(false), task: cx.waker().clone() });
                &mut slot.insert((Arc::clone(&gate), Waker::from(gate))).1
            }
        };
        this.work.poll(&mut Context::from_waker(waker))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Poll, Wake, Waker};

    use futures_util::future::{join, poll_fn};
    use tokio::sync::oneshot;

    use super::WakeGated;

    #[test]
    fn work_is_polled_once_and_then_only_after_a_wake_up() {
        let (polled, mine) = (Cell::new(0), Cell::new(None));
        let mut work = pin!(WakeGated::new(poll_fn(|cx| {
            polled.set(polled.get() + 1);
            mine.set(Some(cx.waker().clone()));
            if polled.get() < 2 { Poll::Pending } else { Poll::Ready(()) }
        })));
        // a clone, whose clones are equal to it wherever the compiler puts the no-op functions
        let waker = Waker::noop().clone();
        let mut poll = || work.as_mut().poll(&mut Context::from_waker(&waker));
        assert_eq!([poll(), poll(), poll()], [Poll::Pending; 3]);
        assert_eq!(polled.get(), 1);
        mine.take().iter().for_each(Waker::wake_by_ref);
        assert_eq!((poll(), polled.get()), (Poll::Ready(()), 2));
    }

    /// A task that records whether it was woken.
    #[derive(Default)]
    struct Task(AtomicBool);

    impl Wake for Task {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn the_task_that_polled_last_is_notified() {
        let (before, last) = (Arc::<Task>::default(), Arc::<Task>::default());
        let (sender, receiver) = oneshot::channel();
        let mut work = pin!(WakeGated::new(receiver));
        let mut poll = |task: &Arc<Task>| work.as_mut().poll(&mut Context::from_waker(&Arc::clone(task).into()));
        assert!(poll(&before).is_pending() && poll(&last).is_pending());
        assert_eq!(sender.send(7), Ok(()));
        assert!(last.0.load(Ordering::Relaxed));
        assert_eq!(poll(&last), Poll::Ready(Ok(7)));
    }

    #[tokio::test]
    async fn a_waiting_task_is_notified() {
        let (sender, receiver) = oneshot::channel();
        let (result, _) = join(WakeGated::new(receiver), async { sender.send(7) }).await;
        assert_eq!(result, Ok(7));
    }
}
