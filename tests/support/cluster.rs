//! A running W2Meet: the real executable on free ports, with its own database and cache, removed at the end.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use w2meet::platform::role::Role;
use w2meet::roles;

use super::servers::{env_var, free_port};
use super::test_queue::QueueNames;
use super::{Client, Reply};

/// The deployment of the roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// All roles in one process, without other services.
    Embedded,
    /// Each role in its own process, two of availability and of suggestion, over PostgreSQL and Redis.
    Services,
}

/// A cluster that is ready. It is also a client of its own gateway: `cluster.get("/api/…")`.
pub struct Cluster {
    pub shape: Shape,
    pub nodes: Vec<Node>,
    client: Client,
    _space: Sandbox,
}

/// A folder, a database schema, queue names and a cache prefix for one test; removed after the last node.
pub struct Sandbox {
    folder: PathBuf,
    /// What its schemas begin with, and whether it made any.
    schema_prefix: String,
    has_schemas: bool,
    owners: Vec<&'static str>,
    prefix: OnceCell<String>,
    names: Option<QueueNames>,
}

/// One process.
pub struct Node {
    pub roles: String,
    env: Env,
    child: Mutex<Child>,
    lines: Arc<(Mutex<Vec<String>>, Condvar)>,
}

/// Settings of a process, as environment variables.
pub type Env = Vec<(String, String)>;

impl Deref for Cluster {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Cluster {
    /// All roles in one process, on the embedded default.
    pub async fn all() -> Cluster {
        Cluster::all_with(&[]).await
    }

    /// [`Cluster::all`] with more settings.
    pub async fn all_with(more: &[(&str, &str)]) -> Cluster {
        let space = Sandbox::new();
        let mut env = space.env();
        env.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let node = Node::start("all", &env);
        let client = Client::new(&node.url("gateway"));
        Cluster { shape: Shape::Embedded, nodes: vec![node], client, _space: space }
    }

    /// Each role in its own process.
    pub async fn split() -> Cluster {
        Cluster::split_with(&[]).await
    }

    /// [`Cluster::split`] with more settings; a `W2MEET_DATABASE__URL` or `W2MEET_CACHE__URL` among them replaces the shared
    /// servers.
    pub async fn split_with(more: &[(&str, &str)]) -> Cluster {
        let mut space = Sandbox::new();
        let mut env = space.env();
        if !more.iter().any(|(name, _)| *name == "W2MEET_DATABASE__URL") {
            env.push(("W2MEET_DATABASE__URL".into(), space.schema()));
        }
        if !more.iter().any(|(name, _)| *name == "W2MEET_CACHE__URL") {
            env.extend(space.redis());
        }
        env.push(("W2MEET_DATABASE__POOL_SIZE".into(), "4".into()));
        // processes stop without a delay, and slow reads are not hedged: tests count requests
        env.push(("W2MEET_SERVER__LINGER_MS".into(), "0".into()));
        env.push(("W2MEET_BALANCE__HEDGE_MS".into(), "0".into()));
        if !more.iter().any(|(name, _)| *name == "W2MEET_QUEUE__URL") {
            env.extend(space.queue());
        }
        // links in mails begin with the public address, so it is fixed before the gateway starts
        let gateway = format!("127.0.0.1:{}", free_port());
        env.push(("W2MEET_GATEWAY__LISTEN".into(), gateway.clone()));
        env.push(("W2MEET_SERVER__PUBLIC_URL".into(), format!("http://{gateway}")));
        env.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut nodes = vec![Node::start("user", &env)];
        for (role, replicas) in
            [("reservation", 1), ("availability", 2), ("suggestion", 2), ("worker", 1), ("gateway", 1)]
        {
            let addresses = Node::upstreams(&nodes);
            let with: Env = env.iter().cloned().chain(addresses).collect();
            let mut started: Vec<Node> = (0..replicas).map(|_| Node::start(role, &with)).collect();
            nodes.append(&mut started);
        }
        let client = Client::new(&nodes.last().expect("the gateway").url("gateway"));
        Cluster { shape: Shape::Services, nodes, client, _space: space }
    }

    /// All roles in one process, or each in its own, with more settings.
    pub async fn in_shape(shape: Shape, more: &[(&str, &str)]) -> Cluster {
        match shape {
            Shape::Embedded => Cluster::all_with(more).await,
            Shape::Services => Cluster::split_with(more).await,
        }
    }

