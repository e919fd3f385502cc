//! How many meetings are accepted, and how many jobs are done, in a second; beside the queue with nothing else to do.

use std::process::Command;
use std::time::Instant;

use crate::support::benchmarks::{figure, long, size};
use crate::support::fault_rig::Plant;
use crate::support::load::{Load, all_done};
use crate::support::servers::told;
use crate::support::{eventually, within};

/// Messages published and consumed in a second by `scripts/transport.rs`, which `W2MEET_TEST_TRANSPORT` names when built.
fn transport(plant: &Plant, messages: usize) -> Option<(f64, f64)> {
    let mut command = Command::new(told("W2MEET_TEST_TRANSPORT")?);
    let queue = format!("{}.transport", plant.names.queue);
    let command = command.arg(messages.to_string()).env("W2MEET_QUEUE__URL", &plant.names.url);
    let output = command.env("W2MEET_QUEUE__NAME", queue).output().expect("it starts");
    let text = String::from_utf8(output.stdout).expect("text");
    let mut rates = text.split_whitespace().map(|rate| rate.parse().expect("a number"));
    rates.next().zip(rates.next())
}

/// Arranges what waits, with so many workers; jobs in a second.
async fn work_off(plant: &Plant, load: &Load, meetings: usize, workers: usize) -> (f64, f64) {
    for worker in plant.workers.borrow().iter() {
        worker.signal("KILL");
    }
    let begin = Instant::now();
    load.post(&plant.cluster, meetings).await;
    let accepted = meetings as f64 / begin.elapsed().as_secs_f64();
    within(long(), "all are published", async || {
        (plant.number("SELECT count(*)::text FROM outbox").await == 0.0).then_some(())
    })
    .await;
    let done = "SELECT count(*)::text FROM jobs WHERE state = 'succeeded'";
    let before = plant.number(done).await;
    let begin = Instant::now();
    let new: Vec<_> = (0..workers).map(|_| plant.workers.borrow()[0].again()).collect();
    plant.workers.replace(new);
    eventually("they begin", async || (plant.said("JOB_START") > 0).then_some(())).await;
    all_done(&plant.cluster, long()).await;
    let took = begin.elapsed().as_secs_f64();
    (accepted, (plant.number(done).await - before) / took)
}

#[actix_web::test]
async fn meetings_and_jobs_in_a_second() {
    let meetings = size("RATED", 40);
    let Some(plant) = Plant::open(&[]).await else { return };
    let load = Load::prepare(&plant.cluster, meetings * 2, "").await;
    let bare = transport(&plant, meetings * 2);
    let (accepted, one) = work_off(&plant, &load, meetings, 1).await;
    let (_, two) = work_off(&plant, &load, meetings, 2).await;
    let ratio = |rate: f64, bare: Option<f64>| bare.map_or("-".to_owned(), |bare| format!("1/{:.0}", bare / rate));
    let (published, consumed) = (bare.map(|it| it.0), bare.map(|it| it.1));
    if let Some((published, consumed)) = bare {
        figure("RabbitMQ with nothing else done", &format!("{published:.0} published/s, {consumed:.0} consumed/s"));
    }
    figure("POST /api/meetings", &format!("{accepted:.0}/s, {} of publishing", ratio(accepted, published)));
    figure("jobs by one worker", &format!("{one:.0}/s, {} of consuming", ratio(one, consumed)));
    figure("jobs by two workers", &format!("{two:.0}/s, {:.2} times one worker", two / one));
}
