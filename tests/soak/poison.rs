//! Jobs that can never succeed, and invalid messages: they end in the right state, and block no other job.

use std::collections::HashMap;
use std::time::Duration;

use amqprs::BasicProperties;
use amqprs::channel::BasicPublishArguments;
use jiff::Timestamp;
use uuid::Uuid;

use crate::support::benchmarks::{Latencies, is_full_size, print_figure, soak_size};
use crate::support::eventually;
use crate::support::fault_rig::FaultRig;
use crate::support::load::{Load, wait_for_all_jobs};

const ATTEMPTS: usize = 5;
const RATE: usize = 25;
const LIMIT: Duration = Duration::from_secs(120);

/// How long each job waited from its making to its first attempt.
async fn waits(rig: &FaultRig) -> HashMap<String, Duration> {
    let mut begun: HashMap<String, Timestamp> = HashMap::new();
    for line in rig.workers.borrow().iter().flat_map(|worker| worker.log()) {
        if line["message"] == "JOB_START" {
            let id = line["job_id"].as_str().expect("an id").to_owned();
            let at = line["at"].as_str().expect("a time").parse().expect("a time");
            begun.entry(id).or_insert(at);
        }
    }
    let made =
        "SELECT id || ' ' || to_char(created_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM jobs WHERE kind <> 'juggle'";
    let rows = rig.select(made).await;
    let wait = |row: &String| {
        let (id, at) = row.split_once(' ')?;
        let waited = begun.get(id)?.duration_since(at.parse().ok()?);
        Some((id.to_owned(), waited.try_into().unwrap_or_default()))
    };
    rows.iter().filter_map(wait).collect()
}

/// Arranges so many meetings at a steady rate; says how long their jobs waited.
async fn steady(rig: &FaultRig, load: &Load, count: usize) -> Latencies {
    let before = waits(rig).await;
    load.post_at_rate(&rig.cluster, count, RATE).await;
    wait_for_all_jobs(&rig.cluster, LIMIT).await;
    let after = waits(rig).await;
    Latencies::from_times(after.into_iter().filter(|(id, _)| !before.contains_key(id)).map(|(_, wait)| wait))
}

/// Puts a job of a kind that no worker knows among the others.
async fn poison(rig: &FaultRig) -> Uuid {
    let id = Uuid::now_v7();
    let row = "(id, kind, subject, payload, state, attempt, max_attempts, sent, supersedable, due_at, token, errors, case_id, traceparent, created_at, updated_at)";
    rig
        .execute(&format!(
            "INSERT INTO jobs {row} SELECT '{id}', 'juggle', subject, '{{}}', 'retryable', 0, max_attempts, 0, false, created_at, 'none', \
             '[]', 'poison', '', created_at, updated_at FROM jobs WHERE kind = 'schedule_meeting' LIMIT 1"
        ))
        .await;
    id
}

#[actix_web::test]
async fn a_job_that_always_fails_is_abandoned_and_delays_no_other() {
    let meetings = soak_size("JOBS", 60) / 2;
    let attempts = ATTEMPTS.to_string();
    let settings = [("W2MEET_JOBS__MAX_ATTEMPTS", attempts.as_str()), ("W2MEET_JOBS__RETRY_SECONDS", "0.02")];
    let Some(rig) = FaultRig::start(&settings).await else { return };
    let load = Load::prepare(&rig.cluster, meetings * 2, "").await;
    let without = steady(&rig, &load, meetings).await;
    let id = poison(&rig).await;
    let with = steady(&rig, &load, meetings).await;
    let job = eventually("it is given up", async || {
        let job = rig.cluster.get(&format!("/api/jobs/{id}")).await.expect(200).json;
        (job["state"] == "dead").then_some(job)
    })
    .await;
    assert_eq!((job["attempt"].as_u64(), job["errors"].as_array().map(Vec::len)), (Some(5), Some(ATTEMPTS)), "{job}");
    let begun = rig.workers.borrow()[0].log().into_iter();
    let begun = begun.filter(|line| line["message"] == "JOB_START" && line["job_id"] == id.to_string().as_str());
    assert_eq!(begun.count(), ATTEMPTS);
    let dead = rig.cluster.get("/api/jobs?state=dead").await.expect(200).json;
    assert_eq!(dead["jobs"].as_array().map(Vec::len), Some(1), "no other is dead: {dead}");
    print_figure(
        &format!("one poison job among {}", meetings * 2),
        &format!(
            "dead after {ATTEMPTS} attempts of {ATTEMPTS}; waits of the others: {}; without it: {}",
            with.summary(),
            without.summary()
        ),
    );
    if is_full_size() {
        let (with, without) = (with.percentile(99.0), without.percentile(99.0));
        assert!(with <= Duration::from_secs(2) && with <= without.mul_f64(1.5) + Duration::from_millis(50));
    }
}

#[actix_web::test]
async fn a_message_without_a_job_is_dead_lettered_and_delays_no_other() {
    let Some(rig) = FaultRig::start(&[]).await else { return };
    let load = Load::prepare(&rig.cluster, 20, &rig.receiver.url).await;
    let (connection, channel) = rig.names.channel().await;
    let arguments = BasicPublishArguments::new("", &rig.names.queue);
    let published = channel.basic_publish(BasicProperties::default(), b"no job at all".to_vec(), arguments).await;
    published.expect("published");
    load.post(&rig.cluster, 20).await;
    rig.finish(LIMIT).await.expect_all(&load.ids());
    let dead = eventually("it is among the dead", async || rig.names.take_dead().await).await;
    assert_eq!(dead, "no job at all");
    connection.close().await.expect("closed");
    print_figure("a message that names no job", "in the dead-letter queue; 20 meetings around it arranged");
}
