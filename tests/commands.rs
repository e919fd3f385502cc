//! The commands of the executable: config, migrate, health, demo, help.

use serde_json::{Value, json};

use crate::support::cluster::{Sandbox, make_temp_folder};
use crate::support::replicas::user_env;
use crate::support::shell::{TextFile, run_command, utf8};
use crate::support::{Cluster, Node, eventually};

const REDIS: &str = "redis://127.0.0.1:6379";

#[test]
fn the_effective_settings_are_shown_without_their_passwords() {
    let file = TextFile::new("w2meet.toml", "[cache]\nttl_seconds = 7\nprefix = \"file\"\n[log]\nlevel = \"debug\"\n");
    let secret = TextFile::new("url", "postgres://w2meet:hidden4@db.example/w2meet\n");
    let env = [
        ("W2MEET_CACHE__PREFIX", "variable"),
        ("W2MEET_CACHE__URL", "redis://:hidden1@cache.example/3"),
        ("W2MEET_QUEUE__URL", "amqp://bunny:hidden2@queue.example:5672/%2f"),
        ("W2MEET_MAIL__SMTP_URL", "smtp://bob:hidden6@mail.example:587?tls=required"),
        ("W2MEET_UPSTREAMS__USER", "http://a:1, http://b:2/"),
        ("W2MEET_DATABASE__URL_FILE", secret.path()),
    ];
    let output = run_command(&["config", "--config", file.path()], &env);
    let shown = utf8(&output.stdout);
    assert!(output.status.success(), "{}", utf8(&output.stderr));
    assert_eq!(utf8(&output.stderr), "");
    let settings: toml::Table = shown.parse().unwrap_or_else(|why| panic!("{why}: {shown}"));
    assert_eq!(settings["cache"]["ttl_seconds"].as_integer(), Some(7), "the file wins over the default");
    assert_eq!(settings["log"]["level"].as_str(), Some("debug"));
    assert_eq!(settings["cache"]["prefix"].as_str(), Some("variable"), "the environment wins over the file");
    assert_eq!(settings["cache"]["url"].as_str(), Some("redis://:***@cache.example/3"));
    assert_eq!(settings["queue"]["url"].as_str(), Some("amqp://bunny:***@queue.example:5672/%2f"));
    let server = settings["mail"]["smtp_url"].as_str();
    assert_eq!(server, Some("smtp://bob:***@mail.example:587?tls=required"));
    assert_eq!(settings["database"]["url"].as_str(), Some("postgres://w2meet:***@db.example/w2meet"));
    let upstreams = settings["upstreams"]["user"].as_array().expect("a list");
    assert_eq!(upstreams.iter().filter_map(|it| it.as_str()).collect::<Vec<_>>(), ["http://a:1", "http://b:2"]);
    assert!(!shown.contains("hidden"), "{shown}");
    let unreadable = run_command(&["config"], &[("W2MEET_DATABASE__URL_FILE", "/nowhere/url")]);
    let why = utf8(&unreadable.stderr);
    assert!(
        !unreadable.status.success() && why.contains("/nowhere/url") && why.contains("W2MEET_DATABASE__URL_FILE"),
        "{why}"
    );
}

#[test]
fn a_password_in_the_query_of_a_url_is_masked_too() {
    let in_query =
        run_command(&["config"], &[("W2MEET_DATABASE__URL", "postgres://db/w2meet?user=u&password=hidden5")]);
    assert!(!utf8(&in_query.stdout).contains("hidden5"), "{}", utf8(&in_query.stdout));
}

