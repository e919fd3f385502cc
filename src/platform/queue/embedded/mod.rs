//! The queue inside this process: jobs wait in memory and, until they are done, in a SQLite file; events stay in memory.

mod file;
mod ready;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::time::timeout;

use self::file::{Change, File};
use self::ready::{Job, Ready};
use super::{Answer, Delivery, Destination, EVENTS, Message, PublishError, StreamItem};
use crate::platform::http::health::{Dependency, Status};

/// How long a health report waits for the file.
const PATIENCE: Duration = Duration::from_secs(1);

/// The queue's file, the jobs that wait, and the listeners.
pub struct Embedded {
    shelf: Arc<Shelf>,
    heard: broadcast::Sender<StreamItem>,
}

/// What consumers and deliveries share.
struct Shelf {
    file: File,
    ready: Arc<Ready>,
}

impl Embedded {
    /// Opens the file, or makes it. Everything in it is delivered again, in its order.
    ///
    /// # Errors
    /// A file that cannot be opened, or that another process uses.
    pub fn open(path: &Path) -> anyhow::Result<Embedded> {
        let ready = Arc::new(Ready::default());
        let file = File::open(path, Arc::clone(&ready))?;
        Ok(Embedded { shelf: Arc::new(Shelf { file, ready }), heard: broadcast::channel(EVENTS).0 })
    }

    /// All jobs of one call are written in one transaction; events go out after it.
    pub(super) async fn publish(&self, messages: &[Message]) -> Vec<Result<(), PublishError>> {
        let jobs: Vec<Message> = messages.iter().filter(|message| message.to == Destination::Jobs).cloned().collect();
        let written = match jobs.is_empty() {
            true => Ok(()),
            false => self.shelf.file.write(Change::Keep(jobs)).await,
        };
        let verdict = |message: &Message| match &message.to {
            Destination::Jobs => written.clone().map_err(PublishError::Unwritten),
            Destination::Event(routing_key) => {
                let event = StreamItem::Event { routing_key: routing_key.clone(), body: message.body.clone() };
                // an error says that nobody listens, which is no fault
                drop(self.heard.send(event));
                Ok(())
            }
        };
        messages.iter().map(verdict).collect()
    }

