//! SQLite while another process holds its lock, such as a backup: responses come in time, and later requests succeed.

use std::path::PathBuf;

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use futures_util::future::join_all;
use serde_json::json;

use crate::support::{Cluster, eventually};

#[actix_web::test]
async fn a_request_cancelled_during_a_statement_leaves_the_connection_usable() {
    let cluster = Cluster::all().await;
    let database = PathBuf::from(cluster.nodes[0].setting("W2MEET_DATA_DIR")).join("user.db");
    let mut other = SqliteConnection::establish(database.to_str().expect("UTF-8")).expect("the database opens");
    let register = async |n: usize| {
        let body = json!({ "name": "Somebody", "email": format!("u{n}@example.com") });
        cluster.post("/api/users", body).await
    };
    other.batch_execute("PRAGMA busy_timeout=5000; BEGIN IMMEDIATE").expect("the lock");
    for reply in join_all((0..8).map(register)).await {
        let reply = reply.expect(503);
        assert!(reply.header("retry-after").is_some(), "{}", reply.text);
    }
    other.batch_execute("COMMIT").expect("the lock is free");
    for reply in join_all((0..8).map(register)).await {
        reply.expect(201);
    }
    assert!(!cluster.nodes[0].log_text().contains("panicked"), "{}", cluster.nodes[0].log_text());
}

#[actix_web::test]
async fn a_file_that_another_process_has_locked_is_degraded_and_heals() {
    let cluster = Cluster::all().await;
    let database = PathBuf::from(cluster.nodes[0].setting("W2MEET_DATA_DIR")).join("user.db");
    let mut other = SqliteConnection::establish(database.to_str().expect("UTF-8")).expect("the database opens");
    let status = async |expected: &str| {
        let asked = async || {
            let report = cluster.get("/users/health").await.expect(200).json;
            (report["status"] == expected).then(|| report["dependencies"]["sqlite"].clone())
        };
        eventually(expected, asked).await
    };
    status("healthy").await;
    other.batch_execute("PRAGMA busy_timeout=5000; BEGIN IMMEDIATE").expect("the lock");
    let locked = status("degraded").await;
    assert!(
        locked["status"] == "degraded" && locked["cause"].as_str().is_some_and(|text| text.contains("locked")),
        "{locked}"
    );
    assert!(locked["response_time_ms"].as_f64().is_some_and(|ms| ms < 1000.0), "{locked}");
    let all = async || {
        let report = cluster.get("/api/health").await.expect(200).json;
        (report["dependencies"]["user-service"]["status"] == "degraded").then_some(())
    };
    eventually("the gateway says so", all).await;
    other.batch_execute("COMMIT").expect("the lock is free");
    status("healthy").await;
}
