//! A database that is damaged while the product runs: callers, health, readiness and the log say so, until the restart.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::cluster::Sandbox;
use crate::support::{Client, Node, eventually};

const ANA: &str = "/api/users/ana@example.com";

/// A process that has read its database of users from a file, and the file.
async fn with_users() -> (Sandbox, Node, Client, PathBuf) {
    let space = Sandbox::new();
    let mut env = space.env();
    env.push(("W2MEET_GATEWAY__ADMIN_LISTEN".to_owned(), "127.0.0.1:0".to_owned()));
    let node = Node::start("all", &env);
    for number in 0..60 {
        let user = json!({ "email": format!("user-{number}@example.com"), "name": "Somebody" });
        node.client("gateway").post("/api/users", user).await.expect(201);
    }
    node.client("gateway").post("/api/users", json!({ "email": "ana@example.com", "name": "Ana" })).await.expect(201);
    node.signal("TERM");
    node.wait();
    let node = Node::start("all", &env);
    let (client, file) = (node.client("gateway"), PathBuf::from(node.setting("W2MEET_DATA_DIR")).join("user.db"));
    (space, node, client, file)
}

/// The reports of damage in the log.
fn damage_reports(node: &Node) -> Vec<Value> {
    let is_report = |line: &Value| line["message"].as_str().is_some_and(|text| text.contains("integrity_check"));
    node.log().into_iter().filter(is_report).collect()
}

/// Whether the metrics say that a role can write.
async fn is_writable(node: &Node, role: &str, expected: u8) {
    let series = format!("w2meet_database_writable{{role=\"{role}\"}} {expected}\n");
    eventually(&series, async || node.admin("gateway").get("/metrics").await.text.contains(&series).then_some(()))
        .await;
}

async fn expect_damage(damage: fn(&PathBuf)) {
    let (_space, node, client, file) = with_users().await;
    client.get("/readyz").await.expect(200);
    is_writable(&node, "user", 1).await;
    damage(&file);
    for _ in 0..3 {
        let read = client.get(ANA).await;
        read.expect_problem("500 database-damaged", ANA, "restore");
        assert!(read.header("retry-after").is_none(), "{}", read.text);
        let user = json!({ "email": "ben@example.com", "name": "Ben" });
        client.post("/api/users", user).await.expect_problem("500 database-damaged", "/api/users", "restore");
    }
    let health = client.get("/users/health").await.expect(503).json;
    let cause = health["dependencies"]["sqlite"]["cause"].as_str().unwrap_or_default();
    assert!(health["status"] == "unhealthy" && cause.contains("integrity_check"), "{health}");
    client.get("/api/health").await.expect(503);
    let unready = client.get("/readyz").await.expect(503);
    assert!(unready.header("retry-after").is_none(), "{}", unready.text);
    eventually("the log has the remedy", async || (!damage_reports(&node).is_empty()).then_some(())).await;
    let reports = damage_reports(&node);
    assert!(reports.len() == 1 && reports[0].to_string().contains("user.db"), "{reports:?}");
    assert_eq!(reports[0]["level"].as_str().map(str::to_lowercase).as_deref(), Some("error"), "{reports:?}");
    is_writable(&node, "user", 0).await;
    is_writable(&node, "reservation", 1).await;
}

#[actix_web::test]
async fn a_database_that_is_overwritten_while_it_is_used_is_reported_as_damaged() {
    expect_damage(|file| {
        let size = std::fs::metadata(file).expect("a database").len();
        std::fs::write(file, vec![0xff; size as usize]).expect("its folder");
    })
    .await;
}

#[actix_web::test]
async fn a_database_that_is_cut_while_it_is_used_is_reported_as_damaged() {
    expect_damage(|file| {
        let whole = std::fs::OpenOptions::new().write(true).open(file).expect("a database");
        whole.set_len(40_960).expect("a shorter one");
    })
    .await;
}

#[actix_web::test]
async fn a_database_that_is_emptied_while_it_is_used_is_reported_as_damaged() {
    expect_damage(|file| std::fs::write(file, "").expect("a database")).await;
}

/// Writes to a file that no path leads to would be lost.
async fn expect_refused_writes(change: fn(&PathBuf)) {
    let (_space, node, client, file) = with_users().await;
    change(&file);
    for name in ["ben", "cat"] {
        let user = json!({ "email": format!("{name}@example.com"), "name": name });
        client.post("/api/users", user).await.expect_problem("500 database-damaged", "/api/users", "no write is lost");
    }
    client.get("/readyz").await.expect(503);
    is_writable(&node, "user", 0).await;
}

#[actix_web::test]
async fn a_database_that_is_removed_while_it_is_used_accepts_no_write() {
    expect_refused_writes(|file| std::fs::remove_file(file).expect("a database")).await;
}

#[actix_web::test]
async fn a_database_that_is_replaced_while_it_is_used_accepts_no_write() {
    expect_refused_writes(|file| {
        let copy = file.with_extension("copy");
        std::fs::copy(file, &copy).expect("its folder");
        std::fs::rename(copy, file).expect("a database");
    })
    .await;
}
