//! One Idempotency-Key makes one meeting: a repeated request gets the first response, even after a restart.

use std::cell::RefCell;
use std::rc::Rc;

use awc::http::Method;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::both_shapes;
use crate::support::benchmarks::print_figure;
use crate::support::upstream::serve_connections;
use crate::support::{Client, Cluster, Node, PrivateRedis, Reply, eventually};

const CLIENTS: usize = 50;

async fn register(client: &Client) {
    for email in ["ana@example.com", "ben@example.com"] {
        client.post("/api/users", json!({ "email": email, "name": "Somebody" })).await.expect(201);
    }
}

fn request(title: &str) -> Value {
    json!({ "organizer": "ana@example.com", "attendees": ["ben@example.com"], "title": title })
}

async fn ask(client: &Client, key: &str, body: &Value) -> Reply {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    client.send(Method::POST, "/api/meetings", &headers, Some(body.to_string().into_bytes())).await
}

/// All answers of many who ask with one key at a time.
async fn ask_together(client: &Client, key: &str) -> Vec<Reply> {
    join_all((0..CLIENTS).map(|_| async { ask(client, key, &request(key)).await })).await
}

fn is_replayed(answer: &Reply) -> bool {
    answer.header("idempotency-replayed") == Some("true")
}

/// The one meeting of all these responses; none if there is no response. Only one is a first response.
fn one_meeting(answers: &[Reply]) -> Option<String> {
    let accepted: Vec<&Reply> = answers.iter().filter(|answer| answer.status == 202).collect();
    let id = accepted.first()?.json["id"].as_str().expect("an id").to_owned();
    assert!(accepted.iter().all(|answer| answer.json["id"] == id.as_str()), "one id");
    assert!(accepted.iter().filter(|answer| !is_replayed(answer)).count() <= 1, "one first answer");
    Some(id)
}

async fn meetings_called(client: &Client, title: &str) -> usize {
    let all = client.get("/api/meetings?limit=200").await.expect(200).json;
    all["meetings"].as_array().expect("a list").iter().filter(|meeting| meeting["title"] == title).count()
}

async fn expect_a_replay(client: &Client, key: &str, id: &str) {
    let again = ask(client, key, &request(key)).await.expect(202);
    assert!(is_replayed(&again), "it is a replay");
    assert_eq!(again.json["id"], id);
    assert_eq!(again.header("location"), Some(format!("/api/meetings/{id}").as_str()));
    assert_eq!(meetings_called(client, key).await, 1);
}

both_shapes! {
    async fn fifty_requests_with_one_key_make_one_meeting(cluster) {
        register(cluster).await;
        let answers = ask_together(cluster, "one").await;
        assert!(answers.iter().all(|answer| [202, 409].contains(&answer.status)));
        let id = one_meeting(&answers).expect("a meeting");
        expect_a_replay(cluster, "one", &id).await;
        ask(cluster, "one", &request("another body")).await.expect(422);
        let replays = answers.iter().filter(|answer| is_replayed(answer)).count();
        let (shape, busy) = (cluster.shape, answers.iter().filter(|answer| answer.status == 409).count());
        print_figure(
            &format!("{CLIENTS} parallel POSTs with one Idempotency-Key ({shape:?})"),
            &format!("1 meeting, {replays} replays, {busy} told to wait"),
        );
    }
}

