//! Workers that stop in the middle of a job, hang too long, or are stopped by a signal.

use std::time::{Duration, Instant};

use crate::support::benchmarks::print_figure;
use crate::support::fault_rig::FaultRig;
use crate::support::load::Load;
use crate::support::{eventually, within};

const LIMIT: Duration = Duration::from_secs(120);
/// As many as a worker has hands.
const HANDS: usize = 8;

/// Meetings whose webhooks hang at the receiver, in the worker's hands.
async fn with_full_hands(rig: &FaultRig) -> Load {
    let load = Load::prepare(&rig.cluster, HANDS, &rig.receiver.url).await;
    rig.receiver.hold_replies();
    load.post(&rig.cluster, HANDS).await;
    eventually("its hands are full", async || (rig.receiver.count_received() >= HANDS).then_some(())).await;
    load
}

#[actix_web::test]
async fn the_late_report_of_a_worker_that_hung_is_refused() {
    let settings = [("W2MEET_JOBS__SWEEP_SECONDS", "1"), ("W2MEET_JOBS__ATTEMPT_SECONDS", "2")];
    let Some(rig) = FaultRig::start(&settings).await else { return };
    let load = with_full_hands(&rig).await;
    rig.signal_workers("STOP");
    rig.receiver.resume_replies();
    rig.add_worker();
    let evidence = rig.finish(LIMIT).await;
    evidence.expect_all(&load.ids());
    let reservation = rig.cluster.nodes_of("reservation")[0];
    let refused = || {
        reservation.log().iter().filter(|line| line["status"] == 409 && line["message"] == "request completed").count()
    };
    let before = refused();
    rig.workers.borrow()[0].signal("CONT");
    let late =
        eventually("its reports come late", async || (refused() >= before + HANDS).then(|| refused() - before)).await;
    let again = rig.finish(LIMIT).await;
    again.expect_all(&load.ids());
    assert_eq!(again.meetings, evidence.meetings, "they changed nothing");
    let repeated = rig.receiver.count_received() - again.hooks.len();
    print_figure(
        "a worker hangs with jobs in hand, and goes on after another did them",
        &format!("{late} late reports refused, one effect each; {repeated} webhooks sent twice under the same id"),
    );
}

#[actix_web::test]
async fn a_job_is_not_repeated_when_its_report_is_lost_at_first() {
    let Some(rig) = FaultRig::start(&[("W2MEET_LIMITS__CALL_SECONDS", "1")]).await else { return };
    let load = with_full_hands(&rig).await;
    let reservation = rig.cluster.nodes_of("reservation")[0];
    reservation.signal("STOP");
    rig.receiver.resume_replies();
    eventually("a report is not heard", async || (rig.count_lines("call failed") > 0).then_some(())).await;
    reservation.signal("CONT");
    let evidence = rig.finish(LIMIT).await;
    evidence.expect_all(&load.ids());
    assert_eq!(rig.receiver.count_received(), evidence.hooks.len(), "nothing was told twice");
    assert_eq!(rig.select_number("SELECT max(attempt)::text FROM jobs").await, 1.0, "nothing was begun again");
}

#[actix_web::test]
async fn a_worker_finishes_its_running_jobs_on_sigterm() {
    let Some(rig) = FaultRig::start(&[]).await else { return };
    let load = with_full_hands(&rig).await;
    rig.signal_workers("TERM");
    let begin = Instant::now();
    eventually("it is stopping", async || (rig.count_lines("\"stopping") > 0).then_some(())).await;
    assert!(rig.workers.borrow()[0].exit_status().is_none(), "it waits for its jobs");
    rig.receiver.resume_replies();
    let ended = within(Duration::from_secs(26), "it ends", async || rig.workers.borrow()[0].exit_status()).await;
    let took = begin.elapsed();
    assert_eq!(ended.code(), Some(0));
    rig.add_worker();
    let evidence = rig.finish(LIMIT).await;
    evidence.expect_all(&load.ids());
    assert_eq!(rig.receiver.count_received(), evidence.hooks.len(), "nothing was told twice");
    assert_eq!(rig.select_number("SELECT max(attempt)::text FROM jobs").await, 1.0, "no attempt was lost");
    print_figure("SIGTERM with 8 jobs in hand", &format!("finished them, ended after {took:.1?}, no attempt lost"));
}
