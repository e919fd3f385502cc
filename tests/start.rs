//! The start of the process: its time, its memory, and refusals with their remedies.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::cluster::{Env, Sandbox, make_temp_folder};
use crate::support::replicas::user_env;
use crate::support::servers::print_line;
use crate::support::shell::{TextFile, run_command, utf8};
use crate::support::{Client, Node, eventually};

const REDIS: &str = "redis://127.0.0.1:6379";

/// These settings over those of a test's own.
fn with(space: &Sandbox, more: &[(&str, &str)]) -> Env {
    let mut env = space.env();
    env.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    env
}

/// Starts it, expects it to end at once with a failure, and gives what it said.
async fn refusal(roles: &str, env: &Env) -> String {
    let node = Node::spawn(roles, env);
    let what = format!("it refuses to start with {:?}", env.last());
    let ended = eventually(&what, async || node.exit_status()).await;
    assert_eq!(ended.code(), Some(1), "{}", node.log_text());
    let has_reason = |log: &String| log.lines().any(|line| line.starts_with("w2meet: "));
    eventually("a reason", async || Some(node.log_text()).filter(has_reason)).await
}

/// Refused, and the reason holds each of these.
async fn expect_refusal(roles: &str, more: &[(&str, &str)], reasons: &[&str]) {
    let reported = refusal(roles, &with(&Sandbox::new(), more)).await;
    for reason in reasons {
        assert!(reported.contains(reason), "{reason:?} is not in: {reported}");
    }
    assert!(!reported.contains("panicked"), "{reported}");
}

#[actix_web::test]
async fn the_embedded_process_is_ready_at_once_and_stays_small() {
    let space = Sandbox::new();
    let env = with(&space, &[("W2MEET_SERVER__WORKERS", "0")]);
    let begin = Instant::now();
    let node = Node::start("all", &env);
    let ready = begin.elapsed();
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).expect("a process");
    let read = |name: &str| -> u64 {
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse().ok());
        value.expect("a number of kB")
    };
    let (resident, of_its_own) = (read("VmRSS:"), read("RssAnon:"));
    print_line(&format!("all roles: ready in {ready:.0?} in an empty folder, {} MiB resident", resident / 1024));
    assert!(ready < Duration::from_secs(3), "{ready:?}");
    // not the resident memory: this build maps more of itself than the shipped one
    assert!(of_its_own < 24 << 10, "{of_its_own} kB");
}

#[actix_web::test]
async fn a_second_process_on_the_same_data_is_refused() {
    let space = Sandbox::new();
    let _first = Node::start("all", &space.env());
    let reported = refusal("all", &space.env()).await;
    assert!(reported.contains("W2MEET_DATA_DIR"), "{reported}");
}

#[actix_web::test]
async fn an_owner_may_have_a_database_of_its_own() {
    let (mut space, folder) = (Sandbox::new(), make_temp_folder());
    let url = format!("sqlite:{}", folder.display());
    let shared = space.schema();
    let env = with(&space, &[("W2MEET_DATABASE__URL", &shared), ("W2MEET_RESERVATION__DATABASE_URL", &url)]);
    let node = Node::start("all", &env);
    assert!(folder.join("reservation.db").exists() && !folder.join("user.db").exists());
    let user = json!({ "email": "ana@example.com", "name": "Ana" });
    node.client("gateway").post("/api/users", user).await.expect(201);
    let reported = refusal("all", &with(&Sandbox::new(), &[("W2MEET_RESERVATION__DATABASE_URL", &url)])).await;
    assert!(reported.contains(&folder.display().to_string()), "one process in each folder: {reported}");
    drop(node);
    std::fs::remove_dir_all(folder).expect("its folder");
    let file = TextFile::new("w2meet.toml", "[worker]\ndatabase_url = \"sqlite:/tmp\"\n");
    expect_refusal("all", &[("W2MEET_CONFIG", file.path())], &["worker.database_url"]).await;
}

#[actix_web::test]
async fn the_data_directory_is_private_although_it_was_there() {
    let (space, folder) = (Sandbox::new(), make_temp_folder());
    std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).expect("its folder");
    std::fs::write(folder.join("w2meet.lock"), "").expect("its folder");
    let _node = Node::start("all", &with(&space, &[("W2MEET_DATA_DIR", &folder.display().to_string())]));
    let mode = |name: &str| folder.join(name).metadata().expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(""), 0o700);
    for file in ["w2meet.lock", "user.db", "user.db-wal", "user.db-shm", "reservation.db", "reservation.db-wal"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
    std::fs::remove_dir_all(folder).expect("its folder");
}

