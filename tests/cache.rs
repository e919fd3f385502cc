//! The cache in front of the database: no response is older than a write that was acknowledged before the request.

use std::time::{Duration, Instant};

use actix_web::rt::spawn;
use futures_util::future::join_all;
use serde_json::json;

use crate::support::history::History;
use crate::support::servers::{env_var, print_line};
use crate::support::{Cluster, PrivatePostgres, PrivateRedis, Replicas, eventually};

const PEOPLE: usize = 6;

fn rounds() -> usize {
    env_var("W2MEET_TEST_CACHE_ROUNDS").map_or(2000, |rounds| rounds.parse().expect("a number"))
}

#[actix_web::test]
async fn no_answer_is_older_than_an_acknowledged_write_while_redis_forgets_everything_ten_times_a_second() {
    let Some(redis) = PrivateRedis::start() else { return };
    let replicas = Replicas::start(&[&redis.url(), &redis.url()]).await;
    let history = History::start(&replicas.clients[0], PEOPLE).await;
    let mut conn = redis.connect();
    let flushing = spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        for flushes in 0.. {
            tick.tick().await;
            let flushed: Result<(), _> = deadpool_redis::redis::cmd("FLUSHALL").query(&mut conn);
            assert!(flushed.is_ok(), "after {flushes}");
        }
    });
    let begin = Instant::now();
    history.run(&replicas.clients, rounds()).await;
    assert!(!flushing.is_finished(), "Redis was to forget until the end");
    flushing.abort();
    let hits = replicas.count_lines("cache hit", "reader");
    print_line(&format!(
        "cache over PostgreSQL and Redis: {} rounds, {} reads, {hits} hits, {} put off, FLUSHALL every 100 ms, in {:.1?}",
        rounds(),
        history.reads.get(),
        history.put_off.get(),
        begin.elapsed()
    ));
    assert!(hits > rounds() / 10, "only {hits} hits: that was no test of the cache");
    history.expect_nothing_stale();
}

#[actix_web::test]
async fn no_answer_is_older_than_an_acknowledged_write_in_one_process() {
    // so small that it forgets all the time
    let cluster = Cluster::all_with(&[("W2MEET_SERVER__WORKERS", "2"), ("W2MEET_CACHE__CAPACITY", "4")]).await;
    let node = &cluster.nodes[0];
    let clients = [node.client("user"), node.client("user")];
    let history = History::start(&clients[0], PEOPLE).await;
    let begin = Instant::now();
    history.run(&clients, rounds() / 2).await;
    print_line(&format!(
        "cache in one process: {} rounds, {} reads, {} put off, in {:.1?}",
        rounds() / 2,
        history.reads.get(),
        history.put_off.get(),
        begin.elapsed()
    ));
    history.expect_nothing_stale();
}

#[actix_web::test]
async fn two_hundred_cold_reads_of_one_user_ask_the_database_at_most_once_per_replica() {
    let (Some(postgres), Some(redis)) = (PrivatePostgres::start(), PrivateRedis::start()) else {
        return;
    };
    let replicas = Replicas::start_over(&postgres.url(), &[&redis.url(), &redis.url()]);
    let cold = "cold@example.com";
    replicas.clients[0].post("/users", json!({ "email": cold, "name": "Cold" })).await.expect(201);
    let selects = || {
        let log = postgres.log();
        let mut lines = log.lines().zip(log.lines().skip(1));
        let ours = |(statement, parameters): &(&str, &str)| statement.contains("SELECT") && parameters.contains(cold);
        lines.by_ref().filter(ours).count()
    };
    let mut most = 0;
    for _ in 0..5 {
        let flushed: Result<(), _> = deadpool_redis::redis::cmd("FLUSHALL").query(&mut redis.connect());
        flushed.expect("it answers");
        let before = selects();
        let read = async |at: usize| replicas.clients[at % 2].get(&format!("/users/{cold}")).await.expect(200);
        join_all((0..200).map(read)).await;
        most = most.max(selects() - before);
    }
    print_line(&format!("200 cold reads on 2 replicas: at most {most} SELECTs in five tries"));
    assert!((1..=2).contains(&most), "{most} SELECTs");
}

#[actix_web::test]
async fn a_new_user_is_visible_at_every_replica_at_once() {
    let Some(redis) = PrivateRedis::start() else { return };
    let replicas = Replicas::start(&[&redis.url(), &redis.url()]).await;
    for at in 0..20 {
        let email = format!("late{at}@example.com");
        let path = format!("/users/{email}");
        for client in &replicas.clients {
            client.get(&path).await.expect(404);
        }
        replicas.clients[at % 2].post("/users", json!({ "email": email, "name": "Late" })).await.expect(201);
        for client in &replicas.clients {
            client.get(&path).await.expect(200);
        }
        replicas.clients[at % 2].delete(&path).await.expect(204);
        for client in &replicas.clients {
            client.get(&path).await.expect(404);
        }
    }
    // the second 404 before the making was the cache's own
    let remembered = async || (replicas.count_lines("cache hit", "late") >= 20).then_some(());
    eventually("absence is remembered", remembered).await;
}

#[actix_web::test]
async fn the_first_read_after_a_write_is_a_hit_at_every_replica() {
    let Some(redis) = PrivateRedis::start() else { return };
    let replicas = Replicas::start(&[&redis.url(), &redis.url()]).await;
    let (email, path) = ("warm@example.com", "/users/warm@example.com");
    replicas.clients[0].post("/users", json!({ "email": email, "name": "Warm" })).await.expect(201);
    let misses = || replicas.count_lines("cache miss", email);
    let hits = async |expected: usize| {
        let counted = async || (replicas.count_lines("cache hit", email) == expected).then_some(());
        eventually(&format!("hit number {expected} of {email}"), counted).await;
    };
    eventually("the miss that warms", async || (misses() == 1).then_some(())).await;
    replicas.clients[0].get(path).await.expect(200);
    hits(1).await;
    replicas.clients[1].get(path).await.expect(200);
    hits(2).await;
    replicas.clients[1].put(&format!("{path}/availability"), json!({ "monday": [9] })).await.expect(200);
    replicas.clients[0].get(path).await.expect(200);
    hits(3).await;
    eventually("the miss of each write", async || (misses() >= 2).then_some(())).await;
    assert_eq!(misses(), 2, "one for each write");
}
