//! The queue, embedded and over RabbitMQ: what is published, delivered, returned, buried and heard. What becomes of it when the
//! broker is lost is in `queue_loss.rs`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use amqprs::channel::QueueDeclareArguments;
use tokio::time::timeout;
use w2meet::config::load_from;
use w2meet::platform::http::health::Status;
use w2meet::platform::queue::{PublishError, Queue, StreamItem};

use crate::support::eventually;
use crate::support::test_queue::{QueueNames, body_text, event_message, job_message, next_job, publish};

/// Long enough for a job to come that must not.
const A_WHILE: Duration = Duration::from_millis(300);

/// The queue in the memory of this process, and one in a broker if there is one.
async fn queues() -> Vec<(Option<QueueNames>, Arc<Queue>)> {
    let settings = load_from(None, std::iter::empty()).expect("the defaults").settings;
    let mut queues = vec![(None, Queue::open(&settings, Vec::new()).expect("a queue"))];
    if let Some(names) = QueueNames::in_shared_broker() {
        let queue = names.start().await;
        queues.push((Some(names), queue));
    }
    queues
}

#[actix_web::test]
async fn a_confirmed_job_is_delivered_with_its_case_and_trace() {
    for (names, queue) in queues().await {
        let mut consumer = queue.consume(4);
        assert_eq!(queue.publish(&[job_message("one"), job_message("two")]).await, [Ok(()), Ok(())]);
        for body in ["one", "two"] {
            let delivery = next_job(&mut consumer).await;
            assert_eq!((body_text(&delivery), delivery.redelivered), (body, false));
            assert_eq!(delivery.case_id, Some(format!("case-{body}")));
            assert_eq!(delivery.traceparent, Some(format!("trace-{body}")));
            delivery.ack().await;
        }
        assert!(timeout(A_WHILE, consumer.next()).await.is_err(), "nothing is left");
        consumer.close().await;
        assert_eq!(queue.name(), if names.is_some() { "rabbitmq" } else { "embedded" });
        assert_eq!(queue.health().await.status, Status::Healthy);
    }
}

#[actix_web::test]
async fn a_job_that_no_queue_takes_is_not_published_until_the_queue_is_there_again() {
    let Some(names) = QueueNames::in_shared_broker() else { return };
    let queue = names.start().await;
    names.delete_queue().await;
    let verdicts = queue.publish(&[job_message("lost"), event_message("meeting.suggested", "fine")]).await;
    assert_eq!(verdicts, [Err(PublishError::Unroutable), Ok(())]);
    eventually("the queue is declared again", async || publish(&queue, job_message("kept")).await.ok()).await;
    let mut consumer = queue.consume(1);
    assert_eq!(body_text(&next_job(&mut consumer).await), "kept");
}

#[actix_web::test]
async fn a_consumer_holds_its_limit_and_leaves_the_rest_to_others() {
    for (names, queue) in queues().await {
        let jobs: Vec<_> = ["1", "2", "3", "4", "5"].map(job_message).into();
        assert!(queue.publish(&jobs).await.iter().all(Result::is_ok));
        let mut consumer = queue.consume(2);
        let first = next_job(&mut consumer).await;
        let second = next_job(&mut consumer).await;
        assert!(timeout(A_WHILE, consumer.next()).await.is_err(), "both hands are full");
        if let Some(names) = &names {
            assert_eq!(names.count_waiting().await, 3, "the broker keeps the rest");
        }
        first.ack().await;
        assert_eq!(body_text(&next_job(&mut consumer).await), "3", "dropped unsettled, it goes back");
        second.ack().await;
        consumer.close().await;
        let mut other = queue.consume(9);
        let mut rest = [next_job(&mut other).await, next_job(&mut other).await, next_job(&mut other).await];
        rest.sort_by(|one, other| one.body.cmp(&other.body));
        assert_eq!(rest.each_ref().map(body_text), ["3", "4", "5"], "what was taken is back");
        assert!(rest[0].redelivered, "it was dropped");
    }
}

#[actix_web::test]
async fn a_job_goes_back_to_the_queue_or_to_the_dead() {
    for (names, queue) in queues().await {
        publish(&queue, job_message("poison")).await.expect("published");
        let mut consumer = queue.consume(1);
        next_job(&mut consumer).await.requeue().await;
        let back = next_job(&mut consumer).await;
        assert_eq!((body_text(&back), back.redelivered), ("poison", true));
        back.reject().await;
        if let Some(names) = &names {
            assert_eq!(eventually("it is dead", async || names.take_dead().await).await, "poison");
        }
        assert!(timeout(A_WHILE, consumer.next()).await.is_err(), "it does not come again");
    }
}

