//! Every job of a full queue succeeds at the first attempt; and the figures: meetings and jobs per second.

use std::process::Command;
use std::time::Instant;

use crate::support::benchmarks::{print_figure, scenario_limit, soak_size};
use crate::support::fault_rig::FaultRig;
use crate::support::load::{Load, wait_for_all_jobs};
use crate::support::servers::env_var;
use crate::support::{eventually, within};

/// Messages that the broker alone takes and delivers in a second, measured by the executable that `W2MEET_TEST_TRANSPORT`
/// names (`scripts/transport.rs`).
fn measure_transport(rig: &FaultRig, messages: usize) -> Option<(f64, f64)> {
    let mut command = Command::new(env_var("W2MEET_TEST_TRANSPORT")?);
    let queue = format!("{}.transport", rig.names.queue);
    let command = command.arg(messages.to_string()).env("W2MEET_QUEUE__URL", &rig.names.url);
    let output = command.env("W2MEET_QUEUE__NAME", queue).output().expect("it starts");
    let text = String::from_utf8(output.stdout).expect("text");
    let mut rates = text.split_whitespace().map(|rate| rate.parse().expect("a number"));
    rates.next().zip(rates.next())
}

/// Posts meetings while no worker runs, then starts workers until all jobs are done. Gives the meetings accepted and the
/// jobs done in a second.
async fn work_off(rig: &FaultRig, load: &Load, meetings: usize, workers: usize) -> (f64, f64) {
    for worker in rig.workers.borrow().iter() {
        worker.signal("KILL");
    }
    let begin = Instant::now();
    load.post(&rig.cluster, meetings).await;
    let accepted = meetings as f64 / begin.elapsed().as_secs_f64();
    within(scenario_limit(), "all are published", async || {
        (rig.select_number("SELECT count(*)::text FROM outbox").await == 0.0).then_some(())
    })
    .await;
    let done = "SELECT count(*)::text FROM jobs WHERE state = 'succeeded'";
    let before = rig.select_number(done).await;
    let begin = Instant::now();
    let new: Vec<_> = (0..workers).map(|_| rig.workers.borrow()[0].respawn()).collect();
    rig.workers.replace(new);
    eventually("they begin", async || (rig.count_lines("JOB_START") > 0).then_some(())).await;
    wait_for_all_jobs(&rig.cluster, scenario_limit()).await;
    let took = begin.elapsed().as_secs_f64();
    (accepted, (rig.select_number(done).await - before) / took)
}

#[actix_web::test]
async fn every_job_of_a_full_queue_succeeds_at_the_first_attempt() {
    let meetings = soak_size("RATED", 40);
    let Some(rig) = FaultRig::start(&[]).await else { return };
    let load = Load::prepare(&rig.cluster, meetings * 2, "").await;
    let bare = measure_transport(&rig, meetings * 2);
    let (accepted, one) = work_off(&rig, &load, meetings, 1).await;
    let (_, two) = work_off(&rig, &load, meetings, 2).await;
    assert_eq!(load.accepted(), meetings * 2, "every request is accepted");
    let failed = "SELECT count(*)::text FROM jobs WHERE state <> 'succeeded' OR attempt <> 1";
    assert_eq!(rig.select_number(failed).await, 0.0, "jobs that failed or were started again");
    let ratio = |rate: f64, bare: Option<f64>| bare.map_or("-".to_owned(), |bare| format!("1/{:.0}", bare / rate));
    let (published, consumed) = (bare.map(|it| it.0), bare.map(|it| it.1));
    if let Some((published, consumed)) = bare {
        print_figure(
            "RabbitMQ with nothing else done",
            &format!("{published:.0} published/s, {consumed:.0} consumed/s"),
        );
    }
    print_figure("POST /api/meetings", &format!("{accepted:.0}/s, {} of publishing", ratio(accepted, published)));
    print_figure("jobs by one worker", &format!("{one:.0}/s, {} of consuming", ratio(one, consumed)));
    print_figure("jobs by two workers", &format!("{two:.0}/s, {:.2} times one worker", two / one));
}
