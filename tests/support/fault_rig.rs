//! W2Meet in the service shape with its own RabbitMQ, a receiver for its webhooks, and workers that a test may kill.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::cluster::execute;
use super::invariants::Evidence;
use super::load::wait_for_all_jobs;
use super::receiver::Receiver;
use super::test_queue::QueueNames;
use super::{Cluster, Node, PrivateRabbit};

/// Settings that allow many webhooks to this machine at a time, and retry failures soon.
pub const LOCAL_WEBHOOKS: [(&str, &str); 5] = [
    ("W2MEET_WEBHOOKS__ALLOW_HTTP", "true"),
    ("W2MEET_WEBHOOKS__ALLOW_NETWORKS", "127.0.0.1"),
    ("W2MEET_WEBHOOKS__PER_HOST", "64"),
    ("W2MEET_DATABASE__POOL_SIZE", "16"),
    ("W2MEET_JOBS__RETRY_SECONDS", "0.5"),
];

/// The cluster, its workers, the broker and the receiver.
pub struct FaultRig {
    pub cluster: Cluster,
    pub workers: RefCell<Vec<Node>>,
    pub broker: Arc<PrivateRabbit>,
    pub names: QueueNames,
    pub receiver: Receiver,
}

impl FaultRig {
    /// Starts it with one worker. Gives `None`, and prints a notice, where RabbitMQ is not installed.
    pub async fn start(more: &[(&str, &str)]) -> Option<FaultRig> {
        let broker = Arc::new(PrivateRabbit::start()?);
        let names = QueueNames::in_broker(&broker.url());
        let queue = names.env();
        let set = queue.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let env: Vec<(&str, &str)> = set.chain(LOCAL_WEBHOOKS).chain(more.iter().copied()).collect();
        let mut cluster = Cluster::split_with(&env).await;
        let at = cluster.nodes.iter().position(|node| node.roles == "worker").expect("a worker");
        let workers = RefCell::new(vec![cluster.nodes.remove(at)]);
        Some(FaultRig { cluster, workers, broker, names, receiver: Receiver::start() })
    }

    /// Starts one more worker.
    pub fn add_worker(&self) {
        let new = self.workers.borrow()[0].respawn();
        self.workers.borrow_mut().push(new);
    }

    /// Kills every worker with SIGKILL and starts a new one for each.
    pub fn replace_workers(&self) {
        for worker in self.workers.borrow_mut().iter_mut() {
            worker.signal("KILL");
            *worker = worker.respawn();
        }
    }

    pub fn signal_workers(&self, name: &str) {
        self.workers.borrow().iter().for_each(|worker| worker.signal(name));
    }

    /// Counts the log lines of all live workers that contain this text.
    pub fn count_lines(&self, text: &str) -> usize {
        self.workers.borrow().iter().map(|worker| worker.count_lines(text)).sum()
    }

    /// Ends the broker and starts it again, while everything else keeps running.
    pub async fn restart_broker(&self, end: fn(&PrivateRabbit)) {
        let broker = Arc::clone(&self.broker);
        let again = tokio::task::spawn_blocking(move || {
            end(&broker);
            broker.boot();
        });
        again.await.expect("it runs again");
    }

    pub fn outbox(&self) -> PathBuf {
        PathBuf::from(self.cluster.nodes[0].setting("W2MEET_DATA_DIR")).join("outbox")
    }

    /// Waits until no job is open, and collects the evidence.
    pub async fn finish(&self, limit: Duration) -> Evidence {
        wait_for_all_jobs(&self.cluster, limit).await;
        Evidence::collect(&self.cluster, &self.receiver, &self.outbox()).await
    }

    /// Runs SQL in the database of the user role.
    pub async fn execute(&self, sql: &str) {
        execute(self.database(), sql).await;
    }

    pub fn database(&self) -> &str {
        self.cluster.nodes[0].setting("W2MEET_DATABASE__URL")
    }

    /// The rows of a query, of one column of text.
    pub async fn select(&self, sql: &str) -> Vec<String> {
        let opened = tokio_postgres::connect(self.database(), tokio_postgres::NoTls).await;
        let (client, connection) = opened.expect("PostgreSQL answers");
        let driver = tokio::spawn(connection);
        let rows = client.query(sql, &[]).await.unwrap_or_else(|why| panic!("{sql}: {why}"));
        drop(client);
        drop(driver.await);
        rows.iter().map(|row| row.get::<_, Option<String>>(0).unwrap_or_default()).collect()
    }

    /// [`FaultRig::select`] of one number.
    pub async fn select_number(&self, sql: &str) -> f64 {
        self.select(sql).await[0].parse().expect("a number")
    }
}
