//! What clients see while PostgreSQL or Redis is stopped, hangs and returns. No process is restarted in between.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::support::cluster::{Node, Sandbox, make_temp_folder};
use crate::support::servers::print_line;
use crate::support::{Client, Cluster, PrivatePostgres, PrivateRedis, Replicas, Reply, ToxicProxy, eventually, within};

const ANA: &str = "/api/users/ana@example.com";
const BEN: &str = "/api/users/ben@example.com";
const BOTH: &str = "/api/suggestions?attendee=ana@example.com&attendee=ben@example.com";
/// RELIABILITY 2: what cannot be answered is refused within this time.
const REFUSED_WITHIN: Duration = Duration::from_millis(1200);

async fn timed(asked: impl Future<Output = Reply>) -> (Reply, Duration) {
    let begin = Instant::now();
    (asked.await, begin.elapsed())
}

/// The median time of these many cached reads, all of which must succeed.
async fn median(cluster: &Cluster, reads: usize) -> Duration {
    let mut times = Vec::with_capacity(reads);
    for _ in 0..reads {
        let (answer, time) = timed(cluster.get(ANA)).await;
        answer.expect(200);
        times.push(time);
    }
    times.sort();
    times[reads / 2]
}

async fn two_people(cluster: &Cluster) {
    cluster.register("ana@example.com", json!({ "monday": [9, 10] })).await;
    cluster.register("ben@example.com", json!({ "monday": [10, 11] })).await;
}

/// One of the things people ask for, in turn; the answer must be a good one.
async fn ask(cluster: &Cluster, turn: usize) -> Duration {
    let asked = async {
        match turn % 3 {
            0 => cluster.get(ANA).await,
            1 => cluster.get(BOTH).await,
            _ => cluster.patch(BEN, json!({ "name": format!("Ben {turn}") })).await,
        }
    };
    let (answer, time) = timed(asked).await;
    answer.expect(200);
    time
}

/// The report of the one user role.
async fn user_health(cluster: &Cluster, status: u16) -> serde_json::Value {
    let user = cluster.nodes_of("user")[0].client("user");
    user.get("/health").await.expect(status).json
}

/// Hits are served again: a key that was missed once is found.
async fn hits_again(cluster: &Cluster) {
    let user = cluster.nodes_of("user")[0];
    let hits = || user.log().iter().filter(|line| line["message"] == "cache hit").count();
    let before = hits();
    eventually("reads are hits again", async || {
        cluster.get(ANA).await.expect(200);
        (hits() > before + 3).then_some(())
    })
    .await;
}

async fn all_are_up(cluster: &Cluster) {
    for node in &cluster.nodes {
        let client = node.client(&node.roles);
        client.get("/livez").await.expect(200);
        client.get("/readyz").await.expect(200);
        assert_eq!(node.exit_status(), None);
    }
}

#[actix_web::test]
async fn without_redis_everything_works_and_after_a_second_as_fast_as_before() {
    let Some(redis) = PrivateRedis::start() else { return };
    let cluster = Cluster::split_with(&[("W2MEET_CACHE__URL", &redis.url())]).await;
    two_people(&cluster).await;
    hits_again(&cluster).await;
    let before = median(&cluster, 100).await;

    redis.kill();
    let killed = Instant::now();
    let mut asked = 0;
    while asked < 300 || killed.elapsed() < Duration::from_secs(1) {
        ask(&cluster, asked).await;
        asked += 1;
    }
    let after = median(&cluster, 100).await;
    print_line(&format!(
        "Redis killed: {asked} requests, none failed; median read {before:.1?} before, {after:.1?} after"
    ));
    assert!(after < before * 5 + Duration::from_millis(15), "{before:?} became {after:?}");

    let report = user_health(&cluster, 200).await;
    assert_eq!(
        (&report["status"], &report["dependencies"]["redis"]["status"]),
        (&json!("degraded"), &json!("unhealthy"))
    );
    assert_eq!(report["dependencies"]["postgresql"]["status"], "healthy");
    assert_eq!(cluster.get("/api/health").await.expect(200).json["status"], "degraded");
    all_are_up(&cluster).await;

    redis.boot();
    hits_again(&cluster).await;
    assert_eq!(user_health(&cluster, 200).await["status"], "healthy");
}