#[actix_web::test]
async fn an_orderly_stop_empties_the_logs_of_sqlite() {
    let space = Sandbox::new();
    let node = Node::start("all", &space.env());
    let folder = PathBuf::from(node.setting("W2MEET_DATA_DIR"));
    node.signal("TERM");
    node.wait();
    for log in ["user.db-wal", "reservation.db-wal"] {
        let size = folder.join(log).metadata().map_or(0, |file| file.len());
        assert_eq!(size, 0, "{log}");
    }
}

#[actix_web::test]
async fn a_damaged_database_ends_the_start_with_what_to_do() {
    let space = Sandbox::new();
    let folder = PathBuf::from(&space.env().iter().find(|(name, _)| name == "W2MEET_DATA_DIR").expect("it has one").1);
    let file = folder.join("user.db");
    drop(Node::start("all", &space.env()));
    let whole = std::fs::read(&file).expect("a database");
    for damaged in [&whole[..whole.len() / 2], &b"this is no database, and it is long enough to be one".repeat(100)] {
        for log in ["user.db-wal", "user.db-shm"] {
            drop(std::fs::remove_file(folder.join(log)));
        }
        std::fs::write(&file, damaged).expect("its folder");
        let node = Node::spawn("all", &space.env());
        let ended = eventually("it gives up", async || node.exit_status()).await;
        assert_eq!(ended.code(), Some(65), "{}", node.log_text());
        let has_remedy = |log: &String| log.contains("user.db") && log.contains("integrity_check");
        eventually("the remedy", async || Some(node.log_text()).filter(has_remedy)).await;
    }
}

#[actix_web::test]
async fn a_database_of_0_bytes_is_damaged_although_a_killed_first_start_is_not() {
    let space = Sandbox::new();
    let folder = PathBuf::from(&space.env().iter().find(|(name, _)| name == "W2MEET_DATA_DIR").expect("it has one").1);
    std::fs::create_dir_all(&folder).expect("its folder");
    std::fs::write(folder.join("user.db.new"), "").expect("what is left of a start that was killed at once");
    let node = Node::start("all", &space.env());
    node.signal("KILL");
    node.wait();
    assert!(!folder.join("user.db.new").exists());
    let (file, log) = (folder.join("user.db"), folder.join("user.db-wal"));
    std::fs::write(&file, "").expect("its folder");
    let before = std::fs::read(&log).expect("the log of a killed process");
    let node = Node::spawn("all", &space.env());
    let ended = eventually("it gives up", async || node.exit_status()).await;
    assert_eq!(ended.code(), Some(65), "{}", node.log_text());
    let has_remedy = |log: &String| log.contains("user.db") && log.contains("0 bytes") && log.contains("a backup");
    eventually("the remedy", async || Some(node.log_text()).filter(has_remedy)).await;
    let listed = run_command(&["user", "list"], &[("W2MEET_DATA_DIR", &folder.display().to_string())]);
    assert_eq!(listed.status.code(), Some(65), "{}", utf8(&listed.stderr));
    assert!(std::fs::read(&file).is_ok_and(|left| left.is_empty()), "the file is as it was");
    assert!(std::fs::read(&log).is_ok_and(|left| left == before), "the log may still hold data");
}

#[actix_web::test]
async fn the_lock_of_a_killed_process_is_free() {
    let space = Sandbox::new();
    let first = Node::start("all", &space.env());
    first.signal("KILL");
    first.wait();
    Node::start("all", &space.env());
}

#[actix_web::test]
async fn a_taken_address_is_named_with_its_role() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let reasons = ["suggestion", &address, "W2MEET_SUGGESTION__LISTEN"];
    expect_refusal("all", &[("W2MEET_SUGGESTION__LISTEN", &address)], &reasons).await;
    let reasons = ["gateway", "nowhere", "W2MEET_GATEWAY__LISTEN"];
    expect_refusal("all", &[("W2MEET_GATEWAY__LISTEN", "nowhere")], &reasons).await;
}

