//! SQLite while another process holds its lock, such as a backup: responses come in time, and later requests succeed.

use std::path::PathBuf;

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use futures_util::future::join_all;
use serde_json::json;

use crate::support::Cluster;

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
