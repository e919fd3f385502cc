//! Where log lines go: gathered in memory, written by a thread of its own, many at a time. Nothing is dropped: when the
//! reader of standard output is slower than we are, whoever logs waits.
//!
//! A channel that carries each line by itself would wake its reader for each.

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// How long lines wait for company.
const GATHER: Duration = Duration::from_millis(5);
/// Bytes that are worth a write at once.
const ENOUGH: usize = 64 << 10;
/// Bytes after which whoever logs waits.
const FULL: usize = 8 << 20;

/// The near end.
#[derive(Clone)]
pub struct BatchWriter(Arc<Shared>);

#[derive(Default)]
struct Shared {
    pending: Mutex<Pending>,
    news: Condvar,
    room: Condvar,
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
    /// Starts the thread that writes.
    pub fn start(out: impl Write + Send + 'static) -> (BatchWriter, FlushGuard) {
        let shared = Arc::new(Shared::default());
        let far = Arc::clone(&shared);
        let writer = std::thread::spawn(move || far.write_to(out));
        (BatchWriter(Arc::clone(&shared)), FlushGuard { shared, writer: Some(writer) })
    }

    /// Takes whole lines.
    pub fn push(&self, lines: &[u8]) {
        let mut pending = self.0.lock();
        while pending.bytes.len() > FULL && !pending.closed {
            pending = self.0.room.wait(pending).unwrap_or_else(PoisonError::into_inner);
        }
        let before = pending.bytes.len();
        pending.bytes.extend_from_slice(lines);
        let after = pending.bytes.len();
        drop(pending);
        if before == 0 || before < ENOUGH && after >= ENOUGH {
            self.0.news.notify_one();
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
            let pending = self.news.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
            let few = |pending: &mut Pending| pending.bytes.len() < ENOUGH && !pending.closed;
            let waited = self.news.wait_timeout_while(pending, GATHER, few);
            let (mut pending, _) = waited.unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut bytes, &mut pending.bytes);
            let closed = pending.closed;
            drop(pending);
            self.room.notify_all();
            // nobody reads any more: there is nowhere left to say so
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
        self.shared.news.notify_one();
        if let Some(writer) = self.writer.take() {
            drop(writer.join());
        }
    }
}

/// For the subscriber's own text format.
impl<'a> MakeWriter<'a> for BatchWriter {
    type Writer = Lines<'a>;

    fn make_writer(&'a self) -> Lines<'a> {
        Lines(self)
    }
}

/// One event's worth of text.
pub struct Lines<'a>(&'a BatchWriter);

impl Write for Lines<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.push(bytes);
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

    use super::{BatchWriter, FULL};

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().map(|mut page| page.extend_from_slice(bytes)).ok();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_in_the_order_of_its_thread_however_many_there_are() {
        let page = Page::default();
        let (sink, flush) = BatchWriter::start(page.clone());
        let line = |thread: usize, at: usize| format!("{thread} {at} {}\n", "x".repeat(1000));
        let each = 2 * FULL / 1000 / 4;
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let sink = sink.clone();
                scope.spawn(move || (0..each).for_each(|at| sink.push(line(thread, at).as_bytes())));
            }
        });
        drop(flush);
        let text = String::from_utf8(std::mem::take(&mut *page.0.lock().unwrap_or_else(|e| e.into_inner())))
            .unwrap_or_default();
        for thread in 0..4 {
            let mine = text.lines().filter(|line| line.starts_with(&format!("{thread} ")));
            assert!(mine.enumerate().all(|(at, found)| format!("{found}\n") == line(thread, at)));
        }
        assert_eq!(text.lines().count(), 4 * each);
    }
}