#[actix_web::test]
async fn a_hanging_redis_slows_a_few_requests_and_fails_none() {
    let Some(redis) = PrivateRedis::start() else { return };
    let cluster = Cluster::split_with(&[("W2MEET_CACHE__URL", &redis.url())]).await;
    two_people(&cluster).await;
    hits_again(&cluster).await;

    redis.pause();
    let mut times = Vec::new();
    for turn in 0..300 {
        times.push(ask(&cluster, turn).await);
    }
    let slow: Vec<_> = times.iter().filter(|time| **time > Duration::from_millis(95)).collect();
    print_line(&format!("Redis hung: {} of 300 requests were slow: {slow:.0?}", slow.len()));
    assert!(slow.len() <= 20, "{slow:?}");
    assert!(times.iter().all(|time| *time < Duration::from_secs(1)), "{slow:?}");
    let report = user_health(&cluster, 200).await;
    assert_eq!(report["dependencies"]["redis"]["status"], "unhealthy");
    all_are_up(&cluster).await;

    redis.resume();
    hits_again(&cluster).await;
}

/// Asks for everything that needs the database, all at once; each is to be refused soon, and properly.
async fn expect_refusals(client: &Client, prefix: &str) -> Duration {
    let path = |email: &str| format!("{prefix}/users/{email}");
    let new = json!({ "email": format!("new{}@example.com", rand::random::<u32>()), "name": "New" });
    let asked: Vec<std::pin::Pin<Box<dyn Future<Output = Reply>>>> = vec![
        Box::pin(async { client.get(&path("cold@example.com")).await }),
        Box::pin(async { client.get(&path("nobody@example.com")).await }),
        Box::pin(async { client.get(&format!("{prefix}/users")).await }),
        Box::pin(async { client.post(&format!("{prefix}/users"), new).await }),
        Box::pin(async { client.patch(&path("ben@example.com"), json!({ "name": "Lost?" })).await }),
        Box::pin(async { client.put(&path("ben@example.com/availability"), json!({ "sunday": [3] })).await }),
        Box::pin(async { client.delete(&path("cold@example.com")).await }),
    ];
    let mut slowest = Duration::ZERO;
    for (answer, time) in join_all(asked.into_iter().map(timed)).await {
        let answer = answer.expect(503);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(answer.json["upstream"], "postgresql", "{}", answer.text);
        slowest = slowest.max(time);
    }
    assert!(slowest < REFUSED_WITHIN, "the slowest refusal took {slowest:?}");
    slowest
}

#[actix_web::test]
async fn without_postgresql_cached_reads_work_and_other_requests_get_503() {
    let (Some(postgres), Some(redis)) = (PrivatePostgres::start(), PrivateRedis::start()) else {
        return;
    };
    let with = [("W2MEET_DATABASE__URL", postgres.url()), ("W2MEET_CACHE__URL", redis.url())];
    let cluster = Cluster::split_with(&with.each_ref().map(|(name, url)| (*name, url.as_str()))).await;
    two_people(&cluster).await;
    let written = cluster.register("cold@example.com", json!({ "friday": [9] })).await.json;
    let flushed: Result<(), _> = deadpool_redis::redis::cmd("FLUSHALL").query(&mut redis.connect());
    flushed.expect("it answers");
    let mut version = 0;
    for turn in 0..20 {
        let answer = cluster.patch(ANA, json!({ "name": format!("Ana {turn}") })).await.expect(200);
        version = answer.json["version"].as_i64().unwrap_or(0);
    }
    let cached = cluster.get(ANA).await.expect(200).json;
    assert_eq!(cached["version"], version);

    postgres.kill();
    let mut slowest = Duration::ZERO;
    for _ in 0..4 {
        slowest = slowest.max(expect_refusals(&cluster, "/api").await);
        assert_eq!(cluster.get(ANA).await.expect(200).json, cached);
    }
    let report = user_health(&cluster, 503).await;
    assert_eq!(report["status"], "unhealthy");
    assert_eq!(report["dependencies"]["postgresql"]["status"], "unhealthy");
    assert_eq!(report["dependencies"]["redis"]["status"], "healthy");
    cluster.get("/api/health").await.expect(503);
    all_are_up(&cluster).await;

    postgres.boot();
    let back = Instant::now();
    eventually("a write succeeds", async || {
        (cluster.patch(BEN, json!({ "name": "Ben again" })).await.status == 200).then_some(())
    })
    .await;
    let healed = back.elapsed();
    print_line(&format!("PostgreSQL killed: refused within {slowest:.1?}, healed {healed:.1?} after its return"));
    assert!(healed < Duration::from_secs(2), "{healed:?}");
    assert_eq!(cluster.get("/api/users/cold@example.com").await.expect(200).json, written);
    assert_eq!(cluster.get(ANA).await.expect(200).json, cached);
    assert_eq!(user_health(&cluster, 200).await["status"], "healthy");
    all_are_up(&cluster).await;
}

