//! Replicas of the user role alone, called directly: enough to test the cache against the database.

use super::cluster::{Env, Sandbox};
use super::{Client, Node, ToxicProxy};

/// Processes of the user role over one database.
pub struct Replicas {
    pub nodes: Vec<Node>,
    pub clients: Vec<Client>,
    env: Vec<Env>,
    /// The URL of the database they share.
    pub database: String,
    _space: Sandbox,
}

impl Replicas {
    /// As many as there are cache URLs, in a schema of its own on the test machine's PostgreSQL.
    pub async fn start(caches: &[&str]) -> Replicas {
        let mut space = Sandbox::new();
        let database = space.schema();
        Replicas::start_in(space, database, caches)
    }

    /// [`Replicas::start`], with the database behind this proxy.
    pub fn start_through(proxy: &ToxicProxy, caches: &[&str]) -> Replicas {
        let mut space = Sandbox::new();
        let mut database = url::Url::parse(&space.schema()).expect("a URL");
        database.set_port(Some(proxy.port())).expect("a port");
        Replicas::start_in(space, database.into(), caches)
    }

    /// [`Replicas::start`] over a PostgreSQL of the test's own.
    pub fn start_over(database: &str, caches: &[&str]) -> Replicas {
        let space = Sandbox::new();
        let database = space.url_into_schemas(database);
        Replicas::start_in(space, database, caches)
    }

    fn start_in(space: Sandbox, database: String, caches: &[&str]) -> Replicas {
        let env: Vec<Env> = caches.iter().map(|cache| user_env(&space, &database, cache)).collect();
        let nodes: Vec<Node> = env.iter().map(|env| Node::start("user", env)).collect();
        // requests go round the cache until it is connected: that would be no test of the cache
        for node in &nodes {
            node.wait_for("the cache is connected", |line| line["epoch"] != serde_json::Value::Null);
        }
        Replicas {
            clients: nodes.iter().map(|node| node.client("user")).collect(),
            nodes,
            env,
            database,
            _space: space,
        }
    }

    /// Starts a replica again after its end.
    pub fn restart(&mut self, at: usize) {
        self.nodes[at] = Node::start("user", &self.env[at]);
        self.clients[at] = self.nodes[at].client("user");
    }

    /// How many log lines with this message name `key`, over all replicas.
    pub fn count_lines(&self, message: &str, key: &str) -> usize {
        let lines = self.nodes.iter().flat_map(Node::log);
        let keys = |line: &serde_json::Value| line["key"].as_str().is_some_and(|keys| keys.contains(key));
        lines.filter(|line| line["message"] == message && keys(line)).count()
    }
}

/// The settings of a user role over these two.
pub fn user_env(space: &Sandbox, database: &str, cache: &str) -> Env {
    let mut env = space.env();
    env.push(("W2MEET_DATABASE__URL".into(), database.into()));
    env.push(("W2MEET_DATABASE__POOL_SIZE".into(), "4".into()));
    env.push(("W2MEET_CACHE__URL".into(), cache.into()));
    env.push(("W2MEET_CACHE__PREFIX".into(), space.prefix()));
    env
}
