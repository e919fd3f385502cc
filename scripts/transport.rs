//! The upper bound that job rates are compared with: publishes messages to the queue and consumes them, without other work.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use w2meet::config::load_from;
use w2meet::platform::queue::{Destination, Message, Queue};

/// Messages that the relay publishes at once.
const BATCH: usize = 256;
/// Messages that a worker handles at a time.
const CONCURRENCY: u16 = 8;

#[actix_web::main]
async fn main() -> ExitCode {
    let count = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10_000);
    match run(count).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("transport: {why:#}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "it reads only the settings of the queue")]
async fn run(count: usize) -> anyhow::Result<()> {
    let own = std::env::vars().filter(|(name, _)| name.starts_with("W2MEET_QUEUE__"));
    let queue = Queue::open(&load_from(None, own)?.settings, Vec::new())?;
    tokio::spawn(Arc::clone(&queue).run());
    let mut ready = tokio::time::interval(Duration::from_millis(50));
    while queue.publish(&[message(Destination::Event("transport.ready".to_owned()))]).await.iter().any(Result::is_err) {
        ready.tick().await;
    }
    let begin = Instant::now();
    let mut left = count;
    while left > 0 {
        let batch: Vec<Message> = (0..left.min(BATCH)).map(|_| message(Destination::Jobs)).collect();
        left -= queue.publish(&batch).await.iter().filter(|verdict| verdict.is_ok()).count();
    }
    let published = begin.elapsed();
    let begin = Instant::now();
    let mut consumer = queue.consume(CONCURRENCY);
    for _ in 0..count {
        consumer.next().await.ack().await;
    }
    let rate = |took: Duration| count as f64 / took.as_secs_f64();
    println!("{:.0} {:.0}", rate(published), rate(begin.elapsed()));
    consumer.close().await;
    Ok(())
}

/// A message about as large as that of a job.
fn message(to: Destination) -> Message {
    let id = format!("{:016x}", rand::random::<u64>());
    Message { id, to, case_id: "transport".to_owned(), traceparent: String::new(), body: vec![b'x'; 330].into() }
}
