//! Two workers share the work.

use std::time::Duration;

use crate::support::benchmarks::{is_full_size, print_figure, soak_size};
use crate::support::eventually;
use crate::support::fault_rig::FaultRig;
use crate::support::load::{Load, wait_for_all_jobs};

const LIMIT: Duration = Duration::from_secs(300);

#[actix_web::test]
async fn two_workers_do_about_as_many_jobs_each() {
    let meetings = soak_size("JOBS", 60) / 2;
    let Some(rig) = FaultRig::start(&[]).await else { return };
    rig.add_worker();
    let load = Load::prepare(&rig.cluster, meetings, "").await;
    eventually("both take jobs", async || (rig.names.count_consumers().await == 2).then_some(())).await;
    load.post(&rig.cluster, meetings).await;
    wait_for_all_jobs(&rig.cluster, LIMIT).await;
    let done: Vec<usize> = rig.workers.borrow().iter().map(|worker| worker.count_lines("JOB_DONE")).collect();
    let (all, apart) = (done[0] + done[1], done[0].abs_diff(done[1]));
    print_figure("two workers share the jobs", &format!("{all} jobs: {} and {}", done[0], done[1]));
    assert!(done.iter().all(|mine| mine * 5 >= all), "{done:?}");
    if is_full_size() {
        assert!(apart * 10 <= all, "{done:?}");
    }
}
