//! Work that is looked at only when something has happened to it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;
use pin_project_lite::pin_project;

pin_project! {
    /// The HTTP library polls a handler twice before it waits; the second time, all that a request goes through would be asked in vain.
    pub struct Woken<F> {
        #[pin]
        work: F,
        bell: Arc<Bell>,
        waker: Waker,
    }
}

struct Bell {
    rung: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake();
    }
}

impl<F> Woken<F> {
    /// The first time it is looked at in any case.
    pub fn new(work: F) -> Woken<F> {
        let bell = Arc::new(Bell { rung: AtomicBool::new(true), task: AtomicWaker::new() });
        Woken { work, waker: Waker::from(Arc::clone(&bell)), bell }
    }
}

impl<F: Future> Future for Woken<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        // before the bell is looked at: whoever rings it meanwhile wakes this task
        this.bell.task.register(cx.waker());
        match this.bell.rung.swap(false, Ordering::Acquire) {
            true => this.work.poll(&mut Context::from_waker(this.waker)),
            false => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use futures_util::future::{join, poll_fn};
    use tokio::sync::oneshot;

    use super::Woken;

    #[test]
    fn work_is_polled_once_and_again_only_when_it_is_woken() {
        let (polled, mine) = (Cell::new(0), Cell::new(None));
        let mut work = pin!(Woken::new(poll_fn(|cx| {
            polled.set(polled.get() + 1);
            mine.set(Some(cx.waker().clone()));
            if polled.get() < 2 { Poll::Pending } else { Poll::Ready(()) }
        })));
        let mut poll = || work.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!([poll(), poll(), poll()], [Poll::Pending; 3]);
        assert_eq!(polled.get(), 1);
        mine.take().iter().for_each(Waker::wake_by_ref);
        assert_eq!((poll(), polled.get()), (Poll::Ready(()), 2));
    }

    #[tokio::test]
    async fn whoever_waits_for_it_is_woken() {
        let (tell, told) = oneshot::channel();
        let (told, _) = join(Woken::new(told), async { tell.send(7) }).await;
        assert_eq!(told, Ok(7));
    }
}
