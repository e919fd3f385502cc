//! Workers and brokers that die while meetings are arranged: none is lost, and nothing is told twice.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::future::join;

use crate::support::benchmarks::{figure, long, size, strict};
use crate::support::fault_rig::Plant;
use crate::support::load::Load;
use crate::support::servers::say;
use crate::support::{PrivateRabbit, within};

/// A quorum queue that is younger than this may lose even what it confirmed when its broker is killed.
const GROWN_UP: Duration = Duration::from_secs(10);
/// Nothing gets done for so long only when the broker takes nothing.
const STUCK: Duration = Duration::from_secs(12);
/// How often the workers are killed.
const PACE: Duration = Duration::from_secs(2);

/// Kills the workers again and again until told; says how often.
async fn kill_workers(plant: &Plant, done: &Cell<bool>) -> usize {
    let mut pace = tokio::time::interval(PACE);
    pace.tick().await;
    let mut kills = 0;
    while !done.get() {
        pace.tick().await;
        plant.replace_workers();
        kills += 1;
    }
    kills
}

/// Waits until there is enough. A quorum queue of RabbitMQ 3.10 that was killed young sometimes has no leader afterwards, for good,
/// and confirms nothing to anybody: then it is deleted, as its operator would; w2meet declares it again. Says how often.
async fn wait_with_help(plant: &Plant, enough: impl AsyncFn() -> bool) -> usize {
    let mut deletions = 0;
    loop {
        let (mut last, mut since) = (0.0, Instant::now());
        let reached = within(long(), "the work goes on, or comes to a halt", async || {
            if enough().await {
                return Some(true);
            }
            let now = jobs_in(plant, "'succeeded'").await;
            if now > last {
                (last, since) = (now, Instant::now());
            }
            (since.elapsed() > STUCK).then_some(false)
        })
        .await;
        if reached {
            return deletions;
        }
        plant.names.delete_queue().await;
        deletions += 1;
    }
}

async fn jobs_in(plant: &Plant, states: &str) -> f64 {
    plant.number(&format!("SELECT count(*)::text FROM jobs WHERE state IN ({states})")).await
}

/// Waits for so many webhooks: the work is well under way.
async fn well_under_way(plant: &Plant, hooks: usize) -> usize {
    wait_with_help(plant, async || plant.receiver.came() >= hooks).await
}

/// Waits until no job is open.
async fn settle_with_help(plant: &Plant) -> usize {
    wait_with_help(plant, async || jobs_in(plant, "'queued', 'running', 'retryable'").await == 0.0).await
}

#[actix_web::test]
async fn no_meeting_is_lost_while_workers_and_the_broker_are_killed() {
    let count = size("MEETINGS", 60);
    let Some(plant) = Plant::open(&[("W2MEET_JOBS__SWEEP_SECONDS", "5"), ("W2MEET_JOBS__ATTEMPT_SECONDS", "10")]).await
    else {
        return;
    };
    let born = Instant::now();
    let load = Load::prepare(&plant.cluster, count, &plant.receiver.url).await;
    if strict() {
        within(long(), "the queue is grown up", async || (born.elapsed() > GROWN_UP).then_some(())).await;
    }
    let begin = Instant::now();
    let done = Cell::new(false);
    let work = async {
        load.post(&plant.cluster, count / 2).await;
        let mut deletions = well_under_way(&plant, count / 4).await;
        plant.restart_broker(PrivateRabbit::kill).await;
        load.post(&plant.cluster, count - count / 2).await;
        deletions += well_under_way(&plant, count / 2).await;
        plant.restart_broker(PrivateRabbit::stop).await;
        deletions += settle_with_help(&plant).await;
        let evidence = plant.settle(long()).await;
        done.set(true);
        (evidence, deletions)
    };
    let ((evidence, deletions), kills) = join(work, kill_workers(&plant, &done)).await;
    let accepted = load.ids();
    assert_eq!(accepted.len(), count, "{count} were asked for");
    evidence.expect_all(&accepted);
    assert!(deletions == 0 || !strict(), "the broker needed help");
    let (took, hooks) = (begin.elapsed(), evidence.hooks.len());
    let again = plant.receiver.came() - hooks;
    figure(
        "workers killed every 2 s, RabbitMQ killed -9 and restarted",
        &format!(
            "{count} accepted, 0 lost, 0 doubled, 0 dead; {kills} kills, {took:.0?}; {hooks} webhooks, {again} repeated"
        ),
    );
}

#[actix_web::test]
async fn the_sweeper_saves_what_a_fresh_queue_forgets() {
    if !strict() {
        // RabbitMQ 3.10 may lose such a queue for good, which takes minutes to be sure of
        return say("SKIPPED, a test that scripts/soak runs: a queue just declared, and its broker killed");
    }
    let count = size("MEETINGS", 40);
    let Some(plant) = Plant::open(&[("W2MEET_JOBS__SWEEP_SECONDS", "2")]).await else { return };
    let load = Load::prepare(&plant.cluster, count, &plant.receiver.url).await;
    plant.signal_workers("STOP"); // everything waits in the queue
    load.post(&plant.cluster, count).await;
    within(long(), "all are published", async || {
        (plant.number("SELECT count(*)::text FROM outbox").await == 0.0).then_some(())
    })
    .await;
    let published = plant.names.waiting().await;
    plant.restart_broker(PrivateRabbit::kill).await;
    let left = plant.names.waiting().await;
    plant.signal_workers("CONT");
    let begin = Instant::now();
    let deletions = settle_with_help(&plant).await;
    let evidence = plant.settle(long()).await;
    let accepted = load.ids();
    assert_eq!(accepted.len(), count);
    evidence.expect_all(&accepted);
    let vanished = published.saturating_sub(left);
    figure(
        "a queue just declared, RabbitMQ killed -9 after the 202s",
        &format!(
            "{count} accepted, 0 lost; of {published} confirmed messages {vanished} vanished; its leaderless queue had to be \
             deleted {deletions} times; all arranged after {:.0?}",
            begin.elapsed()
        ),
    );
}
