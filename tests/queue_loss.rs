//! The queue while its broker is killed, stopped and hung: confirmed messages are delivered, and connections recover.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use w2meet::platform::queue::{PublishError, Queue, StreamItem};

use crate::support::test_queue::{QueueNames, body_text, job_message, next_job, publish};
use crate::support::{PrivateRabbit, eventually};

/// A quorum queue that is younger than this may lose even what it confirmed when its broker is killed.
const GROWN_UP: Duration = Duration::from_secs(10);

/// Publishes jobs, ten at a time, until stopped; returns the confirmed jobs, and the number of the others.
async fn publish_until(queue: &Queue, enough: impl Fn(&HashSet<String>) -> bool) -> (HashSet<String>, usize) {
    let (mut confirmed, mut refused) = (HashSet::new(), 0);
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    while !enough(&confirmed) {
        tick.tick().await;
        let jobs: Vec<_> = (0..10).map(|_| job_message(&format!("{:016x}", rand::random::<u64>()))).collect();
        for (job, verdict) in jobs.iter().zip(queue.publish(&jobs).await) {
            match verdict {
                Ok(()) => drop(confirmed.insert(String::from_utf8_lossy(&job.body).into_owned())),
                Err(_) => refused += 1,
            }
        }
    }
    (confirmed, refused)
}

#[actix_web::test]
async fn confirmed_messages_survive_the_kill_of_the_broker() {
    let Some(broker) = PrivateRabbit::start() else { return };
    let names = QueueNames::in_broker(&broker.url());
    let queue = names.start().await;
    let mut consumer = queue.consume(50);
    let mut listener = queue.subscribe();
    assert_eq!(listener.recv().await, Ok(StreamItem::Gap));
    let born = Instant::now();
    let (mut confirmed, _) = publish_until(&queue, |_| born.elapsed() > GROWN_UP).await;
    // some of it is at work when it happens
    let at_work = next_job(&mut consumer).await;
    let publishing = Arc::clone(&queue);
    let killed = Arc::new(std::sync::Mutex::new(None::<usize>));
    let back = Arc::clone(&killed);
    let meanwhile = tokio::spawn(async move {
        // until a hundred more were confirmed after the new start
        let enough = move |confirmed: &HashSet<String>| {
            let mut back = back.lock().expect("one holder");
            back.as_mut().is_some_and(|limit| {
                if *limit == 0 {
                    *limit = confirmed.len() + 100;
                }
                confirmed.len() >= *limit
            })
        };
        publish_until(&publishing, enough).await
    });
    let broker = tokio::task::spawn_blocking(move || {
        broker.kill();
        broker.boot();
        broker
    });
    let broker = broker.await.expect("it runs again");
    killed.lock().expect("one holder").replace(0);
    let (more, refused) = meanwhile.await.expect("published");
    assert!(refused > 0, "the broker was away, and publishing said so");
    confirmed.extend(more);
    at_work.ack().await; // nobody hears it any more
    while !confirmed.is_empty() {
        let delivery = next_job(&mut consumer).await;
        confirmed.remove(body_text(&delivery));
        delivery.ack().await;
    }
    assert_eq!(listener.recv().await, Ok(StreamItem::Gap), "the listener is back too");
    consumer.close().await;
    drop(broker);
}

#[actix_web::test]
async fn a_job_waits_through_a_restart_of_the_broker_and_so_does_its_consumer() {
    let Some(broker) = PrivateRabbit::start() else { return };
    let names = QueueNames::in_broker(&broker.url());
    let queue = names.start().await;
    let mut consumer = queue.consume(1);
    publish(&queue, job_message("before")).await.expect("published");
    assert_eq!(body_text(&next_job(&mut consumer).await), "before");
    broker.stop();
    eventually("publishing notices", async || {
        matches!(publish(&queue, job_message("lost")).await, Err(PublishError::Unavailable(_))).then_some(())
    })
    .await;
    broker.boot();
    let again = next_job(&mut consumer).await;
    assert_eq!((body_text(&again), again.redelivered), ("before", true));
    again.ack().await;
    eventually("it publishes again", async || publish(&queue, job_message("after")).await.ok()).await;
    assert_eq!(body_text(&next_job(&mut consumer).await), "after");
}

#[actix_web::test]
async fn a_hanging_broker_confirms_nothing_and_blocks_no_caller() {
    let Some(broker) = PrivateRabbit::start() else { return };
    let names = QueueNames::in_broker(&broker.url());
    let queue = names.start().await;
    broker.pause();
    let begin = Instant::now();
    assert_eq!(publish(&queue, job_message("unheard")).await, Err(PublishError::Unconfirmed));
    assert!(begin.elapsed() < Duration::from_secs(4));
    let begin = Instant::now();
    assert_eq!(queue.health().await.status, w2meet::platform::http::health::Status::Unhealthy);
    assert!(begin.elapsed() < Duration::from_secs(2));
    broker.resume();
    eventually("it publishes again", async || publish(&queue, job_message("heard")).await.ok()).await;
}