#[actix_web::test]
async fn a_hanging_postgresql_delays_requests_briefly_and_loses_nothing() {
    let (Some(postgres), Some(redis)) = (PrivatePostgres::start(), PrivateRedis::start()) else {
        return;
    };
    let replicas = Replicas::start_over(&postgres.url(), &[&redis.url()]);
    let client = &replicas.clients[0];
    for name in ["ana", "ben", "cold"] {
        let email = format!("{name}@example.com");
        client.post("/users", json!({ "email": email, "name": name })).await.expect(201);
    }
    let flushed: Result<(), _> = deadpool_redis::redis::cmd("FLUSHALL").query(&mut redis.connect());
    flushed.expect("it answers");
    client.get("/users/ana@example.com").await.expect(200);

    postgres.pause();
    let mut slowest = Duration::ZERO;
    let mut reads = Vec::new();
    for _ in 0..3 {
        let refusals = expect_refusals(client, "");
        let cached = async {
            for _ in 0..30 {
                let (answer, time) = timed(client.get("/users/ana@example.com")).await;
                answer.expect(200);
                reads.push(time);
            }
        };
        slowest = slowest.max(futures_util::future::join(refusals, cached).await.0);
    }
    client.get("/health").await.expect(503);
    client.get("/livez").await.expect(200);
    client.get("/readyz").await.expect(200);
    reads.sort();
    postgres.resume();
    let back = Instant::now();
    let path = "/users/ben@example.com";
    eventually("a write succeeds", async || {
        (client.patch(path, json!({ "name": "Ben again" })).await.status == 200).then_some(())
    })
    .await;
    let healed = back.elapsed();
    let (median, worst) = (reads[reads.len() / 2], reads[reads.len() - 1]);
    print_line(&format!(
        "PostgreSQL hung: refused within {slowest:.1?}, cached reads in {median:.1?} (worst {worst:.1?}), healed after {healed:.1?}"
    ));
    assert!(median < Duration::from_millis(50), "{median:?}");
    assert!(healed < Duration::from_secs(3), "{healed:?}");

    // whatever a connection was at when it was given up, what is acknowledged on it now is committed
    let (direct, connection) =
        tokio_postgres::connect(&replicas.database, tokio_postgres::NoTls).await.expect("it answers");
    actix_web::rt::spawn(async { drop(connection.await) });
    for turn in 0..40 {
        let name = format!("Ben {turn}");
        client.patch(path, json!({ "name": name })).await.expect(200);
        let row = direct.query_one("SELECT name FROM users WHERE email = 'ben@example.com'", &[]).await.expect("a row");
        assert_eq!(row.get::<_, String>(0), name);
    }
    eventually("no transaction is left open", async || {
        let open = "SELECT 1 FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'";
        direct.query(open, &[]).await.expect("rows").is_empty().then_some(())
    })
    .await;
}

