//! TLS to PostgreSQL, Redis and RabbitMQ: who is trusted, who is refused, and how the operator hears of it.

use std::sync::Arc;

use diesel::sql_query;
use diesel::sql_types::Bool;
use w2meet::config::{Settings, load_from};
use w2meet::platform::cache::Cache;
use w2meet::platform::data::{Db, Error, RunQueryDsl};
use w2meet::platform::http::health::Status;
use w2meet::platform::queue::Queue;
use w2meet::platform::refusal::remedy;
use w2meet::read;

use crate::support::authority::Authority;
use crate::support::cluster::{Sandbox, execute};
use crate::support::{Node, PrivatePostgres, PrivateRabbit, PrivateRedis, eventually};

const NOT_TRUSTED: &str = "the file of tls.ca_file";
const OTHER_NAME: &str = "another host name";
const BROKER: (&str, &str) = ("rabbitmq", "the broker cannot be used");
const NO_TLS_HERE: &str = "does not speak TLS on this port";

fn settings(key: &str, url: &str, ca_file: &str) -> Settings {
    let env = [(format!("W2MEET_{key}__URL"), url.to_owned()), ("W2MEET_TLS__CA_FILE".to_owned(), ca_file.to_owned())];
    load_from(None, env.into_iter()).expect("settings").settings
}

/// Whether a connection to this database is encrypted, or why there is none.
async fn database(url: &str, ca_file: &str) -> Result<bool, String> {
    #[derive(diesel::QueryableByName)]
    struct Encrypted {
        #[diesel(sql_type = Bool)]
        ssl: bool,
    }
    let db = Db::open(&settings("DATABASE", url, ca_file), "user").map_err(|why| format!("{why:#}"))?;
    let health = db.health().await;
    if health.status != Status::Healthy {
        return Err(health.cause.unwrap_or_default());
    }
    let query = sql_query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
    let found: Result<Encrypted, Error> = read!(db, |conn| query.get_result(conn));
    Ok(found.expect("it answers").ssl)
}

#[track_caller]
fn expect_refused<T: std::fmt::Debug>(outcome: Result<T, String>, reason: &str, what: &str) {
    let refused = outcome.expect_err(what);
    assert!(refused.contains(reason), "{what}: {refused}");
}

#[actix_web::test]
async fn a_postgresql_that_speaks_tls_is_verified_as_far_as_its_sslmode_says() {
    let (own, other) = (Authority::new(), Authority::new());
    let Some(server) = PrivatePostgres::prepare() else { return };
    server.encrypt(&own);
    server.configure("pg_hba.conf", "host all bound all scram-sha-256\n");
    server.boot();
    execute(&server.url(), "CREATE ROLE bound LOGIN PASSWORD 'secret'").await;
    let url = |host: &str, query: &str| format!("{}?{query}", server.url().replace("127.0.0.1", host));
    let (trusted, stranger) = (own.file(), other.file());

    for (host, query, ca_file, is_encrypted) in [
        ("localhost", "", "", true),
        ("localhost", "sslmode=disable", "", false),
        ("127.0.0.1", "sslmode=prefer", &*stranger, true),
        ("127.0.0.1", "sslmode=require", "", true),
        ("127.0.0.1", "sslmode=require", &*trusted, true),
        ("127.0.0.1", "sslmode=verify-ca", &*trusted, true),
        ("localhost", "sslmode=verify-full", &*trusted, true),
        ("localhost", &format!("sslmode=verify-full&sslrootcert={trusted}"), &*stranger, true),
    ] {
        assert_eq!(database(&url(host, query), ca_file).await, Ok(is_encrypted), "{host} {query} {ca_file}");
    }
    // the password exchange is bound to the certificate
    let with_password = url("localhost", "sslmode=verify-full").replace("postgres@", "bound:secret@");
    assert_eq!(database(&format!("{with_password}&channel_binding=require"), &trusted).await, Ok(true));
    for (host, query, ca_file, reason) in [
        ("localhost", "sslmode=verify-full", "", NOT_TRUSTED),
        ("localhost", "sslmode=verify-full", &*stranger, NOT_TRUSTED),
        ("127.0.0.1", "sslmode=verify-full", &*trusted, OTHER_NAME),
        ("localhost", "sslmode=verify-ca", &*stranger, NOT_TRUSTED),
        ("localhost", "sslmode=require", &*stranger, NOT_TRUSTED),
        ("localhost", &format!("sslmode=verify-full&sslrootcert={stranger}"), &*trusted, NOT_TRUSTED),
        ("localhost", "sslmode=verify-ca", "", "tls.ca_file"),
    ] {
        let what = format!("{host} {query} {ca_file}");
        expect_refused(database(&url(host, query), ca_file).await, reason, &what);
    }

    server.kill();
    own.present_itself(&server.data());
    server.boot();
    let outcome = database(&url("localhost", "sslmode=verify-full"), &trusted).await;
    expect_refused(outcome, "the certificate of an authority as its own", "an authority is no server");
}