#[actix_web::test]
async fn a_consumer_whose_queue_is_deleted_gets_the_jobs_of_the_new_one() {
    let Some(names) = QueueNames::in_shared_broker() else { return };
    let queue = names.start().await;
    let mut consumer = queue.consume(1);
    publish(&queue, job_message("before")).await.expect("published");
    next_job(&mut consumer).await.ack().await;
    names.delete_queue().await;
    eventually("the queue is there again", async || publish(&queue, job_message("after")).await.ok()).await;
    assert_eq!(body_text(&next_job(&mut consumer).await), "after");
}

#[actix_web::test]
async fn every_process_that_listens_hears_every_event() {
    for (names, queue) in queues().await {
        let event = || event_message("meeting.suggested", "it");
        publish(&queue, event()).await.expect("no listener is needed");
        let other = names.as_ref().map_or_else(|| Arc::clone(&queue), QueueNames::open);
        let mut listeners = [queue.subscribe(), other.subscribe()];
        if names.is_some() {
            for listener in &mut listeners {
                assert_eq!(listener.recv().await, Ok(StreamItem::Gap), "connected; what was before is missed");
            }
        }
        publish(&queue, event()).await.expect("published");
        for listener in &mut listeners {
            let heard = StreamItem::Event { routing_key: "meeting.suggested".to_owned(), body: "it".into() };
            assert_eq!(listener.recv().await, Ok(heard));
        }
        assert!(timeout(A_WHILE, queue.consume(1).next()).await.is_err(), "an event is no job");
    }
}

#[actix_web::test]
async fn a_consumer_survives_the_end_of_its_runtime() {
    let Some(names) = QueueNames::in_shared_broker() else { return };
    let queue = names.start().await;
    publish(&queue, job_message("elsewhere")).await.expect("published");
    let elsewhere = Arc::clone(&queue);
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut consumer = elsewhere.consume(1);
        let delivery = tokio::task::LocalSet::new().block_on(&runtime, next_job(&mut consumer));
        // without a goodbye, and dropped where no runtime is any more
        drop(runtime);
        let body = body_text(&delivery).to_owned();
        drop((delivery, consumer));
        body
    });
    let body = tokio::task::spawn_blocking(|| thread.join()).await.expect("joined").expect("it did not panic");
    assert_eq!(body, "elsewhere");
    let mut consumer = queue.consume(1);
    assert!(next_job(&mut consumer).await.redelivered);
}

#[actix_web::test]
async fn a_queue_declared_with_other_arguments_is_refused_with_its_remedy() {
    let Some(names) = QueueNames::in_shared_broker() else { return };
    let (connection, channel) = names.channel().await;
    channel.queue_declare(QueueDeclareArguments::durable_client_named(&names.queue)).await.expect("declared");
    let queue = names.open();
    tokio::spawn(Arc::clone(&queue).run());
    let response = eventually("it says what to do", async || {
        let why = publish(&queue, job_message("any")).await.expect_err("refused").to_string();
        why.contains("W2MEET_QUEUE__NAME").then_some(why)
    })
    .await;
    assert!(response.contains(&names.queue) && response.contains("PRECONDITION_FAILED"), "{response}");
    names.delete_queue().await;
    eventually("it heals", async || publish(&queue, job_message("any")).await.ok()).await;
    connection.close().await.expect("closed");
}

#[actix_web::test]
async fn without_a_broker_publishing_fails_at_once() {
    let queue = QueueNames::in_broker("amqp://guest:guest@127.0.0.1:9").open();
    tokio::spawn(Arc::clone(&queue).run());
    let begin = Instant::now();
    let verdicts = queue.publish(&[job_message("one"), event_message("meeting.suggested", "two")]).await;
    assert!(
        matches!(verdicts[..], [Err(PublishError::Unavailable(_)), Err(PublishError::Unavailable(_))]),
        "{verdicts:?}"
    );
    assert!(begin.elapsed() < Duration::from_secs(1));
    assert_eq!(queue.health().await.status, Status::Unhealthy);
}

#[actix_web::test]
async fn a_message_that_amqp_cannot_encode_is_refused_and_delays_no_other() {
    let Some(names) = QueueNames::in_shared_broker() else { return };
    let queue = names.start().await;
    let mut nameless = job_message("one");
    nameless.id = "x".repeat(256);
    let verdicts = queue.publish(&[nameless, event_message(&"x".repeat(256), "two"), job_message("three")]).await;
    assert!(
        matches!(verdicts[..], [Err(PublishError::TooLong(_)), Err(PublishError::TooLong(_)), Ok(())]),
        "{verdicts:?}"
    );
}
