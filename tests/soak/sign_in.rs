//! The time of a sign-in does not reveal whether an account exists, and many sign-ins do not slow down other requests.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use serde_json::json;

use crate::support::access::{REQUIRED, auth_with_costly_passwords, register};
use crate::support::benchmarks::{Latencies, is_full_size, print_figure, soak_size};
use crate::support::{Client, Cluster, Shape};

/// Attempts in a row that an address has before it must wait.
const FREE: usize = 5;
/// The difference below which two means count as equal, at one in a thousand.
const T: f64 = 3.29;

/// At full size passwords cost what they cost by default.
async fn cluster(shape: Shape) -> Cluster {
    match is_full_size() {
        true => Cluster::in_shape(shape, &auth_with_costly_passwords()).await,
        false => Cluster::in_shape(shape, REQUIRED).await,
    }
}

async fn attempt(client: &Client, email: &str) -> (u16, Duration) {
    let begin = Instant::now();
    let body = json!({ "email": email, "password": "der Zug nach Porto war leer" });
    let status = client.post("/api/auth/login", body).await.status;
    (status, begin.elapsed())
}

/// Mean and variance, in seconds.
fn moments(times: &[f64]) -> (f64, f64) {
    let count = times.len() as f64;
    let mean = times.iter().sum::<f64>() / count;
    (mean, times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0))
}

#[actix_web::test]
async fn the_time_of_a_failed_sign_in_reveals_nothing() {
    let attempts = soak_size("SIGN_INS", 20);
    let cluster = cluster(Shape::Services).await;
    let people = attempts.div_ceil(FREE);
    for at in 0..people {
        register(&cluster, &format!("known{at}@example.com")).await;
    }
    for _ in 0..FREE {
        attempt(&cluster, "warm@example.com").await;
    }
    let mut times = [Vec::new(), Vec::new()];
    for at in 0..people * FREE {
        // now one first, now the other: what the machine does besides falls on both
        for group in [at % 2, (at + 1) % 2] {
            let name = ["known", "strange"][group];
            let (status, time) = attempt(&cluster, &format!("{name}{}@example.com", at / FREE)).await;
            assert_eq!(status, 401);
            times[group].push(time.as_secs_f64());
        }
    }
    let ((known, spread), (unknown, other)) = (moments(&times[0]), moments(&times[1]));
    let count = times[0].len() as f64;
    let t = (known - unknown) / (spread / count + other / count).sqrt();
    let apart = (known / unknown - 1.0) * 100.0;
    let output = format!(
        "known {:.2} ms, unknown {:.2} ms: {apart:+.2} %; Welch's t {t:.2} (n = {count} each)",
        known * 1e3,
        unknown * 1e3
    );
    print_figure("failed sign-ins", &output);
    if is_full_size() {
        assert!(apart.abs() < 5.0 && t.abs() < T, "{output}");
    }
}

#[actix_web::test]
async fn many_sign_ins_do_not_slow_down_signed_in_callers() {
    let logins = soak_size("LOGINS", 40);
    let cluster = cluster(Shape::Services).await;
    let ana = register(&cluster, "ana@example.com").await;
    let ask = async || {
        let begin = Instant::now();
        ana.get("/api/users/ana@example.com").await.expect(200);
        begin.elapsed()
    };
    let calm = Latencies::from_times(stream::iter(0..200).then(|_| ask()).collect::<Vec<_>>().await);
    // a client has a hundred connections at most
    let clients: Vec<Client> = (0..4).map(|_| Client::new(cluster.base())).collect();
    let many = async {
        let all = (0..logins).map(|at| {
            let client = &clients[at % clients.len()];
            async move { attempt(client, &format!("crowd{at}@example.com")).await }
        });
        join_all(all).await
    };
    let over = std::cell::Cell::new(false);
    let (answers, times) = futures_util::future::join(
        async {
            let answers = many.await;
            over.set(true);
            answers
        },
        async {
            let mut times = Vec::new();
            while !over.get() || times.len() < 20 {
                times.push(ask().await);
            }
            times
        },
    )
    .await;
    let count = |status: u16| answers.iter().filter(|(one, _)| *one == status).count();
    let (served, sent_away) = (count(401), count(503));
    assert_eq!(served + sent_away, logins, "{answers:?}");
    assert!(served > 0, "{answers:?}");
    let (longest, times) =
        (Latencies::from_times(answers.iter().map(|(_, time)| *time)).longest(), Latencies::from_times(times));
    print_figure(
        &format!("{logins} sign-ins at once"),
        &format!("{served} served, {sent_away} asked to come again (503), the last after {longest:.1?}"),
    );
    print_figure("a user read meanwhile", &format!("{}; before: {}", times.summary(), calm.summary()));
    if is_full_size() {
        assert!(times.percentile(99.0) <= Duration::from_millis(50), "{}", times.summary());
    }
}
