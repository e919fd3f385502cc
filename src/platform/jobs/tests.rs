//! The rules by which a job goes on: how long it waits, and when it is given up.

use jiff::Timestamp;
use uuid::Uuid;

use super::api::RetryDecision;
use super::backoff::Backoff;
use super::model::{Job, JobState, sweep_at};
use crate::config::Jobs as Limits;

fn job(attempt: i32) -> Job {
    let now = Timestamp::UNIX_EPOCH;
    Job {
        id: Uuid::nil(),
        kind: String::new(),
        subject: Uuid::nil(),
        state: JobState::Running,
        attempt,
        max_attempts: 10,
        sent: 1,
        due_at: None,
        token: String::new(),
        errors: Vec::new(),
        case_id: String::new(),
        traceparent: String::new(),
        created_at: now,
        updated_at: now,
    }
}

fn limits() -> Limits {
    Limits {
        concurrency: 8,
        max_attempts: 10,
        retry_seconds: 15.0,
        sweep_seconds: 60.0,
        attempt_seconds: 60,
        drain_seconds: 25,
        backlog: 100_000,
        keep_days: 180,
    }
}

const AGAIN: RetryDecision = RetryDecision::Retry { retry_after: None, slow: false };

#[test]
fn ten_attempts_wait_longer_and_longer_and_the_tenth_is_the_last() {
    let mut waits = Vec::new();
    for attempt in 1..=10 {
        for chance in [0.0, 1.0] {
            let after = job(attempt).after(AGAIN, "no", Backoff::Polynomial, &limits(), chance, Timestamp::UNIX_EPOCH);
            if attempt == 10 {
                assert_eq!((after.state, after.due_at), (JobState::Dead, None));
                continue;
            }
            assert_eq!(after.state, JobState::Retryable);
            waits.push(after.due_at.map_or(0.0, |at| at.as_millisecond() as f64 / 1000.0));
        }
    }
    let middle: Vec<f64> = waits.chunks(2).map(|pair| f64::midpoint(pair[0], pair[1]).round()).collect();
    assert_eq!(middle, [16.0, 31.0, 96.0, 271.0, 640.0, 1311.0, 2416.0, 4111.0, 6576.0]);
    assert!(waits.chunks(2).all(|pair| (pair[1] / pair[0] - 1.5).abs() < 0.01), "{waits:?}");
}

#[test]
fn a_job_that_was_taken_up_again_waits_as_at_first() {
    let again = Job { max_attempts: 20, ..job(11) };
    let after = again.after(AGAIN, "no", Backoff::Webhook, &limits(), 0.5, Timestamp::UNIX_EPOCH);
    assert_eq!(after.due_at.map_or(0, Timestamp::as_second), 5);
}

#[test]
fn an_attempt_that_was_none_costs_none() {
    let after =
        job(10).after(RetryDecision::Snooze, "stopping", Backoff::Polynomial, &limits(), 0.5, Timestamp::UNIX_EPOCH);
    assert_eq!((after.state, after.max_attempts), (JobState::Retryable, 11));
}

#[test]
fn webhooks_follow_their_schedule_and_mind_what_the_other_side_asks() {
    let wait = |attempt, verdict| {
        let after = job(attempt).after(verdict, "no", Backoff::Webhook, &limits(), 0.5, Timestamp::UNIX_EPOCH);
        after.due_at.map_or(0, Timestamp::as_second)
    };
    let asked = |seconds, slow| RetryDecision::Retry { retry_after: Some(seconds), slow };
    assert_eq!((1..=4).map(|attempt| wait(attempt, AGAIN)).collect::<Vec<_>>(), [5, 300, 1800, 7200]);
    assert_eq!((wait(1, asked(7, false)), wait(1, asked(1, false)), wait(1, asked(99, false))), (7, 5, 10));
    assert_eq!(wait(1, RetryDecision::Retry { retry_after: None, slow: true }), 60);
}

#[test]
fn the_sweep_doubles() {
    let at = |sent| sweep_at(sent, &limits(), Timestamp::UNIX_EPOCH).map_or(0, Timestamp::as_second);
    assert_eq!([at(0), at(1), at(2)], [60, 120, 240]);
}