#[actix_web::test]
async fn a_database_that_is_slow_to_connect_is_not_a_dead_one() {
    let proxy = ToxicProxy::slow_to_open(5432, Duration::from_millis(500));
    let replicas = Replicas::start_through(&proxy, &["redis://127.0.0.1:6379"]);
    let before = proxy.count_opened();
    let create = |number: usize| {
        let user = json!({ "email": format!("user-{number}@example.com"), "name": "Somebody" });
        async { replicas.clients[0].post("/users", user).await.status }
    };
    let statuses = join_all((0..12).map(create)).await;
    assert_eq!(statuses, [201; 12]);
    let opened = proxy.count_opened() - before;
    assert!(opened <= 4, "the pool has 4 connections, and {opened} were opened");
}

/// A file system of 6 MB; none without the right to mount one.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount() -> Option<SmallDisk> {
        let folder = make_temp_folder();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=6m", "none"]).arg(&folder).status();
        mounted.is_ok_and(|status| status.success()).then_some(SmallDisk(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(&self.0).status());
        drop(std::fs::remove_dir(&self.0));
    }
}

#[actix_web::test]
async fn a_full_disk_is_named_and_heals_when_there_is_room() {
    let Some(disk) = SmallDisk::mount() else {
        print_line("skipped: this account may not mount a small file system");
        return;
    };
    let cluster = Cluster::all_with(&[("W2MEET_DATA_DIR", &disk.0.display().to_string())]).await;
    cluster.register("ana@example.com", json!({ "monday": ["09:00-17:00"] })).await;
    let filler = disk.0.join("filler");
    drop(std::fs::write(&filler, vec![b'x'; 8 << 20]));
    let create = async |number: usize| {
        let user = json!({ "email": format!("user-{number}@example.com"), "name": "Somebody" });
        cluster.post("/api/users", user).await
    };
    let refused = within(Duration::from_secs(30), "a write is refused", async || {
        let reply = create(cluster.log().len()).await;
        (reply.status != 201).then_some(reply)
    });
    refused.await.expect_problem("507 no-space", "/api/users", "the disk is full");
    cluster.get(ANA).await.expect(200);
    let user_is = async |status: &str| {
        let health = cluster.get("/api/health").await.json;
        (health["dependencies"]["user-service"]["status"] == status).then_some(())
    };
    eventually("health says so", async || user_is("unhealthy").await).await;
    let reports = cluster
        .log()
        .iter()
        .filter(|line| line["message"].as_str().is_some_and(|it| it.contains("disk is full")))
        .count();
    assert!((1..=2).contains(&reports), "once for each owner, not {reports} times");
    std::fs::remove_file(filler).expect("the filler");
    eventually("it writes again", async || (create(0).await.status == 201).then_some(())).await;
    within(Duration::from_secs(30), "health says so", async || user_is("healthy").await).await;
}

#[actix_web::test]
async fn a_start_on_a_full_disk_names_it_and_goes_on_when_there_is_room() {
    let Some(disk) = SmallDisk::mount() else {
        print_line("skipped: this account may not mount a small file system");
        return;
    };
    let filler = disk.0.join("filler");
    // from no room at all to too little of it: what SQLite says differs
    for room in [0, 8, 40] {
        drop(std::fs::write(&filler, vec![b'x'; 8 << 20]));
        let size = std::fs::metadata(&filler).expect("the filler").len();
        let shorter = std::fs::OpenOptions::new().write(true).open(&filler).expect("the filler");
        shorter.set_len(size - (room << 10)).expect("some room");
        drop(shorter);
        let cluster = Sandbox::new();
        let mut env = cluster.env();
        env.push(("W2MEET_DATA_DIR".into(), disk.0.join(format!("data-{room}")).display().to_string()));
        let node = Node::spawn("all", &env);
        node.wait_for("that the disk is full", |line| {
            line["why"].as_str().is_some_and(|why| why.contains("the disk of") && why.contains("is full"))
        });
        std::fs::remove_file(&filler).expect("the filler");
        node.wait_for("ready", |line| line["message"] == "ready");
    }
}
