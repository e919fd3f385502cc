//! The cache's protocol when Redis, the connection to it, or the writing process fails during a write.

use std::time::{Duration, Instant};

use actix_web::rt::spawn;
use futures_util::future::{join, join_all};
use serde_json::json;

use crate::support::history::History;
use crate::support::servers::print_line;
use crate::support::{Node, PrivateRedis, Replicas, ToxicProxy, eventually};

#[actix_web::test]
async fn a_redis_that_returns_with_old_data_is_not_trusted() {
    let Some(redis) = PrivateRedis::start_persistent() else {
        return;
    };
    let replicas = Replicas::start(&[&redis.url(), &redis.url()]).await;
    let history = History::start(&replicas.clients[0], 2).await;
    for round in 1..=3 {
        for (at, client) in replicas.clients.iter().enumerate() {
            history.read(client, at, 0).await;
            history.read(client, at, 1).await;
        }
        redis.kill();
        history.write(&replicas.clients[0], 0, 0).await;
        redis.boot();
        read_until_connected(&history, &replicas, round).await;
    }
    history.expect_nothing_stale();
}

#[actix_web::test]
async fn a_redis_restored_from_a_backup_is_not_trusted() {
    let Some(redis) = PrivateRedis::start_persistent() else {
        return;
    };
    let replicas = Replicas::start(&[&redis.url(), &redis.url()]).await;
    let history = History::start(&replicas.clients[0], 1).await;
    for round in 1..=3 {
        history.read(&replicas.clients[0], 0, 0).await;
        redis.back_up();
        // Redis sees this write, and forgets it
        history.write(&replicas.clients[0], 0, 0).await;
        redis.kill();
        redis.restore();
        redis.boot();
        read_until_connected(&history, &replicas, round).await;
    }
    history.expect_nothing_stale();
}

#[actix_web::test]
async fn a_writer_that_missed_a_new_epoch_does_not_write_under_the_old_one() {
    let Some(redis) = PrivateRedis::start() else {
        return;
    };
    let line = ToxicProxy::to_port(redis.port());
    let replicas = Replicas::start(&[&redis.url(), &redis.url(), &line.redis_url()]).await;
    let history = History::start(&replicas.clients[0], 4).await;
    line.cut();
    for round in 0..4 {
        // whoever has lost Redis raises the epoch; a look into the database tells the reader, and nobody tells the writer
        history.write(&replicas.clients[2], 2, 3).await;
        let unknown = format!("/users/unknown{round}@example.com");
        replicas.clients[1].get(&unknown).await.expect(404);
        for person in 0..3 {
            history.read(&replicas.clients[1], 1, person).await;
            history.write(&replicas.clients[0], 0, person).await;
            history.read(&replicas.clients[1], 1, person).await;
        }
    }
    history.expect_nothing_stale();
}

#[actix_web::test]
async fn a_writer_cut_off_from_redis_before_its_release_leaves_nothing_stale() {
    let Some(redis) = PrivateRedis::start() else { return };
    let line = ToxicProxy::to_port(redis.port());
    let replicas = Replicas::start(&[&line.redis_url(), &redis.url()]).await;
    let history = History::start(&replicas.clients[1], 1).await;
    for _ in 0..5 {
        history.read(&replicas.clients[1], 1, 0).await;
        let held = hold_users(&replicas.database).await;
        let writing = history.write(&replicas.clients[0], 0, 0);
        let cutting = async {
            eventually("the write waits for its row", async || held.is_waited_for().await.then_some(())).await;
            line.cut();
            held.let_go().await;
        };
        join(writing, cutting).await;
        for _ in 0..20 {
            history.read(&replicas.clients[1], 1, 0).await;
        }
        line.restore();
        let connected = async || {
            let health = replicas.clients[0].get("/health").await.expect(200).json;
            (health["dependencies"]["redis"]["status"] == "healthy").then_some(())
        };
        eventually("the writer is connected again", connected).await;
    }
    history.expect_nothing_stale();
}