    pub(super) fn consume(&self, concurrency: u16) -> Consumer {
        let slots = Arc::new(Semaphore::new(usize::from(concurrency.max(1))));
        Consumer { shelf: Arc::clone(&self.shelf), slots }
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<StreamItem> {
        self.heard.subscribe()
    }

    pub(super) async fn health(&self) -> Dependency {
        let begin = Instant::now();
        let answer = timeout(PATIENCE, self.shelf.file.write(Change::Nothing)).await;
        let status = if matches!(answer, Ok(Ok(()))) { Status::Healthy } else { Status::Unhealthy };
        Dependency::measured(status, begin)
    }
}

/// One of the consumers, and how many jobs more it may hold.
pub struct Consumer {
    shelf: Arc<Shelf>,
    slots: Arc<Semaphore>,
}

impl Consumer {
    pub(super) async fn next(&mut self) -> Delivery {
        // it is never closed, so there is always a slot in the end
        let slot = Arc::clone(&self.slots).acquire_owned().await.ok();
        let job = self.shelf.ready.take().await;
        let (body, case_id, redelivered) = (job.body.clone(), Some(job.case_id.clone()), job.redelivered);
        let traceparent = Some(job.traceparent.clone());
        let ticket = Ticket { job: Some(job), shelf: Arc::clone(&self.shelf), _slot: slot };
        Delivery { body, case_id, traceparent, redelivered, ticket: super::Ticket::Embedded(ticket) }
    }
}

/// A job that is at work.
pub struct Ticket {
    job: Option<Job>,
    shelf: Arc<Shelf>,
    _slot: Option<OwnedSemaphorePermit>,
}

impl Ticket {
    pub(super) async fn answer(mut self, answer: Answer) {
        let change = match (answer, &self.job) {
            (Answer::Done, Some(job)) => Change::Forget(job.seq),
            (Answer::Never, Some(job)) => Change::Bury(job.seq),
            // dropping it puts it back
            (Answer::Again, _) | (_, None) => return,
        };
        self.job = None;
        if let Err(why) = self.shelf.file.write(change).await {
            tracing::warn!(
                why,
                "a finished job stays in the queue's file, and will be delivered again after a restart"
            );
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(job) = self.job.take() {
            self.shelf.ready.put([Job { redelivered: true, ..job }]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use bytes::Bytes;
    use diesel::connection::SimpleConnection as _;
    use diesel::{Connection as _, SqliteConnection};
    use futures_util::FutureExt as _;

    use super::{Consumer, Embedded};
    use crate::platform::queue::{Answer, Delivery, Destination, Message, StreamItem, Ticket};

    type Outcome = Result<(), Box<dyn std::error::Error>>;

    /// A folder of the test's own, gone at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Folder {
            Folder(std::env::temp_dir().join(format!("w2meet-queue-{:016x}", rand::random::<u64>())))
        }
        fn open(&self) -> anyhow::Result<Embedded> {
            Embedded::open(&self.0.join("queue.db"))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(std::fs::remove_dir_all(&self.0));
        }
    }

    fn message(body: &'static str, to: Destination) -> Message {
        let (case_id, traceparent) = (format!("case-{body}"), format!("trace-{body}"));
        Message { id: body.to_owned(), to, case_id, traceparent, body: Bytes::from_static(body.as_bytes()) }
    }

    async fn publish(queue: &Embedded, bodies: &[&'static str]) -> bool {
        let messages: Vec<Message> = bodies.iter().map(|body| message(body, Destination::Jobs)).collect();
        queue.publish(&messages).await.iter().all(Result::is_ok)
    }

    async fn answer(delivery: Delivery, answer: Answer) {
        match delivery.ticket {
            Ticket::Embedded(ticket) => ticket.answer(answer).await,
            Ticket::Rabbit(_) => {}
        }
    }

    /// What waits now, in its order, with whether it was delivered before; it is left unanswered.
    fn waiting(queue: &Embedded) -> Vec<(Bytes, bool)> {
        let mut consumer = queue.consume(100);
        let taken: Vec<Delivery> = std::iter::from_fn(|| take(&mut consumer)).collect();
        taken.iter().map(|delivery| (delivery.body.clone(), delivery.redelivered)).collect()
    }

    fn take(consumer: &mut Consumer) -> Option<Delivery> {
        consumer.next().now_or_never()
    }

    #[actix_rt::test]
    async fn what_was_not_done_comes_again_after_a_restart_in_its_order() -> Outcome {
        let folder = Folder::new();
        let queue = folder.open()?;
        assert!(publish(&queue, &["a", "b"]).await && publish(&queue, &["c", "d"]).await);
        let mut consumer = queue.consume(2);
        let first = consumer.next().await;
        assert_eq!((&first.body[..], first.case_id.as_deref(), first.redelivered), (&b"a"[..], Some("case-a"), false));
        let second = consumer.next().await;
        answer(second, Answer::Done).await;
        drop((first, consumer, queue));

        let queue = folder.open()?;
        assert_eq!(waiting(&queue), [("a".into(), true), ("c".into(), true), ("d".into(), true)]);
        assert!(publish(&queue, &["e"]).await);
        assert_eq!(waiting(&queue).last(), Some(&("e".into(), false)));
        Ok(())
    }

    #[actix_rt::test]
    async fn jobs_keep_their_trace_and_a_file_from_before_there_were_traces_is_read() -> Outcome {
        let folder = Folder::new();
        let queue = folder.open()?;
        assert!(publish(&queue, &["a"]).await);
        drop(queue);
        let traceparent = async |queue: Embedded| queue.consume(1).next().await.traceparent;
        assert_eq!(traceparent(folder.open()?).await.as_deref(), Some("trace-a"));

        let file = folder.0.join("queue.db");
        let mut conn = SqliteConnection::establish(&file.display().to_string())?;
        conn.batch_execute("ALTER TABLE messages DROP COLUMN traceparent")?;
        drop(conn);
        assert_eq!(traceparent(folder.open()?).await.as_deref(), Some(""));
        Ok(())
    }

    #[actix_rt::test]
    async fn a_job_goes_back_to_its_place_or_to_the_dead() -> Outcome {
        let folder = Folder::new();
        let queue = folder.open()?;
        assert!(publish(&queue, &["a", "b", "c"]).await);
        let mut consumer = queue.consume(3);
        answer(consumer.next().await, Answer::Again).await;
        let back = consumer.next().await;
        assert_eq!((&back.body[..], back.redelivered), (&b"a"[..], true));
        answer(back, Answer::Never).await;
        drop(consumer.next().await);
        assert_eq!(waiting(&queue), [("b".into(), true), ("c".into(), false)], "dropped without an answer: back too");
        drop((consumer, queue));
        assert_eq!(waiting(&folder.open()?), [("b".into(), true), ("c".into(), true)], "a dead job stays dead");
        Ok(())
    }

    #[actix_rt::test]
    async fn a_consumer_holds_as_many_jobs_as_it_may_and_leaves_the_rest_to_others() -> Outcome {
        let folder = Folder::new();
        let queue = folder.open()?;
        let (mut one, mut other) = (queue.consume(2), queue.consume(1));
        let early = one.next();
        assert!(publish(&queue, &["a", "b", "c", "d"]).await);
        let first = early.await;
        let second = take(&mut one).ok_or("there are more")?;
        assert!(take(&mut one).is_none());
        assert_eq!(take(&mut other).ok_or("there are more")?.body, "c");
        answer(first, Answer::Done).await;
        assert_eq!(take(&mut one).ok_or("a hand is free again")?.body, "c");
        drop(second);
        Ok(())
    }

    #[actix_rt::test]
    async fn one_process_at_a_time() -> Outcome {
        let folder = Folder::new();
        let first = folder.open()?;
        let refused = folder.open().err().ok_or("a second one")?.to_string();
        assert!(refused.contains("W2MEET_DATA_DIR"), "{refused}");
        drop(first);
        folder.open()?;
        Ok(())
    }

    #[actix_rt::test]
    async fn every_listener_hears_every_event_and_none_is_needed() -> Outcome {
        let folder = Folder::new();
        let queue = folder.open()?;
        let event = message("it", Destination::Event("meeting.suggested".to_owned()));
        assert_eq!(queue.publish(std::slice::from_ref(&event)).await, [Ok(())], "nobody listens");
        let mut listeners = [queue.subscribe(), queue.subscribe()];
        assert_eq!(queue.publish(&[event]).await, [Ok(())]);
        for listener in &mut listeners {
            let heard = StreamItem::Event { routing_key: "meeting.suggested".to_owned(), body: "it".into() };
            assert_eq!(listener.recv().await?, heard);
        }
        assert!(waiting(&queue).is_empty(), "an event is no job");
        Ok(())
    }
}
