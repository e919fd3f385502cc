//! Accounts for tests: people who are signed in, and an admin.

use awc::http::Method;
use serde_json::{Value, json};

use super::cluster::command;
use super::{Client, Cluster, Node, Reply, eventually};

/// A password that is hard to guess.
pub const PASSWORD: &str = "der Zug nach Lissabon war leer";

/// What roles that run apart show each other.
pub const SERVICE: &str = "a-secret-of-this-test-suite-0123456789";

/// Callers must sign in. Nobody is limited, and passwords are cheap, so that tests are not about that.
pub const REQUIRED: &[(&str, &str)] = &[
    ("W2MEET_AUTH__MODE", "required"),
    ("W2MEET_AUTH__SERVICE_SECRET", SERVICE),
    ("W2MEET_LIMITS__PER_ADDRESS", "0"),
    ("W2MEET_LIMITS__PER_ACCOUNT", "0"),
    ("W2MEET_LIMITS__SIGN_IN", "0"),
    ("W2MEET_SERVER__CONNECTIONS_PER_ADDRESS", "1000"),
    ("W2MEET_AUTH__PASSWORD_MEMORY_KIB", "64"),
    ("W2MEET_AUTH__PASSWORD_PASSES", "1"),
    // letters are another matter
    ("W2MEET_AUTH__VERIFY_EMAIL", "false"),
];

/// [`REQUIRED`], with passwords that cost what they cost by default.
pub fn auth_with_costly_passwords() -> Vec<(&'static str, &'static str)> {
    REQUIRED.iter().copied().filter(|(name, _)| !name.contains("PASSWORD")).collect()
}

/// [`REQUIRED`], with access that is open all the same.
pub fn auth_open() -> Vec<(&'static str, &'static str)> {
    REQUIRED.iter().copied().filter(|(name, _)| !name.contains("MODE") && !name.contains("SERVICE")).collect()
}

/// Somebody who is signed in.
pub struct Account {
    client: Client,
    /// Whether it poses as the gateway.
    inside: bool,
    pub access_token: String,
    pub refresh_token: String,
}

impl Account {
    pub fn new(base: &str, response: &Value) -> Account {
        let text = |name: &str| response[name].as_str().unwrap_or_default().to_owned();
        let (access_token, refresh_token) = (text("access_token"), text("refresh_token"));
        assert!(!access_token.is_empty() && !refresh_token.is_empty(), "{response}");
        Account { client: Client::new(base), inside: false, access_token, refresh_token }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.request(Method::GET, path, None).await
    }
    pub async fn delete(&self, path: &str) -> Reply {
        self.request(Method::DELETE, path, None).await
    }
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.request(Method::POST, path, Some(body)).await
    }
    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.request(Method::PUT, path, Some(body)).await
    }
    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.request(Method::PATCH, path, Some(body)).await
    }

    /// Any request, in this account's name.
    pub async fn request(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        let kind = if body.is_some() { &[("content-type", "application/json")][..] } else { &[] };
        self.with(method, path, kind, body.map(|body| body.to_string().into_bytes())).await
    }

    async fn with(&self, method: Method, path: &str, more: &[(&str, &str)], body: Option<Vec<u8>>) -> Reply {
        let bearer = format!("Bearer {}", self.access_token);
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend_from_slice(more);
        headers.extend(self.inside.then_some(("w2meet-service", SERVICE)));
        self.client.send(method, path, &headers, body).await
    }

    /// A body of another kind.
    pub async fn send(&self, method: Method, path: &str, kind: &str, body: Vec<u8>) -> Reply {
        self.with(method, path, &[("content-type", kind)], Some(body)).await
    }

    /// A POST with more headers.
    pub async fn post_with_headers(&self, path: &str, body: Value, more: &[(&str, &str)]) -> Reply {
        let headers = [&[("content-type", "application/json")], more].concat();
        self.with(Method::POST, path, &headers, Some(body.to_string().into_bytes())).await
    }

    /// The same account, asking an inner role as if it were the gateway.
    pub fn as_gateway_at(&self, base: &str) -> Account {
        let (access_token, refresh_token) = (self.access_token.clone(), self.refresh_token.clone());
        Account { client: Client::new(base), inside: true, access_token, refresh_token }
    }

    /// Waits until its token is worth nothing any more.
    pub async fn until_refused(&self, path: &str) {
        eventually("the token is refused", async || {
            let reply = self.get(path).await;
            (reply.status == 401).then(|| assert_eq!(reply.json["type"], "/problems/invalid-token"))
        })
        .await;
    }
}

/// Makes an account.
pub async fn register(client: &Client, email: &str) -> Account {
    let body = json!({ "email": email, "password": PASSWORD, "name": "Somebody" });
    let response = client.post("/api/auth/register", body).await.expect(201).json;
    Account::new(client.base(), &response)
}

/// Signs in.
pub async fn sign_in(client: &Client, email: &str) -> Account {
    let response =
        client.post("/api/auth/login", json!({ "email": email, "password": PASSWORD })).await.expect(200).json;
    Account::new(client.base(), &response)
}

/// Runs a command of the executable with the settings of a running node.
pub fn run_beside(node: &Node, arguments: &[&str]) -> std::process::Output {
    command().args(arguments).envs(node.settings()).output().expect("the executable runs")
}

/// An account that may do everything: named so on the machine that has the database.
pub async fn admin(cluster: &Cluster) -> Account {
    register(cluster, "admin@example.com").await;
    let user = cluster.nodes_of("user")[0];
    let done = run_beside(user, &["user", "promote", "admin@example.com"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    sign_in(cluster, "admin@example.com").await
}

/// The bytes of a key that signs, as they lie in the database, in base64url.
pub async fn signing_seed(cluster: &Cluster, kid: &str) -> String {
    let node = cluster.nodes_of("user")[0];
    let sql = format!("SELECT seed FROM signing_keys WHERE id = '{kid}'");
    let settings = node.settings();
    match settings.iter().find(|(name, _)| name == "W2MEET_DATABASE__URL") {
        Some((_, url)) => {
            let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("PostgreSQL");
            tokio::spawn(connection);
            client.query_one(&sql, &[]).await.expect("a key").get(0)
        }
        None => {
            use diesel::prelude::*;
            #[derive(QueryableByName)]
            struct Key {
                #[diesel(sql_type = diesel::sql_types::Text)]
                seed: String,
            }
            let file = format!("{}/user.db", node.setting("W2MEET_DATA_DIR"));
            let mut conn = diesel::SqliteConnection::establish(&file).expect("the file");
            diesel::sql_query(sql).get_result::<Key>(&mut conn).expect("a key").seed
        }
    }
}