#[actix_web::test]
async fn a_write_by_a_replica_that_alone_lost_redis_is_seen_everywhere_within_a_second() {
    let Some(redis) = PrivateRedis::start() else { return };
    let line = ToxicProxy::to_port(redis.port());
    let replicas = Replicas::start(&[&line.redis_url(), &redis.url()]).await;
    let (writer, reader) = (&replicas.clients[0], &replicas.clients[1]);
    let path = "/users/far@example.com";
    writer.post("/users", json!({ "email": "far@example.com", "name": "0" })).await.expect(201);
    reader.get(path).await.expect(200);
    line.cut();
    writer.patch(path, json!({ "name": "1" })).await.expect(200);
    let acknowledged = Instant::now();
    let seen = eventually("the other replica shows the write", async || {
        let name = reader.get(path).await.expect(200).json["name"].clone();
        (name == "1").then(|| acknowledged.elapsed())
    })
    .await;
    print_line(&format!("a write past Redis was seen by the other replica after {seen:.1?}"));
    assert!(seen < Duration::from_millis(1500), "{seen:?}");
    for _ in 0..50 {
        assert_eq!(reader.get(path).await.expect(200).json["name"], "1", "it went back");
    }
}

#[actix_web::test]
async fn a_writer_killed_in_the_middle_leaves_nothing_stale() {
    let Some(redis) = PrivateRedis::start() else {
        return;
    };
    let mut replicas = Replicas::start(&[&redis.url(), &redis.url()]).await;
    let direct = connect(&replicas.database).await;
    let emails: Vec<String> = (0..12).map(|at| format!("victim{at}@example.com")).collect();
    for email in &emails {
        let body = json!({ "email": email, "name": "0" });
        replicas.clients[1].post("/users", body).await.expect(201);
    }
    let query = "SELECT version FROM users WHERE email = $1";
    let stored = async |email: &String| -> i64 { direct.query_one(query, &[email]).await.expect("a row").get(0) };
    for _ in 0..5 {
        for email in &emails {
            replicas.clients[1].get(&format!("/users/{email}")).await.expect(200);
        }
        let (writer, node) = (&replicas.clients[0], &replicas.nodes[0]);
        let write = async |email: &String| {
            let (path, json) = (format!("/users/{email}"), [("content-type", "application/json")]);
            let patch = || writer.try_send(awc::http::Method::PATCH, &path, &json, Some(br#"{"name":"1"}"#.to_vec()));
            while patch().await.is_ok() {}
        };
        let begun: i64 = stored(&emails[0]).await;
        let killing = async {
            eventually("it writes", async || (stored(&emails[0]).await > begun).then_some(())).await;
            node.signal("KILL");
        };
        join(join_all(emails.iter().map(write)), killing).await;
        for email in &emails {
            // a transaction of the dead may still be at its end
            eventually("the other replica shows what is stored", async || {
                let before = stored(email).await;
                let shown =
                    replicas.clients[1].get(&format!("/users/{email}")).await.expect(200).json["version"].as_i64();
                assert!(shown >= Some(before), "{email} is stored in version {before} and shown in {shown:?}");
                (shown == Some(stored(email).await)).then_some(())
            })
            .await;
        }
        replicas.restart(0);
    }
}

/// Reads at every replica from the start until each has used Redis again this many times.
async fn read_until_connected(history: &History, replicas: &Replicas, times: usize) {
    let connected = |node: &Node| {
        let lines = node.log();
        let of_cache = lines.iter().filter(|line| line["epoch"] != serde_json::Value::Null);
        of_cache.count() > times
    };
    let mut ready = false;
    eventually("every replica is connected again", async || {
        let before = ready;
        ready = replicas.nodes.iter().all(connected);
        for (at, client) in replicas.clients.iter().enumerate() {
            history.read(client, at, 0).await;
        }
        before.then_some(())
    })
    .await;
}

/// A transaction of the test's own that holds every user.
struct Held {
    client: tokio_postgres::Client,
    url: String,
}

async fn hold_users(url: &str) -> Held {
    let held = Held { client: connect(url).await, url: url.to_owned() };
    let held_rows = held.client.batch_execute("BEGIN; SELECT 1 FROM users FOR UPDATE").await;
    held_rows.expect("the rows are free");
    held
}

impl Held {
    /// Whether a task waits for this lock.
    async fn is_waited_for(&self) -> bool {
        let pid = "SELECT 1 FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))";
        let mine = self.client.query_one("SELECT pg_backend_pid()", &[]).await.expect("a row");
        let mine: i32 = mine.get(0);
        let waiting = connect(&self.url).await.query(pid, &[&mine]).await.expect("rows");
        !waiting.is_empty()
    }

    async fn let_go(&self) {
        self.client.batch_execute("COMMIT").await.expect("it commits");
    }
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("PostgreSQL answers");
    spawn(async { drop(connection.await) });
    client
}
