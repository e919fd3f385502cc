//! The single process with all roles, killed again and again while meetings are requested and scheduled.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::{join, join_all};
use jiff::Timestamp;

use crate::support::benchmarks::{Latencies, is_full_size, print_figure, soak_size};
use crate::support::cluster::Sandbox;
use crate::support::fault_rig::LOCAL_WEBHOOKS;
use crate::support::invariants::Evidence;
use crate::support::load::{Load, wait_for_all_jobs};
use crate::support::receiver::Receiver;
use crate::support::servers::free_port;
use crate::support::{Client, Node, within};

/// Accepted between two kills.
const EACH: usize = 30;
const LIMIT: Duration = Duration::from_secs(120);

/// Requests meetings, some at a time, until stopped.
async fn ask_until(load: &Load, client: &Client, killed: &Cell<bool>) {
    let hand = async |_: usize| {
        while !killed.get() {
            load.post_one(client).await;
        }
    };
    join_all((0..4).map(hand)).await;
}

/// The time from the start of a process to this log line.
fn output_after(node: &Node, message: &str, start: Timestamp) -> Option<Duration> {
    let line = node.log().into_iter().find(|line| line["message"] == message)?;
    let at: Timestamp = line["at"].as_str()?.parse().ok()?;
    at.duration_since(start).try_into().ok()
}

#[actix_web::test]
async fn no_accepted_meeting_is_lost_when_the_one_process_is_killed() {
    let kills = soak_size("KILLS", 3);
    let (space, receiver) = (Sandbox::new(), Receiver::start());
    let mut env = space.env();
    env.extend(LOCAL_WEBHOOKS.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let gateway = format!("127.0.0.1:{}", free_port());
    env.push(("W2MEET_GATEWAY__LISTEN".to_owned(), gateway.clone()));
    let client = Client::new(&format!("http://{gateway}"));
    let mut node = Node::start("all", &env);
    let load = Load::prepare(&client, kills * EACH, &receiver.url).await;
    let (mut ready, mut working) = (Vec::new(), Vec::new());
    for _ in 0..kills {
        let (killed, before) = (Cell::new(false), load.accepted());
        let killing = async {
            within(LIMIT, "meetings are accepted", async || (load.accepted() >= before + EACH).then_some(())).await;
            node.signal("KILL");
            killed.set(true);
        };
        join(ask_until(&load, &client, &killed), killing).await;
        node.wait();
        let start = Timestamp::now();
        node = node.respawn();
        let first = within(LIMIT, "the queue works", async || {
            load.post_one(&client).await; // perhaps nothing was left to do
            output_after(&node, "JOB_START", start)
        })
        .await;
        working.push(first);
        ready.extend(within(LIMIT, "it is ready", async || output_after(&node, "ready", start).map(Some)).await);
    }
    wait_for_all_jobs(&client, LIMIT).await;
    let outbox = PathBuf::from(node.setting("W2MEET_DATA_DIR")).join("outbox");
    let accepted = load.ids();
    Evidence::collect(&client, &receiver, &outbox).await.expect_all(&accepted);
    let (ready, working) = (Latencies::from_times(ready), Latencies::from_times(working));
    print_figure(
        "one process killed -9 under load",
        &format!(
            "{kills} kills, {} accepted, 0 lost; ready after {}; first job begun after {}",
            accepted.len(),
            ready.summary(),
            working.summary()
        ),
    );
    if is_full_size() {
        assert!(working.longest() <= Duration::from_secs(1), "{}", working.summary());
    }
}