#[test]
fn a_password_in_any_url_is_masked_in_settings_and_refusals() {
    for (name, value) in [
        ("DATABASE__URL", "postgres://u:hidden7@db/w2meet?sslpassword=hidden7"),
        ("USER__DATABASE_URL", "postgres://u:hidden7@db/w2meet"),
        ("DATABASE__URL", "mysql://u:hidden7@db/w2meet"),
        ("CACHE__URL", "redis://cache/0?token=hidden7"),
        ("CACHE__URL", "memcached://u:hidden7@cache"),
        ("CACHE__URL", "rediss://u:hidden7@cache"),
        ("QUEUE__URL", "amqps://u:hidden7@queue"),
        ("QUEUE__URL", "kafka://u:hidden7@queue"),
        ("MAIL__SMTP_URL", "mailto://u:hidden7@mail"),
        ("TELEMETRY__OTLP_ENDPOINT", "https://u:hidden7@collector/"),
        ("TELEMETRY__OTLP_ENDPOINT", "ftp://u:hidden7@collector/"),
        ("SERVER__PUBLIC_URL", "https://u:hidden7@meet.example.com"),
        ("SERVER__CORS_ORIGINS", "https://u:hidden7@meet.example.com"),
        ("UPSTREAMS__USER", "http://u:hidden7@user:8000"),
        ("UPSTREAMS__USER", "http://user:8000?key=hidden7"),
        ("TELEMETRY__OTLP_ENDPOINT", "https://collector/?auth=hidden7"),
        ("CACHE__URL", "redis:/u:hidden7@cache"),
        ("CACHE__URL", "redis://u:x/hidden7@cache"),
        ("CACHE__URL", "u:hidden7@cache"),
        ("CACHE__URL_FILE", "redis://u:hidden7@cache"),
        ("QUEUE__URL", "amqp:u:hidden7@queue"),
        ("MAIL__SMTP_URL", "smtp://u:x#hidden7@mail"),
        ("DATABASE__URL", "postgres:/u:hidden7@db/w2meet"),
        ("DATABASE__URL", "host=db password=hidden7"),
    ] {
        let output = run_command(&["config"], &[(&format!("W2MEET_{name}"), value)]);
        let shown = utf8(&output.stdout) + &utf8(&output.stderr);
        assert!(!shown.is_empty() && !shown.contains("hidden7"), "{name}={value}: {shown}");
    }
    let file = TextFile::new("w2meet.toml", "[cache]\nttl_seconds = 7\nurl = \"redis://u:hidden7@cache\n");
    let why = utf8(&run_command(&["config", "--config", file.path()], &[]).stderr);
    assert!(why.contains("line 3") && why.contains(file.path()) && !why.contains("hidden7"), "{why}");
}

#[actix_web::test]
async fn migrating_twice_is_migrating_once() {
    let mut space = Sandbox::new();
    let folder = make_temp_folder();
    let schema = space.schema();
    let folder_text = folder.display().to_string();
    for _ in 0..2 {
        let settings = space.env();
        let prefix = settings.iter().find(|(name, _)| name == "W2MEET_DATABASE__SCHEMA_PREFIX").expect("it is set");
        let prefix = ("W2MEET_DATABASE__SCHEMA_PREFIX", prefix.1.as_str());
        for env in [[("W2MEET_DATABASE__URL", schema.as_str()), prefix], [("W2MEET_DATA_DIR", &folder_text), prefix]] {
            let output = run_command(&["migrate"], &env);
            assert!(output.status.success(), "{env:?}: {}", utf8(&output.stderr));
        }
    }
    let node = Node::start("user", &user_env(&space, &schema, REDIS));
    node.client("user").get("/users/ana@example.com").await.expect(404);
    drop(std::fs::remove_dir_all(folder));
}