#[actix_web::test]
async fn an_incomplete_configuration_is_refused_with_its_remedy() {
    expect_refusal("gateway", &[], &["gateway", "--role", "W2MEET_UPSTREAMS__AVAILABILITY="]).await;
    let all_but_one = ["AVAILABILITY", "RESERVATION", "SUGGESTION"].map(|role| format!("W2MEET_UPSTREAMS__{role}"));
    let all_but_one = all_but_one.each_ref().map(|name| (name.as_str(), "http://127.0.0.1:9"));
    expect_refusal("gateway", &all_but_one, &["gateway", "user", "W2MEET_UPSTREAMS__USER="]).await;
    expect_refusal("suggestion", &[], &["suggestion", "availability", "W2MEET_UPSTREAMS__AVAILABILITY="]).await;
    let remedies = ["W2MEET_CACHE__URL=redis://", "--role all"];
    expect_refusal("user", &[], &remedies).await;
    expect_refusal("user,availability", &[("W2MEET_CACHE__URL", "memory:")], &remedies).await;
    let apart = [
        ("W2MEET_UPSTREAMS__USER", "http://127.0.0.1:9"),
        ("W2MEET_UPSTREAMS__AVAILABILITY", "http://127.0.0.1:9"),
        ("W2MEET_UPSTREAMS__RESERVATION", "http://127.0.0.1:9"),
        ("W2MEET_QUEUE__URL", "amqp://127.0.0.1:9"),
        ("W2MEET_AUTH__MODE", "required"),
    ];
    expect_refusal("suggestion", &apart, &["W2MEET_AUTH__SERVICE_SECRET", "openssl rand -hex 32"]).await;
    let short = [("W2MEET_AUTH__SERVICE_SECRET", "hidden")];
    expect_refusal("all", &short, &["auth.service_secret", "32"]).await;
    let url = ("W2MEET_MAIL__SMTP_URL", "smtp://bob:hidden@mail.example");
    expect_refusal("all", &[url, ("W2MEET_MAIL__FROM", "meet@mail.example")], &["bob:***@", "?tls=required"]).await;
    expect_refusal("all", &[("W2MEET_MAIL__FROM", "nobody")], &["worker", "mail.from"]).await;
    let upstreams =
        ["USER", "AVAILABILITY", "RESERVATION", "SUGGESTION"].map(|role| format!("W2MEET_UPSTREAMS__{role}"));
    let upstreams = upstreams.each_ref().map(|name| (name.as_str(), "http://127.0.0.1:9"));
    let remedies = ["worker", "W2MEET_SERVER__PUBLIC_URL=", "W2MEET_UPSTREAMS__GATEWAY="];
    expect_refusal("worker", &upstreams, &remedies).await;
}

#[actix_web::test]
async fn open_access_beyond_loopback_needs_an_explicit_setting() {
    let everywhere = ("W2MEET_GATEWAY__LISTEN", "0.0.0.0:0");
    let open = [everywhere, ("W2MEET_AUTH__MODE", "open")];
    let reasons = ["gateway", "0.0.0.0:", "127.0.0.1", "W2MEET_AUTH__ALLOW_OPEN_BEYOND_LOOPBACK=true"];
    expect_refusal("all", &open, &reasons).await;
    let meant = ("W2MEET_AUTH__ALLOW_OPEN_BEYOND_LOOPBACK", "true");
    let cases = [
        (vec![everywhere], 401),
        (vec![("W2MEET_USER__LISTEN", "0.0.0.0:0")], 401),
        (vec![everywhere, meant], 200),
        (vec![], 200),
    ];
    for (more, status) in cases {
        let space = Sandbox::new();
        let node = Node::start("all", &with(&space, &more));
        let base = node.url("gateway").replace("0.0.0.0", "127.0.0.1");
        Client::new(&base).get("/readyz").await.expect(200);
        let reply = Client::new(&base).get("/api/users").await;
        assert_eq!(reply.status, status, "{more:?}: {}", reply.text);
    }
}

#[actix_web::test]
async fn values_that_cannot_work_are_refused_by_name() {
    let cases = [
        ("W2MEET_DATABASE__URL", "mysql://root:hidden@db/w2meet", "database.url"),
        ("W2MEET_DATABASE__URL", "w2meet.db", "database.url"),
        ("W2MEET_USER__DATABASE_URL", "mysql://root:hidden@db/w2meet", "user.database_url"),
        ("W2MEET_CACHE__URL", "memcached://:hidden@cache", "cache.url"),
        ("W2MEET_UPSTREAMS__USER", "http://w2meet:hidden@user:8081", "upstreams.user"),
        ("W2MEET_SERVER__PUBLIC_URL", "ftp://w2meet:hidden@meet", "server.public_url"),
        ("W2MEET_TELEMETRY__OTLP_ENDPOINT", "grpc://w2meet:hidden@collector", "telemetry.otlp_endpoint"),
        ("W2MEET_CACHE__URL", "", "cache.url"),
        ("W2MEET_CACHE__URL", "rediss://w2meet:hidden@cache/0#insecure", "cache.url"),
        ("W2MEET_DATABASE__URL", "postgres://w2meet:hidden@db/w2meet?sslmode=verify_full", "sslmode"),
        ("W2MEET_TLS__CA_FILE", "/nowhere/authority.pem", "/nowhere/authority.pem"),
        ("W2MEET_QUEUE__URL", "kafka://user:hidden@queue", "queue.url"),
        ("W2MEET_UPSTREAMS__USER", "https://user:8081", "upstreams.user"),
        ("W2MEET_UPSTREAMS__USER", "localhost", "upstreams.user"),
        ("W2MEET_DATABASE__POOL_SIZE", "0", "database.pool_size"),
        ("W2MEET_DATABASE__POOL_SIZE", "many", "database.pool_size"),
        ("W2MEET_LIMITS__CALL_SECONDS", "-1", "limits.call_seconds"),
        ("W2MEET_LIMITS__CALL_SECONDS", "1e300", "limits.call_seconds"),
        ("W2MEET_AUTH__MODE", "sometimes", "auth.mode"),
        ("W2MEET_LOG__LEVEL", "=,=", "log.level"),
    ];
    for (name, value, key) in cases {
        let reported = refusal("all", &with(&Sandbox::new(), &[(name, value)])).await;
        assert!(reported.contains(key), "{name}={value}: {reported}");
        assert!(!reported.contains("hidden"), "{name}={value} shows its password: {reported}");
    }
}

