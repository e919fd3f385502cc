//! Whoever only asks for a time does not notice how many meetings wait.

use std::time::Instant;

use futures_util::{StreamExt, stream};

use crate::support::Client;
use crate::support::benchmarks::{Times, figure, long, size, strict};
use crate::support::fault_rig::Plant;
use crate::support::load::Load;

const PATH: &str = "/api/suggestions?attendee=a0@example.com&attendee=b0@example.com";
/// Measured so often; the one in the middle counts.
const PARTS: usize = 5;

/// Asks, four at a time; the part whose p99 is in the middle.
async fn ask(client: &Client, count: usize) -> Times {
    let one = async |_: usize| {
        let begin = Instant::now();
        client.get(PATH).await.expect(200);
        begin.elapsed()
    };
    let mut parts = Vec::new();
    for _ in 0..PARTS {
        let times = stream::iter(0..count.div_ceil(PARTS)).map(one).buffer_unordered(4).collect::<Vec<_>>().await;
        parts.push(Times::of(times));
    }
    parts.sort_by_key(|part| part.percentile(99.0));
    parts.swap_remove(PARTS / 2)
}

#[actix_web::test]
async fn suggestions_are_as_fast_with_many_jobs_in_the_queue() {
    let (jobs, questions) = (size("MEETINGS", 40), size("QUESTIONS", 100));
    let Some(plant) = Plant::open(&[]).await else { return };
    let load = Load::prepare(&plant.cluster, jobs, "").await;
    ask(&plant.cluster, questions).await; // warm
    let idle = ask(&plant.cluster, questions).await;
    let worker = plant.workers.borrow_mut().remove(0);
    worker.signal("KILL");
    load.post(&plant.cluster, jobs).await;
    crate::support::within(long(), "all are published", async || {
        (plant.number("SELECT count(*)::text FROM outbox").await == 0.0).then_some(())
    })
    .await;
    let queued = ask(&plant.cluster, questions).await;
    plant.workers.borrow_mut().push(worker.again());
    let worked = ask(&plant.cluster, questions).await;
    let ratio = queued.percentile(99.0).as_secs_f64() / idle.percentile(99.0).as_secs_f64();
    figure("suggestions while nothing waits", &idle.tell());
    figure(&format!("suggestions with {jobs} jobs queued"), &format!("{}; p99 {ratio:.2} of idle", queued.tell()));
    figure("suggestions while these jobs are worked on", &worked.tell());
    if strict() {
        assert!(ratio <= 1.2, "{ratio}");
    }
}
