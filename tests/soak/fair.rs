//! Two workers share the work.

use std::time::Duration;

use crate::support::benchmarks::{figure, size, strict};
use crate::support::eventually;
use crate::support::fault_rig::Plant;
use crate::support::load::{Load, all_done};

const LIMIT: Duration = Duration::from_secs(300);

#[actix_web::test]
async fn two_workers_do_about_as_many_jobs_each() {
    let meetings = size("JOBS", 60) / 2;
    let Some(plant) = Plant::open(&[]).await else { return };
    plant.hire();
    let load = Load::prepare(&plant.cluster, meetings, "").await;
    eventually("both take jobs", async || (plant.names.consumers().await == 2).then_some(())).await;
    load.post(&plant.cluster, meetings).await;
    all_done(&plant.cluster, LIMIT).await;
    let done: Vec<usize> = plant.workers.borrow().iter().map(|worker| worker.count("JOB_DONE")).collect();
    let (all, apart) = (done[0] + done[1], done[0].abs_diff(done[1]));
    figure("two workers share the jobs", &format!("{all} jobs: {} and {}", done[0], done[1]));
    assert!(done.iter().all(|mine| mine * 5 >= all), "{done:?}");
    if strict() {
        assert!(apart * 10 <= all, "{done:?}");
    }
}
