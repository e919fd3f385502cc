//! Running SQLite's calls, which block, on tokio's blocking threads; and never letting go of one that runs.

use std::error::Error;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, channel};
use std::task::{Context, Poll};

use diesel_async::sync_connection_wrapper::SpawnBlocking;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Where a connection's calls run. diesel-async's own cannot be used: it panics when a request is given up in the middle of a
/// call, and takes the server's thread with it.
pub struct Blocking(Option<Handle>);

impl SpawnBlocking for Blocking {
    fn spawn_blocking<'a, R: Send + 'static>(
        &mut self,
        task: impl FnOnce() -> R + Send + 'static,
    ) -> BoxFuture<'a, Result<R, Box<dyn Error + Send + Sync + 'static>>> {
        let Some(handle) = &self.0 else { return ready(Ok(task())).boxed() };
        let (running, over) = channel();
        let call = handle.spawn_blocking(move || {
            // dropped after the task and all that it holds
            let _running = running;
            task()
        });
        async move { Call { call, over }.await.map_err(Box::from) }.boxed()
    }

    fn get_runtime() -> Self {
        Blocking(Handle::try_current().ok())
    }
}

/// A call under way. The connection is in its hands, so whoever gives it up waits until it gives the connection back: for as
/// long as one statement takes.
struct Call<R> {
    call: JoinHandle<R>,
    over: Receiver<()>,
}

impl<R> Future for Call<R> {
    type Output = Result<R, tokio::task::JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.call).poll(cx)
    }
}

impl<R> Drop for Call<R> {
    fn drop(&mut self) {
        if !self.call.is_finished() {
            // one that waits for a thread need not begin
            self.call.abort();
            // it never sends: this returns when its end is dropped
            let _: Result<(), _> = self.over.recv();
        }
    }
}
