//! The broker is away for a while: nobody who asks for a meeting notices, and what has piled up is published when it is back.

use std::time::{Duration, Instant};

use crate::support::benchmarks::{figure, long, size, strict};
use crate::support::fault_rig::Plant;
use crate::support::load::Load;
use crate::support::within;

/// Meetings asked for in a second.
const RATE: usize = 400;

#[actix_web::test]
async fn meetings_are_accepted_at_once_while_the_broker_is_away_and_published_when_it_is_back() {
    let count = size("MEETINGS", 60);
    let Some(plant) = Plant::open(&[]).await else { return };
    let load = Load::prepare(&plant.cluster, count, &plant.receiver.url).await;
    // the broker goes away in the middle of work, not before the first of it
    let before = count / 20;
    load.post(&plant.cluster, before).await;
    plant.broker.stop();
    // at a rate that this machine can serve: as fast as it can is another question, which `rate` asks
    load.post_at_rate(&plant.cluster, count, RATE).await;
    let (accepted, times) = (load.ids(), load.times_after(before));
    assert_eq!(accepted.len(), before + count, "all are accepted");
    let last = plant.select("SELECT max(id) FROM outbox").await.remove(0);
    let backlog = plant.number("SELECT count(*)::text FROM outbox").await;
    let broker = std::sync::Arc::clone(&plant.broker);
    tokio::task::spawn_blocking(move || broker.boot()).await.expect("it runs again");
    let back = Instant::now();
    let left = format!("SELECT count(*)::text FROM outbox WHERE id <= '{last}'");
    within(long(), "the backlog is published", async || (plant.number(&left).await == 0.0).then_some(())).await;
    let published = back.elapsed();
    let evidence = plant.settle(long()).await;
    evidence.expect_all(&accepted);
    figure("RabbitMQ down: POST /api/meetings", &format!("{count} times 202 at {RATE}/s: {}", times.tell()));
    figure(
        "RabbitMQ back",
        &format!(
            "{backlog} messages published after {published:.1?}, {count} meetings arranged after {:.1?}",
            back.elapsed()
        ),
    );
    if strict() {
        assert!(times.percentile(100.0) <= Duration::from_millis(100), "{}", times.tell());
        assert!(published <= Duration::from_secs(30), "{published:?}");
    }
}
