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
        bell: Option<(Arc<GateWaker>, Waker)>,
    }
}

/// Records a wake-up and wakes the task.
struct GateWaker {
    rung: AtomicBool,
    /// The task that polls the gate.
    task: Waker,
}

impl Wake for GateWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

impl<F> WakeGated<F> {
    /// The first poll always reaches the inner future.
    pub fn new(work: F) -> WakeGated<F> {
        WakeGated { work, bell: None }
    }
}

impl<F: Future> Future for WakeGated<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let waker = match this.bell {
            Some((bell, waker)) if bell.task.will_wake(cx.waker()) => {
                // A cheap relaxed load first: the swap is needed only if the flag is set. The waker sets the flag before it
                // wakes the task, so a
                // flag that is missed here is seen by the next poll.
                if !bell.rung.load(Ordering::Relaxed) || !bell.rung.swap(false, Ordering::Acquire) {
                    return Poll::Pending;
                }
                waker
            }
            // the first poll, or a poll by another task than before
            bell => {
                let hung = Arc::new(GateWaker { rung: AtomicBool::new(false), task: cx.waker().clone() });
                &mut bell.insert((Arc::clone(&hung), Waker::from(hung))).1
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
    fn work_is_polled_once_and_again_only_when_it_is_woken() {
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
    fn whoever_waits_last_is_woken() {
        let (before, last) = (Arc::<Task>::default(), Arc::<Task>::default());
        let (tell, told) = oneshot::channel();
        let mut work = pin!(WakeGated::new(told));
        let mut poll = |task: &Arc<Task>| work.as_mut().poll(&mut Context::from_waker(&Arc::clone(task).into()));
        assert!(poll(&before).is_pending() && poll(&last).is_pending());
        assert_eq!(tell.send(7), Ok(()));
        assert!(last.0.load(Ordering::Relaxed));
        assert_eq!(poll(&last), Poll::Ready(Ok(7)));
    }

    #[tokio::test]
    async fn whoever_waits_for_it_is_woken() {
        let (tell, told) = oneshot::channel();
        let (told, _) = join(WakeGated::new(told), async { tell.send(7) }).await;
        assert_eq!(told, Ok(7));
    }
}
