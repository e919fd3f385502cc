//! Writes log lines in batches, on its own thread. No line is dropped: when the reader of standard output is too slow, threads
//! that log wait.
//!
//! A channel would wake the writing thread for every line.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long lines wait for a larger batch.
const BATCH_DELAY: Duration = Duration::from_millis(5);
/// The size at which a batch is written at once.
const BATCH_BYTES: usize = 64 << 10;
/// The size of the buffer at which threads that log wait.
const MAX_BYTES: usize = 8 << 20;

/// The handle to append lines.
#[derive(Clone)]
pub struct BatchWriter(Arc<Shared>);

#[derive(Default)]
struct Shared {
    pending: Mutex<Pending>,
    added: Condvar,
    drained: Condvar,
}

#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    closed: bool,
}

/// Writes the last lines when it is dropped.
pub struct FlushGuard {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

impl BatchWriter {
    /// Starts the writing thread.
    pub fn start(out: impl Write + Send + 'static) -> (BatchWriter, FlushGuard) {
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let writer = std::thread::spawn(move || for_thread.write_to(out));
        (BatchWriter(Arc::clone(&shared)), FlushGuard { shared, writer: Some(writer) })
    }

    /// Appends whole lines.
    pub fn push(&self, lines: &[u8]) {
        let mut pending = self.0.lock();
        while pending.bytes.len() > MAX_BYTES && !pending.closed {
            pending = self.0.drained.wait(pending).unwrap_or_else(PoisonError::into_inner);
        }
        let before = pending.bytes.len();
        pending.bytes.extend_from_slice(lines);
        let after = pending.bytes.len();
        drop(pending);
        if before == 0 || before < BATCH_BYTES && after >= BATCH_BYTES {
            self.0.added.notify_one();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_to(&self, mut out: impl Write) {
        let mut bytes = Vec::new();
        loop {
            let idle = |pending: &mut Pending| pending.bytes.is_empty() && !pending.closed;
            let pending = self.added.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
            let few = |pending: &mut Pending| pending.bytes.len() < BATCH_BYTES && !pending.closed;
            let waited = self.added.wait_timeout_while(pending, BATCH_DELAY, few);
            let (mut pending, _) = waited.unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut bytes, &mut pending.bytes);
            let closed = pending.closed;
            drop(pending);
            self.drained.notify_all();
            // standard output is closed: there is no other place to report the error
            let _: std::io::Result<()> = out.write_all(&bytes).and_then(|()| out.flush());
            bytes.clear();
            if closed {
                return;
            }
        }
    }
}

impl Drop for FlushGuard {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.added.notify_one();
        if let Some(writer) = self.writer.take() {
            drop(writer.join());
        }
    }
}

/// For the text format of `tracing_subscriber`, which writes each event at once.
impl Write for BatchWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::{BatchWriter, MAX_BYTES};

    #[derive(Clone, Default)]
    struct Output(Arc<Mutex<Vec<u8>>>);

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().map(|mut output| output.extend_from_slice(bytes)).ok();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_in_the_order_of_its_thread_however_many_there_are() {
        let output = Output::default();
        let (writer, guard) = BatchWriter::start(output.clone());
        let line = |thread: usize, at: usize| format!("{thread} {at} {}\n", "x".repeat(1000));
        let each = 2 * MAX_BYTES / 1000 / 4;
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let writer = writer.clone();
                scope.spawn(move || (0..each).for_each(|at| writer.push(line(thread, at).as_bytes())));
            }
        });
        drop(guard);
        let text = String::from_utf8(std::mem::take(&mut *output.0.lock().unwrap_or_else(|e| e.into_inner())))
            .unwrap_or_default();
        for thread in 0..4 {
            let mine = text.lines().filter(|line| line.starts_with(&format!("{thread} ")));
            assert!(mine.enumerate().all(|(at, found)| format!("{found}\n") == line(thread, at)));
        }
        assert_eq!(text.lines().count(), 4 * each);
    }
}