    /// The folder of the mails that are not sent because no mail server is configured.
    pub fn outbox(&self) -> PathBuf {
        self._space.folder.join("data/outbox")
    }

    /// The processes that run this role.
    pub fn nodes_of(&self, role: &str) -> Vec<&Node> {
        self.nodes.iter().filter(|node| node.roles == "all" || node.roles == role).collect()
    }

    /// Every log line of every process so far, as JSON.
    pub fn log(&self) -> Vec<Value> {
        self.nodes.iter().flat_map(Node::log).collect()
    }

    /// Registers a user who is available in `week`, in UTC.
    pub async fn register(&self, email: &str, week: Value) -> Reply {
        self.register_in(email, "UTC", week).await
    }

    /// Registers a user who is available in `week`, in the time zone `zone`.
    pub async fn register_in(&self, email: &str, zone: &str, week: Value) -> Reply {
        let body = json!({ "email": email, "name": "Somebody", "time_zone": zone, "availability": week });
        self.post("/api/users", body).await.expect(201)
    }
}

impl Node {
    /// Starts the executable and waits until it logs `ready`.
    pub fn start(roles: &str, env: &[(String, String)]) -> Node {
        let node = Node::spawn(roles, env);
        node.wait_for("ready", |line| line["message"] == "ready");
        node
    }

    /// Starts the executable without waiting.
    pub fn spawn(roles: &str, env: &[(String, String)]) -> Node {
        let mut command = command();
        if roles != "all" {
            // separate roles need the address of a broker, but start without one
            command.env("W2MEET_QUEUE__URL", "amqp://127.0.0.1:9");
        }
        let mut child = command
            .args(["--role", roles])
            .envs(env.iter().cloned())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .stdin(Stdio::null())
            .spawn()
            .expect("the executable starts");
        let lines = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let streams: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("piped")), Box::new(child.stderr.take().expect("piped"))];
        for stream in streams {
            let lines = Arc::clone(&lines);
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    lines.0.lock().expect("no reader panics").push(line);
                    lines.1.notify_all();
                }
                lines.1.notify_all();
            });
        }
        Node { roles: roles.to_owned(), env: env.to_vec(), child: Mutex::new(child), lines }
    }

    /// Starts another node with the same settings, without waiting.
    pub fn respawn(&self) -> Node {
        Node::spawn(&self.roles, &self.env)
    }

    /// [`Node::respawn`] with other settings.
    pub fn respawn_with(&self, more: &[(&str, &str)]) -> Node {
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Node::spawn(&self.roles, &self.env.iter().cloned().chain(more).collect::<Env>())
    }

    /// All settings of this node.
    pub fn settings(&self) -> Env {
        self.env.clone()
    }

    /// One setting of this node.
    pub fn setting(&self, name: &str) -> &str {
        let mut set = self.env.iter().rev();
        set.find(|(one, _)| one == name).map(|(_, value)| value.as_str()).expect("it was set")
    }

    /// Waits for a log line. Fails, and prints all output so far, if it does not come or the process ends.
    #[track_caller]
    pub fn wait_for(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let (lines, news) = &*self.lines;
        let mut output = lines.lock().expect("no reader panics");
        let mut seen = 0;
        for _ in 0..200 {
            while seen < output.len() {
                if let Ok(line) = serde_json::from_str::<Value>(&output[seen])
                    && is_it(&line)
                {
                    return line;
                }
                seen += 1;
            }
            output = news.wait_timeout(output, Duration::from_millis(50)).expect("no reader panics").0;
            if seen == output.len() && self.child.lock().expect("one holder").try_wait().expect("a child").is_some() {
                break;
            }
        }
        let log = output.join("\n");
        // a panic with the lock would poison it for every other test of this node
        drop(output);
        panic!("{} never said {what}; its log:\n{log}", self.roles);
    }

    /// The base URL of a role of this process.
    #[track_caller]
    pub fn url(&self, role: &str) -> String {
        let line = self.wait_for("where it listens", |line| line["message"] == "listening" && line["role"] == role);
        format!("http://{}", line["address"].as_str().unwrap_or_default())
    }

    /// A client of the metrics listener of a role of this process.
    #[track_caller]
    pub fn admin(&self, role: &str) -> Client {
        let is_it =
            |line: &Value| line["message"].as_str().is_some_and(|it| it.contains("metrics")) && line["role"] == role;
        let line = self.wait_for("where its metrics are", is_it);
        Client::new(&format!("http://{}", line["address"].as_str().unwrap_or_default()))
    }

    /// A client of one role of this process, without the gateway.
    pub fn client(&self, role: &str) -> Client {
        Client::new(&self.url(role))
    }

    /// The log lines so far. No line has a key twice.
    pub fn log(&self) -> Vec<Value> {
        let parse = |line: &String| {
            let parsed = w2meet::platform::http::json::parse(line.as_bytes());
            assert!(parsed.is_ok() || serde_json::from_str::<Value>(line).is_err(), "{parsed:?}: {line}");
            parsed.ok()
        };
        self.lines.0.lock().expect("no reader panics").iter().filter_map(parse).collect()
    }

    /// All output so far, as text.
    pub fn log_text(&self) -> String {
        self.lines.0.lock().expect("no reader panics").join("\n")
    }

    /// Counts the lines that contain this text.
    pub fn count_lines(&self, text: &str) -> usize {
        self.lines.0.lock().expect("no reader panics").iter().filter(|line| line.contains(text)).count()
    }

    pub fn pid(&self) -> u32 {
        self.child.lock().expect("one holder").id()
    }

    /// Sends a signal such as `KILL`, `STOP`, `CONT`, `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -{name}");
    }

    /// The exit status, if the process has ended.
    pub fn exit_status(&self) -> Option<std::process::ExitStatus> {
        self.child.lock().expect("one holder").try_wait().expect("a child")
    }

    /// Waits for the end of the process, and gives its exit status.
    pub fn wait(&self) -> std::process::ExitStatus {
        self.child.lock().expect("one holder").wait().expect("a child")
    }

    /// The `W2MEET_UPSTREAMS__…` settings for all roles of these nodes.
    pub fn upstreams(nodes: &[Node]) -> Env {
        let mut bases: HashMap<&str, Vec<String>> = HashMap::new();
        for node in nodes {
            bases.entry(&node.roles).or_default().push(node.url(&node.roles));
        }
        bases
            .into_iter()
            .map(|(role, urls)| (format!("W2MEET_UPSTREAMS__{}", role.to_uppercase()), urls.join(",")))
            .collect()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut lines = self.log();
            lines.retain(|line| line["level"] == "WARN" || line["level"] == "ERROR");
            println!("{} warned {} times; the last:", self.roles, lines.len());
            lines.iter().rev().take(5).for_each(|line| println!("  {line}"));
        }
        if let Ok(mut child) = self.child.lock() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// The executable without the settings of this process; `W2MEET_TEST_EXECUTABLE` names another one, such as a release build.
