//! An outage of the broker: clients notice nothing, and the backlog is published when the broker returns.

use std::time::{Duration, Instant};

use crate::support::benchmarks::{is_full_size, print_figure, scenario_limit, soak_size};
use crate::support::fault_rig::FaultRig;
use crate::support::load::Load;
use crate::support::within;

/// Meetings asked for in a second.
const RATE: usize = 400;

#[actix_web::test]
async fn meetings_are_accepted_at_once_while_the_broker_is_away_and_published_when_it_is_back() {
    let count = soak_size("MEETINGS", 60);
    let Some(rig) = FaultRig::start(&[]).await else { return };
    let load = Load::prepare(&rig.cluster, count, &rig.receiver.url).await;
    // the broker goes away in the middle of work, not before the first of it
    let before = count / 20;
    load.post(&rig.cluster, before).await;
    rig.broker.stop();
    // at a rate that this machine can serve: as fast as it can is another question, which `rate` asks
    load.post_at_rate(&rig.cluster, count, RATE).await;
    let (accepted, times) = (load.ids(), load.times_after(before));
    assert_eq!(accepted.len(), before + count, "all are accepted");
    let last = rig.select("SELECT max(id) FROM outbox").await.remove(0);
    let backlog = rig.select_number("SELECT count(*)::text FROM outbox").await;
    let broker = std::sync::Arc::clone(&rig.broker);
    tokio::task::spawn_blocking(move || broker.boot()).await.expect("it runs again");
    let back = Instant::now();
    let left = format!("SELECT count(*)::text FROM outbox WHERE id <= '{last}'");
    within(scenario_limit(), "the backlog is published", async || {
        (rig.select_number(&left).await == 0.0).then_some(())
    })
    .await;
    let published = back.elapsed();
    let evidence = rig.finish(scenario_limit()).await;
    evidence.expect_all(&accepted);
    print_figure("RabbitMQ down: POST /api/meetings", &format!("{count} times 202 at {RATE}/s: {}", times.summary()));
    print_figure(
        "RabbitMQ back",
        &format!(
            "{backlog} messages published after {published:.1?}, {count} meetings arranged after {:.1?}",
            back.elapsed()
        ),
    );
    if is_full_size() {
        assert!(times.percentile(100.0) <= Duration::from_millis(100), "{}", times.summary());
        assert!(published <= Duration::from_secs(30), "{published:?}");
    }
}
