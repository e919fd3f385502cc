//! Workers and brokers that die while meetings are scheduled: no meeting is lost, and no notification is sent twice.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::future::join;

use crate::support::benchmarks::{is_full_size, print_figure, scenario_limit, soak_size};
use crate::support::fault_rig::FaultRig;
use crate::support::load::Load;
use crate::support::servers::print_line;
use crate::support::{PrivateRabbit, within};

/// A quorum queue that is younger than this may lose even what it confirmed when its broker is killed.
const GROWN_UP: Duration = Duration::from_secs(10);
/// Nothing gets done for so long only when the broker takes nothing.
const STUCK: Duration = Duration::from_secs(12);
/// How often the workers are killed.
const PACE: Duration = Duration::from_secs(2);

/// Kills the workers again and again until stopped; returns how often.
async fn kill_workers(rig: &FaultRig, done: &Cell<bool>) -> usize {
    let mut pace = tokio::time::interval(PACE);
    pace.tick().await;
    let mut kills = 0;
    while !done.get() {
        pace.tick().await;
        rig.replace_workers();
        kills += 1;
    }
    kills
}

/// Waits until there is enough. A quorum queue of RabbitMQ 3.10 that was killed young sometimes has no leader afterwards, for good,
/// and confirms nothing to anybody: then it is deleted, as its operator would; w2meet declares it again. Says how often.
async fn wait_with_help(rig: &FaultRig, enough: impl AsyncFn() -> bool) -> usize {
    let mut deletions = 0;
    loop {
        let (mut last, mut since) = (0.0, Instant::now());
        let reached = within(scenario_limit(), "the work goes on, or comes to a halt", async || {
            if enough().await {
                return Some(true);
            }
            let now = jobs_in(rig, "'succeeded'").await;
            if now > last {
                (last, since) = (now, Instant::now());
            }
            (since.elapsed() > STUCK).then_some(false)
        })
        .await;
        if reached {
            return deletions;
        }
        rig.names.delete_queue().await;
        deletions += 1;
    }
}

async fn jobs_in(rig: &FaultRig, states: &str) -> f64 {
    rig.select_number(&format!("SELECT count(*)::text FROM jobs WHERE state IN ({states})")).await
}

/// Waits for so many webhooks: the work is well under way.
async fn well_under_way(rig: &FaultRig, hooks: usize) -> usize {
    wait_with_help(rig, async || rig.receiver.count_received() >= hooks).await
}

/// Waits until no job is open.
async fn settle_with_help(rig: &FaultRig) -> usize {
    wait_with_help(rig, async || jobs_in(rig, "'queued', 'running', 'retryable'").await == 0.0).await
}

#[actix_web::test]
async fn no_meeting_is_lost_while_workers_and_the_broker_are_killed() {
    let count = soak_size("MEETINGS", 60);
    let Some(rig) =
        FaultRig::start(&[("W2MEET_JOBS__SWEEP_SECONDS", "5"), ("W2MEET_JOBS__ATTEMPT_SECONDS", "10")]).await
    else {
        return;
    };
    let born = Instant::now();
    let load = Load::prepare(&rig.cluster, count, &rig.receiver.url).await;
    if is_full_size() {
        within(scenario_limit(), "the queue is grown up", async || (born.elapsed() > GROWN_UP).then_some(())).await;
    }
    let begin = Instant::now();
    let done = Cell::new(false);
    let work = async {
        load.post_until_accepted(&rig.cluster, count / 2).await;
        let mut deletions = well_under_way(&rig, count / 4).await;
        rig.restart_broker(PrivateRabbit::kill).await;
        load.post_until_accepted(&rig.cluster, count - count / 2).await;
        deletions += well_under_way(&rig, count / 2).await;
        rig.restart_broker(PrivateRabbit::stop).await;
        deletions += settle_with_help(&rig).await;
        let evidence = rig.finish(scenario_limit()).await;
        done.set(true);
        (evidence, deletions)
    };
    let ((evidence, deletions), kills) = join(work, kill_workers(&rig, &done)).await;
    let accepted = load.ids();
    assert_eq!(accepted.len(), count, "{count} were asked for");
    evidence.expect_all(&accepted);
    assert!(deletions == 0 || !is_full_size(), "the broker needed help");
    let (took, hooks) = (begin.elapsed(), evidence.hooks.len());
    let again = rig.receiver.count_received() - hooks;
    print_figure(
        "workers killed every 2 s, RabbitMQ killed -9 and restarted",
        &format!(
            "{count} accepted, 0 lost, 0 doubled, 0 dead; {kills} kills, {took:.0?}; {hooks} webhooks, {again} repeated"
        ),
    );
}

#[actix_web::test]
async fn the_sweeper_republishes_jobs_that_a_new_queue_lost() {
    if !is_full_size() {
        // RabbitMQ 3.10 may lose such a queue for good, which takes minutes to be sure of
        return print_line("SKIPPED, a test that scripts/soak runs: a queue just declared, and its broker killed");
    }
    let count = soak_size("MEETINGS", 40);
    let Some(rig) = FaultRig::start(&[("W2MEET_JOBS__SWEEP_SECONDS", "2")]).await else { return };
    let load = Load::prepare(&rig.cluster, count, &rig.receiver.url).await;
    rig.signal_workers("STOP"); // everything waits in the queue
    load.post(&rig.cluster, count).await;
    within(scenario_limit(), "all are published", async || {
        (rig.select_number("SELECT count(*)::text FROM outbox").await == 0.0).then_some(())
    })
    .await;
    let published = rig.names.count_waiting().await;
    rig.restart_broker(PrivateRabbit::kill).await;
    let left = rig.names.count_waiting().await;
    rig.signal_workers("CONT");
    let begin = Instant::now();
    let deletions = settle_with_help(&rig).await;
    let evidence = rig.finish(scenario_limit()).await;
    let accepted = load.ids();
    assert_eq!(accepted.len(), count);
    evidence.expect_all(&accepted);
    let vanished = published.saturating_sub(left);
    print_figure(
        "a queue just declared, RabbitMQ killed -9 after the 202s",
        &format!(
            "{count} accepted, 0 lost; of {published} confirmed messages {vanished} vanished; its leaderless queue had to be \
             deleted {deletions} times; all arranged after {:.0?}",
            begin.elapsed()
        ),
    );
}