#[actix_web::test]
async fn commands_name_their_database_and_refuse_one_that_does_not_exist() {
    let mut space = Sandbox::new();
    let url = space.schema();
    let settings = space.env();
    let prefix = settings.iter().find(|(name, _)| name == "W2MEET_DATABASE__SCHEMA_PREFIX").expect("it is set");
    let prefix = ("W2MEET_DATABASE__SCHEMA_PREFIX", prefix.1.as_str());
    let folder = make_temp_folder();
    let folder_text = folder.display().to_string();
    let file = format!("{folder_text}/user.db");
    let schema = format!("{}user", prefix.1);
    for (env, name) in [
        ([("W2MEET_DATA_DIR", folder_text.as_str()), prefix], &file),
        ([("W2MEET_DATABASE__URL", url.as_str()), prefix], &schema),
    ] {
        for arguments in [
            &["keys", "list"][..],
            &["keys", "rotate"],
            &["keys", "revoke", "x"],
            &["user", "list"],
            &["user", "promote", "ana@example.com"],
            &["user", "demote", "ana@example.com"],
            &["user", "password-reset", "ana@example.com"],
        ] {
            let refused = run_command(arguments, &env);
            let why = utf8(&refused.stderr);
            assert_eq!(refused.status.code(), Some(1), "{arguments:?}: {why}");
            assert!(why.contains(name.as_str()) && why.contains("no database"), "{arguments:?}: {why}");
        }
        assert!(!std::path::Path::new(&file).exists() || *name != file, "a command created {file}");
        assert!(run_command(&["migrate"], &env).status.success());
        let listed = run_command(&["keys", "list"], &env);
        assert!(listed.status.success() && utf8(&listed.stderr).contains(name.as_str()), "{}", utf8(&listed.stderr));
    }
    drop(std::fs::remove_dir_all(folder));
}

#[actix_web::test]
async fn the_health_command_distinguishes_a_ready_process_from_a_missing_one() {
    let cluster = Cluster::all().await;
    let address = cluster.base().trim_start_matches("http://").to_owned();
    let ready = run_command(&["health", "--role", "gateway"], &[("W2MEET_GATEWAY__LISTEN", &address)]);
    assert_eq!(ready.status.code(), Some(0), "{}", utf8(&ready.stderr));
    assert!(utf8(&ready.stdout).contains("gateway"));
    let everything = run_command(&["health"], &[("W2MEET_GATEWAY__LISTEN", &address)]);
    assert_eq!(everything.status.code(), Some(0), "{}", utf8(&everything.stderr));
    drop(cluster);
    for arguments in [&["health", "--role", "gateway"][..], &["health"]] {
        let absent = run_command(arguments, &[("W2MEET_GATEWAY__LISTEN", &address)]);
        assert_eq!(absent.status.code(), Some(1));
        assert!(utf8(&absent.stderr).contains(&format!("http://{address}")), "{}", utf8(&absent.stderr));
    }
}

#[test]
fn the_health_command_fails_for_a_role_that_it_cannot_reach() {
    let nowhere = run_command(&["health"], &[("W2MEET_GATEWAY__LISTEN", "127.0.0.1:0")]);
    assert_eq!(nowhere.status.code(), Some(1), "{}", utf8(&nowhere.stdout));
    assert!(utf8(&nowhere.stderr).contains("W2MEET_GATEWAY__LISTEN"), "{}", utf8(&nowhere.stderr));
}