#[actix_web::test]
async fn a_postgresql_without_tls_is_refused_where_tls_is_demanded() {
    let Some(server) = PrivatePostgres::start() else { return };
    for query in ["sslmode=require", "sslmode=verify-full"] {
        let outcome = database(&format!("{}?{query}", server.url()), "").await;
        expect_refused(outcome, "PostgreSQL has TLS switched off", query);
    }
    assert_eq!(database(&server.url(), "").await, Ok(false), "TLS is preferred, not demanded");
}

#[actix_web::test]
async fn a_postgresql_that_admits_only_plain_connections_is_used_without_tls_unless_it_is_demanded() {
    let authority = Authority::new();
    let Some(server) = PrivatePostgres::prepare() else { return };
    server.encrypt(&authority);
    server.configure("pg_hba.conf", "hostssl all all all reject\n");
    server.boot();
    assert_eq!(database(&server.url(), "").await, Ok(false));
    let demanded = database(&format!("{}?sslmode=require", server.url()), "").await;
    expect_refused(demanded, "pg_hba.conf", "sslmode=require");
}

/// Whether this Redis lets us in, or what helps.
async fn cache(url: &str, ca_file: &str) -> Result<(), String> {
    let Cache::Redis(redis) = Cache::open(&settings("CACHE", url, ca_file)).map_err(|why| format!("{why:#}"))? else {
        return Err("it is no Redis".to_owned());
    };
    let outcome = redis.connect().await.map(drop).map_err(|why| format!("{why:#}"));
    outcome.map_err(|why| remedy(&why).map_or(why, str::to_owned))
}

#[actix_web::test]
async fn a_redis_over_tls_is_verified() {
    let (own, other) = (Authority::new(), Authority::new());
    let Some(server) = PrivateRedis::start_encrypted(&own) else { return };
    let (named, unnamed) = (server.encrypted_url("localhost"), server.encrypted_url("127.0.0.1"));
    let plain = server.url().replace("redis:", "rediss:");
    assert_eq!(cache(&named, &own.file()).await, Ok(()));
    for (url, ca_file, reason) in [
        (&named, String::new(), NOT_TRUSTED),
        (&named, other.file(), NOT_TRUSTED),
        (&unnamed, own.file(), OTHER_NAME),
        (&plain, own.file(), NO_TLS_HERE),
        (&format!("{named}/#insecure"), own.file(), "cache.url"),
    ] {
        expect_refused(cache(url, &ca_file).await, reason, &format!("{url} {ca_file}"));
    }
}