#[actix_web::test]
async fn an_unknown_key_in_a_file_is_refused_and_named() {
    let file = TextFile::new("w2meet.toml", "[cache]\nttl_secondz = 5\n");
    let reported = refusal("all", &with(&Sandbox::new(), &[("W2MEET_CONFIG", file.path())])).await;
    assert!(reported.contains("ttl_secondz") && reported.contains(file.path()), "{reported}");
    let file = TextFile::new("w2meet.toml", "[usr]\nlisten = \"127.0.0.1:1\"\n");
    let reported = refusal("all", &with(&Sandbox::new(), &[("W2MEET_CONFIG", file.path())])).await;
    assert!(reported.contains("usr") && reported.contains(file.path()), "{reported}");
    let missing = run_command(&["config", "--config", "/nowhere/w2meet.toml"], &[]);
    assert!(!missing.status.success());
    assert!(utf8(&missing.stderr).contains("/nowhere/w2meet.toml"), "{}", utf8(&missing.stderr));
}

#[actix_web::test]
async fn an_unknown_variable_is_warned_of_and_lived_with() {
    let space = Sandbox::new();
    let node = Node::start("all", &with(&space, &[("W2MEET_CASHE__URL", "redis://h")]));
    node.wait_for("a warning", |line| {
        line["level"] == "WARN" && line["message"].as_str().is_some_and(|it| it.contains("W2MEET_CASHE__URL"))
    });
    let output = run_command(&["config"], &[("W2MEET_CASHE__URL", "redis://h")]);
    assert!(output.status.success());
    assert!(utf8(&output.stderr).contains("W2MEET_CASHE__URL"));
}

#[actix_web::test]
async fn a_database_url_from_a_file_is_the_one_in_use() {
    let mut space = Sandbox::new();
    let secret = TextFile::new("url", &format!("{}\n", space.schema()));
    let more = [("W2MEET_DATABASE__URL_FILE", secret.path()), ("W2MEET_CACHE__URL", REDIS)];
    let node = Node::start("user", &with(&space, &more));
    let report = node.client("user").get("/health").await.expect(200).json;
    assert_eq!(report["dependencies"]["postgresql"]["status"], "healthy");
}

#[actix_web::test]
async fn the_short_name_of_the_embedded_database_is_the_file_in_the_data_directory() {
    let space = Sandbox::new();
    for _ in 0..2 {
        let node = Node::start("all", &with(&space, &[("W2MEET_DATABASE__URL", "sqlite:")]));
        let client = node.client("gateway");
        let made = client.post("/api/users", json!({ "email": "ana@example.com", "name": "Ana" })).await;
        assert!([201, 409].contains(&made.status), "{}", made.text);
        client.get("/api/users/ana@example.com").await.expect(200);
    }
    let folder = space.env().into_iter().find(|(name, _)| name == "W2MEET_DATA_DIR").map(|(_, folder)| folder);
    assert!(PathBuf::from(folder.unwrap_or_default()).join("user.db").exists(), "there is no user.db");
}

#[actix_web::test]
async fn replicas_that_start_at_once_on_an_empty_database_all_come_up() {
    let mut space = Sandbox::new();
    let schema = space.schema();
    let env = user_env(&space, &schema, REDIS);
    let nodes: Vec<Node> = (0..4).map(|_| Node::spawn("user", &env)).collect();
    for node in &nodes {
        node.wait_for("ready", |line| line["message"] == "ready");
        let about_database =
            |line: &serde_json::Value| line["message"].as_str().is_some_and(|it| it.contains("database"));
        let waits = node.log().iter().any(|line| line["level"] == "WARN" && about_database(line));
        assert!(!waits, "{}", node.log_text());
    }
    let path = "/users/ana@example.com";
    nodes[0].client("user").post("/users", json!({ "email": "ana@example.com", "name": "Ana" })).await.expect(201);
    nodes[3].client("user").get(path).await.expect(200);
}