#[actix_web::test]
async fn everything_that_the_demo_proposes_works() {
    let cluster = Cluster::all().await;
    let own = cluster.register("ana@example.com", json!({ "monday": [9] })).await.json;
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    for _ in 0..2 {
        let output = run_command(&["demo", "--url", cluster.base()], &[]);
        assert!(output.status.success(), "{}", utf8(&output.stderr));
        let reported = utf8(&output.stdout);
        let urls: Vec<&str> =
            reported.lines().filter_map(|line| line.strip_prefix("curl '")?.strip_suffix('\'')).collect();
        assert!(urls.len() >= 3, "{reported}");
        for url in urls {
            if let Some((url, body)) = url.split_once("' -H 'Content-Type: application/json' -d '") {
                let path = url.strip_prefix(cluster.base()).unwrap_or_else(|| panic!("{url} leads elsewhere"));
                cluster.post(path, serde_json::from_str(body).expect("JSON")).await.expect(202);
                continue;
            }
            let path = url.strip_prefix(cluster.base()).unwrap_or_else(|| panic!("{url} leads elsewhere"));
            if let Some((_, week)) = path.split_once("week=") {
                let week = jiff::fmt::strtime::parse("%G-W%V-%u", format!("{}-1", &week[..8])).expect("a week");
                assert!(week.to_date().expect("a Monday") > today, "{url} is about the past");
            }
            let answer = cluster.get(path).await.expect(200).json;
            let found = answer["suggestions"].as_array().is_some_and(|it| !it.is_empty());
            let explained = answer["empty_reason"].is_object() || answer["empty_reason"].is_string();
            assert!(found || explained || answer["common"].is_object(), "{url}: {answer}");
        }
        let users = cluster.get("/api/users").await.expect(200).json;
        assert!(users["users"].as_array().is_some_and(|users| users.len() >= 5), "{users}");
        assert_eq!(cluster.get("/api/users/ana@example.com").await.expect(200).json, own, "it belongs to somebody");
    }
    let unreachable = run_command(&["demo", "--url", "http://127.0.0.1:9"], &[]);
    assert_eq!(unreachable.status.code(), Some(1));
    assert!(utf8(&unreachable.stderr).contains("http://127.0.0.1:9"), "{}", utf8(&unreachable.stderr));
}

#[actix_web::test]
async fn jobs_that_were_given_up_are_listed_shown_and_tried_again() {
    // a mail server that is not running, and one attempt to reach it
    let more = [("W2MEET_MAIL__SMTP_URL", "smtp://127.0.0.1:9"), ("W2MEET_JOBS__MAX_ATTEMPTS", "1")];
    let cluster = Cluster::all_with(&more).await;
    let always: Value = json!(vec![vec![1; 24]; 7]);
    for email in ["ana@example.com", "ben@example.com"] {
        cluster.register(email, always.clone()).await;
    }
    let jobs = |arguments: &[&str]| run_command(&[&["jobs", "--url", cluster.base()], arguments].concat(), &[]);
    let none = jobs(&["dead"]);
    assert!(none.status.success() && utf8(&none.stdout).lines().count() == 1, "{}", utf8(&none.stdout));
    let meeting = json!({ "organizer": "ana@example.com", "attendees": ["ben@example.com"] });
    cluster.post("/api/meetings", meeting).await.expect(202);
    let id = eventually("a job is dead", async || {
        let dead = cluster.get("/api/jobs?state=dead").await.expect(200).json;
        dead["jobs"][0]["id"].as_str().map(str::to_owned)
    })
    .await;
    let listed = utf8(&jobs(&["dead"]).stdout);
    assert!(listed.contains(&id) && listed.contains("send_invitations") && listed.contains("1/1"), "{listed}");
    let shown: Value = serde_json::from_str(&utf8(&jobs(&["show", &id]).stdout)).expect("JSON");
    assert_eq!((&shown["state"], &shown["errors"][0]["attempt"]), (&json!("dead"), &json!(1)));
    let again = jobs(&["retry", &id]);
    assert!(utf8(&again.stdout).contains(&id), "{}", utf8(&again.stderr));
    let unknown = "01a1f949-5084-77ab-81a8-0d54f21df260";
    let refused = jobs(&["show", unknown]);
    assert!(!refused.status.success() && utf8(&refused.stderr).contains(unknown), "{}", utf8(&refused.stderr));
}

#[test]
fn the_help_teaches() {
    let help = run_command(&["--help"], &[]);
    assert!(help.status.success());
    let help = utf8(&help.stdout);
    for role in w2meet::roles::ALL {
        assert!(help.contains(role.name) && help.contains(role.about), "{} is not in: {help}", role.name);
    }
    for word in
        ["serve", "migrate", "config", "health", "demo", "--config", "w2meet demo", "/api/suggestions?attendee="]
    {
        assert!(help.contains(word), "{word} is not in: {help}");
    }
    let wrong = run_command(&["--role", "kitchen"], &[]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(utf8(&wrong.stderr).contains("availability"), "{}", utf8(&wrong.stderr));
}