/// Whether this RabbitMQ lets us in, or what its health report says.
async fn queue(url: &str, ca_file: &str) -> Result<(), String> {
    let queue = Queue::open(&settings("QUEUE", url, ca_file), Vec::new()).map_err(|why| format!("{why:#}"))?;
    let running = tokio::spawn(Arc::clone(&queue).run());
    let health = eventually("the broker is reached, or refuses", async || {
        let health = queue.health().await;
        let is_decided = health.status == Status::Healthy || health.cause.as_deref().is_some_and(|it| it.contains(':'));
        is_decided.then_some(health)
    })
    .await;
    running.abort();
    if health.status == Status::Healthy { Ok(()) } else { Err(health.cause.unwrap_or_default()) }
}

#[actix_web::test]
async fn a_rabbitmq_over_tls_is_verified() {
    let (own, other) = (Authority::new(), Authority::new());
    let Some(server) = PrivateRabbit::start_encrypted(&own) else { return };
    let (named, unnamed) = (server.encrypted_url("localhost"), server.encrypted_url("127.0.0.1"));
    let plain = server.url().replace("amqp:", "amqps:");
    assert_eq!(queue(&named, &own.file()).await, Ok(()));
    for (url, ca_file, reason) in [
        (&named, String::new(), NOT_TRUSTED),
        (&named, other.file(), NOT_TRUSTED),
        (&unnamed, own.file(), OTHER_NAME),
        (&plain, own.file(), NO_TLS_HERE),
        (&named.replace(":guest@", ":wrong@"), own.file(), "refuses the user or the password"),
    ] {
        expect_refused(queue(url, &ca_file).await, reason, &format!("{url} {ca_file}"));
    }
}

#[actix_web::test]
async fn the_process_names_each_server_that_it_does_not_trust_and_starts_when_it_does() {
    let authority = Authority::new();
    let (Some(database), Some(redis), Some(rabbit)) = (
        PrivatePostgres::prepare(),
        PrivateRedis::start_encrypted(&authority),
        PrivateRabbit::start_encrypted(&authority),
    ) else {
        return;
    };
    database.encrypt(&authority);
    database.boot();
    let space = Sandbox::new();
    let mut env = space.env();
    let url = format!("{}?sslmode=verify-full", database.url().replace("127.0.0.1", "localhost"));
    let knowing = format!("{url}&sslrootcert={}", authority.file());
    for (key, url) in [
        ("DATABASE", &url),
        ("CACHE", &redis.encrypted_url("localhost")),
        ("QUEUE", &rabbit.encrypted_url("localhost")),
    ] {
        env.push((format!("W2MEET_{key}__URL"), url.clone()));
    }
    // a role reads the cache when its database is ready
    for (url, refusing) in [
        (&url, [("postgresql", "the database refuses: waiting until it is mended"), BROKER]),
        (&knowing, [("redis", "the cache refuses: requests go to the database"), BROKER]),
    ] {
        env.push(("W2MEET_DATABASE__URL".to_owned(), url.clone()));
        let node = Node::spawn("all", &env);
        for (server, message) in refusing {
            let line = node.wait_for(message, |line| line["message"] == message);
            assert!(line["remedy"].as_str().is_some_and(|remedy| remedy.contains(NOT_TRUSTED)), "{line}");
            let client = node.client("user");
            eventually(&format!("{server} has a cause"), async || {
                let report = client.get("/health").await.json;
                report["dependencies"][server]["cause"].as_str().filter(|cause| cause.contains(NOT_TRUSTED)).map(drop)
            })
            .await;
        }
    }
    env.push(("W2MEET_DATABASE__URL".to_owned(), url));
    env.push(("W2MEET_TLS__CA_FILE".to_owned(), authority.file()));
    let node = Node::start("all", &env);
    let client = node.client("user");
    eventually("every server is healthy", async || {
        let report = client.get("/health").await.json;
        let is_healthy = |server: &&str| report["dependencies"][*server]["status"] == "healthy";
        ["postgresql", "redis", "rabbitmq"].iter().all(is_healthy).then_some(())
    })
    .await;
}