#[actix_web::test]
async fn a_slow_database_and_a_forgetful_cache_make_no_second_meeting() {
    let Some(redis) = PrivateRedis::start() else { return };
    let cluster = Cluster::split_with(&[("W2MEET_CACHE__URL", &redis.url())]).await;
    register(&cluster).await;
    let url = cluster.nodes_of("reservation")[0].setting("W2MEET_DATABASE__URL");
    let (mut client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("it answers");
    tokio::spawn(connection);
    let lock = client.transaction().await.expect("a transaction");
    lock.batch_execute("LOCK TABLE meetings IN EXCLUSIVE MODE").await.expect("locked");
    let first = RefCell::new(None);
    let asking = async {
        let one = async |_: usize| {
            let answer = ask(&cluster, "slow", &request("slow")).await;
            first.borrow_mut().get_or_insert(answer.status);
            answer
        };
        join_all((0..CLIENTS).map(one)).await
    };
    let unlocking = async {
        eventually("the first give up", async || *first.borrow()).await;
        lock.rollback().await.expect("unlocked");
    };
    let (mut answers, ()) = join(asking, unlocking).await;
    let put_off = answers.iter().filter(|answer| answer.status == 503).count();
    assert!(answers.iter().all(|answer| [202, 409, 503].contains(&answer.status)));
    answers.append(&mut ask_together(&cluster, "slow").await);
    let id = one_meeting(&answers).expect("a meeting");
    deadpool_redis::redis::cmd("FLUSHALL").exec(&mut redis.connect()).expect("flushed");
    expect_a_replay(&cluster, "slow", &id).await;
    redis.kill();
    expect_a_replay(&cluster, "slow", &id).await;
    print_figure(
        "the same while the database hangs, then after FLUSHALL and without Redis",
        &format!("1 meeting; {put_off} of {CLIENTS} were put off with 503, and all retries got it"),
    );
}

/// Passes requests on to the reservation role. When it is armed, it waits for the answer to a `POST /meetings`, kills the process,
/// and tells nobody.
async fn pass_on(mut near: TcpStream, reservation: Rc<RefCell<Node>>, armed: Rc<RefCell<bool>>) -> Option<()> {
    let base = reservation.borrow().url("reservation");
    let mut far = TcpStream::connect(base.trim_start_matches("http://")).await.ok()?;
    let (mut up, mut down) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        tokio::select! {
            read = near.read(&mut up) => match read.ok()? {
                0 => return None,
                count => far.write_all(&up[..count]).await.ok()?,
            },
            read = far.read(&mut down) => match read.ok()? {
                0 => return None,
                _ if armed.replace(false) => {
                    reservation.borrow().signal("KILL");
                    return None;
                }
                count => near.write_all(&down[..count]).await.ok()?,
            },
        }
    }
}

#[actix_web::test]
async fn a_process_that_dies_between_effect_and_answer_has_made_the_meeting_already() {
    let mut cluster = Cluster::split().await;
    register(&cluster).await;
    let (reservation, armed) = (Rc::new(RefCell::new(cluster.nodes.remove(1))), Rc::new(RefCell::new(false)));
    let (target, trap) = (Rc::clone(&reservation), Rc::clone(&armed));
    let between = serve_connections(move |near| {
        let (reservation, armed) = (Rc::clone(&target), Rc::clone(&trap));
        async move {
            pass_on(near, reservation, armed).await;
        }
    });
    let settings = [("W2MEET_UPSTREAMS__RESERVATION", between.as_str()), ("W2MEET_GATEWAY__LISTEN", "127.0.0.1:0")];
    let gateway = cluster.nodes_of("gateway")[0].respawn_with(&settings);
    gateway.wait_for("ready", |line| line["message"] == "ready");
    let client = gateway.client("gateway");
    for round in 0..5 {
        let key = format!("lost{round}");
        armed.replace(true);
        let lost = ask(&client, &key, &request(&key)).await;
        assert!([502, 503, 504].contains(&lost.status), "{}: {}", lost.status, lost.text);
        let new = reservation.borrow().respawn();
        new.wait_for("ready", |line| line["message"] == "ready");
        reservation.replace(new);
        let answer = eventually("it answers again", async || {
            let answer = ask(&client, &key, &request(&key)).await;
            (answer.status == 202).then_some(answer)
        })
        .await;
        assert!(is_replayed(&answer), "the meeting was there already");
        expect_a_replay(&client, &key, answer.json["id"].as_str().expect("an id")).await;
    }
    print_figure("SIGKILL between effect and answer", "5 times: the retry got the same meeting");
}