pub fn command() -> Command {
    let mut command =
        Command::new(env_var("W2MEET_TEST_EXECUTABLE").unwrap_or(env!("CARGO_BIN_EXE_w2meet").to_owned()));
    #[expect(clippy::disallowed_methods, reason = "what the test machine sets must not reach the executable")]
    let own = std::env::vars_os();
    for (name, _) in own {
        if name.to_string_lossy().starts_with("W2MEET_") {
            command.env_remove(name);
        }
    }
    command
}

/// The URL of a server of the test machine.
#[expect(clippy::disallowed_methods, reason = "the suite has no settings file")]
pub fn test_url(variable: &str, default: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| default.to_owned())
}

/// Makes a new temporary folder.
pub fn make_temp_folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("w2meet-test-{:016x}", rand::random::<u64>()));
    std::fs::create_dir_all(&folder).expect("a temporary folder");
    folder
}

/// The roles that own data. In SQL of a test, a table that each of them has is that of the first one.
pub fn owners() -> Vec<&'static str> {
    roles::ALL.iter().rev().filter(|role| role.owns_data()).map(|role| role.name).collect()
}

impl Sandbox {
    pub fn new() -> Sandbox {
        Sandbox::with_owners(&[])
    }

    /// With owners of the test's own.
    pub fn with_owners(more: &[&'static str]) -> Sandbox {
        Sandbox {
            owners: [&owners(), more].concat(),
            folder: make_temp_folder(),
            schema_prefix: format!("w2meet_test_{:016x}_", rand::random::<u64>()),
            has_schemas: false,
            prefix: OnceCell::new(),
            names: None,
        }
    }

    /// Settings for free ports, the own folder, and JSON log lines that include calls between roles.
    pub fn env(&self) -> Env {
        let listen = |role: &Role| (format!("W2MEET_{}__LISTEN", role.name.to_uppercase()), "127.0.0.1:0".to_owned());
        let mut env: Env = roles::ALL.iter().map(listen).collect();
        env.push(("W2MEET_DATA_DIR".into(), self.folder.join("data").display().to_string()));
        env.push(("W2MEET_DATABASE__SCHEMA_PREFIX".into(), self.schema_prefix.clone()));
        env.push(("W2MEET_LOG__FORMAT".into(), "json".into()));
        env.push(("W2MEET_LOG__LEVEL".into(), "info,w2meet::platform::rpc=debug".into()));
        env.push(("W2MEET_SERVER__WORKERS".into(), "1".into()));
        // a change is mailed at once
        env.push(("W2MEET_INVITATIONS__JOIN_SECONDS".into(), "0".into()));
        env
    }

    /// The URL of the test machine's PostgreSQL; a connection of the test's own finds the tables of every owner there.
    pub fn schema(&mut self) -> String {
        self.has_schemas = true;
        self.url_into_schemas(&postgres_url())
    }

    /// This URL, leading into the schemas of every owner.
    pub fn url_into_schemas(&self, url: &str) -> String {
        let mark = if url.contains('?') { '&' } else { '?' };
        let schemas = self.schemas();
        format!("{url}{mark}options=-csearch_path%3D{schemas}")
    }

    fn schemas(&self) -> String {
        self.owners.iter().map(|owner| format!("{}{owner}", self.schema_prefix)).collect::<Vec<_>>().join(",")
    }

    /// Settings for the test machine's PostgreSQL, Redis and RabbitMQ.
    pub fn services(&mut self) -> Env {
        let mut env = self.queue();
        env.push(("W2MEET_DATABASE__URL".into(), self.schema()));
        env.push(("W2MEET_DATABASE__POOL_SIZE".into(), "4".into()));
        env.extend(self.redis());
        env
    }

    fn redis(&self) -> [(String, String); 2] {
        let url = test_url("W2MEET_TEST_REDIS_URL", "redis://127.0.0.1:6379");
        [("W2MEET_CACHE__URL".into(), url), ("W2MEET_CACHE__PREFIX".into(), self.prefix())]
    }

    /// QueueNames of this test's own in a shared RabbitMQ.
    pub fn queue(&mut self) -> Env {
        let names = QueueNames::in_shared_broker().expect("RabbitMQ answers");
        let env = names.env();
        self.names = Some(names);
        env
    }

    /// The prefix of the keys of this test in the shared Redis.
    pub fn prefix(&self) -> String {
        self.prefix.get_or_init(|| format!("w2meet-test-{:016x}", rand::random::<u64>())).clone()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
        if self.has_schemas {
            let schemas = self.schemas();
            let dropped = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(execute(&postgres_url(), &format!("DROP SCHEMA IF EXISTS {schemas} CASCADE")));
            });
            drop(dropped.join());
        }
        drop(self.names.take());
        if let Some(prefix) = self.prefix.take() {
            drop(delete_redis_keys(&prefix));
        }
    }
}

fn postgres_url() -> String {
    test_url("W2MEET_TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
}

/// Runs SQL on a PostgreSQL server.
pub async fn execute(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("PostgreSQL answers");
    let driver = tokio::spawn(connection);
    client.batch_execute(sql).await.unwrap_or_else(|why| panic!("{sql}: {why}"));
    drop(client);
    drop(driver.await);
}

/// Deletes every key with this prefix from Redis.
fn delete_redis_keys(prefix: &str) -> deadpool_redis::redis::RedisResult<()> {
    use deadpool_redis::redis::{Client, Commands};
    let client = Client::open(test_url("W2MEET_TEST_REDIS_URL", "redis://127.0.0.1:6379"))?;
    let mut conn = client.get_connection()?;
    let keys: Vec<String> = conn.scan_match(format!("{prefix}*"))?.collect::<Result<_, _>>()?;
    if keys.is_empty() { Ok(()) } else { conn.del(keys) }
}
