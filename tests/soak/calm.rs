//! Searches stay fast, however many meetings wait to be scheduled.

use std::time::Instant;

use futures_util::{StreamExt, stream};

use crate::support::Client;
use crate::support::benchmarks::{Latencies, is_full_size, print_figure, scenario_limit, soak_size};
use crate::support::fault_rig::FaultRig;
use crate::support::load::Load;

const PATH: &str = "/api/suggestions?attendee=a0@example.com&attendee=b0@example.com";
/// Measured so often; the one in the middle counts.
const PARTS: usize = 5;

/// Asks, four at a time; the part whose p99 is in the middle.
async fn ask(client: &Client, count: usize) -> Latencies {
    let one = async |_: usize| {
        let begin = Instant::now();
        client.get(PATH).await.expect(200);
        begin.elapsed()
    };
    let mut parts = Vec::new();
    for _ in 0..PARTS {
        let times = stream::iter(0..count.div_ceil(PARTS)).map(one).buffer_unordered(4).collect::<Vec<_>>().await;
        parts.push(Latencies::from_times(times));
    }
    parts.sort_by_key(|part| part.percentile(99.0));
    parts.swap_remove(PARTS / 2)
}

#[actix_web::test]
async fn suggestions_are_as_fast_with_many_jobs_in_the_queue() {
    let (jobs, questions) = (soak_size("MEETINGS", 40), soak_size("QUESTIONS", 100));
    let Some(rig) = FaultRig::start(&[]).await else { return };
    let load = Load::prepare(&rig.cluster, jobs, "").await;
    ask(&rig.cluster, questions).await; // warm
    let idle = ask(&rig.cluster, questions).await;
    let worker = rig.workers.borrow_mut().remove(0);
    worker.signal("KILL");
    load.post(&rig.cluster, jobs).await;
    crate::support::within(scenario_limit(), "all are published", async || {
        (rig.select_number("SELECT count(*)::text FROM outbox").await == 0.0).then_some(())
    })
    .await;
    let queued = ask(&rig.cluster, questions).await;
    rig.workers.borrow_mut().push(worker.respawn());
    let worked = ask(&rig.cluster, questions).await;
    let ratio = queued.percentile(99.0).as_secs_f64() / idle.percentile(99.0).as_secs_f64();
    print_figure("suggestions while nothing waits", &idle.summary());
    print_figure(
        &format!("suggestions with {jobs} jobs queued"),
        &format!("{}; p99 {ratio:.2} of idle", queued.summary()),
    );
    print_figure("suggestions while these jobs are worked on", &worked.summary());
    if is_full_size() {
        assert!(ratio <= 1.2, "{ratio}");
    }
}
