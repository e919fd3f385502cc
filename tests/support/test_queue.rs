//! A queue of one test in a broker, deleted at its end, and messages for it.

use std::sync::Arc;
use std::time::Duration;

use amqprs::channel::{
    BasicGetArguments, Channel, ExchangeDeleteArguments, QueueDeclareArguments, QueueDeleteArguments,
};
use amqprs::connection::{Connection, OpenConnectionArguments};
use w2meet::config::{Settings, load_from};
use w2meet::platform::queue::{Delivery, Destination, Message, PublishError, Queue, Subscription};

use super::eventually;
use super::servers::{env_var, skip_without};

/// QueueNames of its own in a broker. In a shared one, what they name goes with them.
pub struct QueueNames {
    pub url: String,
    pub queue: String,
    pub exchange: String,
    /// Whether the broker outlives the test.
    shared: bool,
}

impl QueueNames {
    /// In the broker that all tests share. `None`, with a message, if there is none.
    pub fn in_shared_broker() -> Option<QueueNames> {
        let url = env_var("W2MEET_TEST_AMQP_URL").unwrap_or_else(|| "amqp://guest:guest@127.0.0.1:5672/%2f".to_owned());
        let parsed = url::Url::parse(&url).expect("a URL");
        let address = (parsed.host_str().unwrap_or("127.0.0.1"), parsed.port().unwrap_or(5672));
        if std::net::TcpStream::connect(address).is_err() {
            return skip_without("RabbitMQ (W2MEET_TEST_AMQP_URL says where it is)");
        }
        let mut names = QueueNames::in_broker(&url);
        names.shared = true;
        Some(names)
    }

    pub fn in_broker(url: &str) -> QueueNames {
        let name = format!("w2meet-test-{:016x}", rand::random::<u64>());
        QueueNames {
            url: url.to_owned(),
            queue: format!("{name}.jobs"),
            exchange: format!("{name}.events"),
            shared: false,
        }
    }

    /// The same names through another connection; the queue that created them deletes them.
    pub fn via(&self, url: &str) -> QueueNames {
        QueueNames { url: url.to_owned(), queue: self.queue.clone(), exchange: self.exchange.clone(), shared: false }
    }

    /// As environment variables.
    pub fn env(&self) -> Vec<(String, String)> {
        let set = [("URL", &self.url), ("NAME", &self.queue), ("EXCHANGE", &self.exchange)];
        set.map(|(name, value)| (format!("W2MEET_QUEUE__{name}"), value.clone())).into()
    }

    pub fn settings(&self) -> Settings {
        load_from(None, self.env().into_iter()).expect("settings").settings
    }

    /// The queue, not running yet.
    pub fn open(&self) -> Arc<Queue> {
        self.open_for(&[])
    }

    /// [`QueueNames::open`] with durable subscriptions.
    pub fn open_for(&self, subscriptions: &[Subscription]) -> Arc<Queue> {
        Queue::open(&self.settings(), subscriptions.to_vec()).expect("a queue")
    }

    /// The queue, running until the test ends; returns when it takes messages.
    pub async fn start(&self) -> Arc<Queue> {
        self.start_for(&[]).await
    }

    /// [`QueueNames::start`] with durable subscriptions.
    pub async fn start_for(&self, subscriptions: &[Subscription]) -> Arc<Queue> {
        let queue = self.open_for(subscriptions);
        tokio::spawn(Arc::clone(&queue).run());
        let absent = event_message("test.ready", "nobody listens");
        eventually("it publishes", async || publish(&queue, absent.clone()).await.ok()).await;
        queue
    }

    /// A channel past all of our own code.
    pub async fn channel(&self) -> (Connection, Channel) {
        let url = url::Url::parse(&self.url).expect("a URL");
        let (host, port) = (url.host_str().expect("a host"), url.port().unwrap_or(5672));
        let arguments = OpenConnectionArguments::new(host, port, url.username(), url.password().unwrap_or_default());
        let connection = Connection::open(&arguments).await.expect("it answers");
        let channel = connection.open_channel(None).await.expect("a channel");
        (connection, channel)
    }

    /// Deletes the queue of jobs, even while it is used.
    pub async fn delete_queue(&self) {
        let (connection, channel) = self.channel().await;
        channel.queue_delete(QueueDeleteArguments::new(&self.queue)).await.expect("deleted");
        connection.close().await.expect("closed");
    }

    async fn clean(&self) {
        let (connection, channel) = self.channel().await;
        let of_roles = w2meet::roles::ALL.iter().map(|role| role.name).chain(["toy"]);
        let of_roles = of_roles.map(|role| format!("{}.{role}", self.exchange));
        for queue in of_roles.chain([self.queue.clone(), format!("{}.dead", self.queue)]) {
            let queue = &queue;
            drop(channel.queue_delete(QueueDeleteArguments::new(queue)).await);
        }
        drop(channel.exchange_delete(ExchangeDeleteArguments::new(&self.exchange)).await);
        drop(connection.close().await);
    }

    /// How many jobs wait in the broker, for no consumer yet.
    pub async fn count_waiting(&self) -> u32 {
        let (connection, channel) = self.channel().await;
        let passive = QueueDeclareArguments::new(&self.queue).passive(true).finish();
        let (_, waiting, _) = channel.queue_declare(passive).await.expect("it is there").expect("an answer");
        connection.close().await.expect("closed");
        waiting
    }

    /// How many consumers take jobs.
    pub async fn count_consumers(&self) -> u32 {
        let (connection, channel) = self.channel().await;
        let passive = QueueDeclareArguments::new(&self.queue).passive(true).finish();
        let (_, _, consumers) = channel.queue_declare(passive).await.expect("it is there").expect("an answer");
        connection.close().await.expect("closed");
        consumers
    }

    /// The oldest of the dead jobs.
    pub async fn take_dead(&self) -> Option<String> {
        let (connection, channel) = self.channel().await;
        let mut get = BasicGetArguments::new(&format!("{}.dead", self.queue));
        let got = channel.basic_get(get.no_ack(true).finish()).await.expect("it is there");
        connection.close().await.expect("closed");
        got.map(|(_, _, body)| String::from_utf8(body).expect("text"))
    }
}

impl Drop for QueueNames {
    fn drop(&mut self) {
        if !self.shared {
            return;
        }
        std::thread::scope(|scope| {
            let cleaning = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(self.clean());
            });
            drop(cleaning.join());
        });
    }
}

pub fn job_message(body: &str) -> Message {
    message(body, Destination::Jobs)
}

pub fn event_message(routing_key: &str, body: &str) -> Message {
    message(body, Destination::Event(routing_key.to_owned()))
}

fn message(body: &str, to: Destination) -> Message {
    let id = format!("{:016x}", rand::random::<u64>());
    Message {
        id,
        to,
        case_id: format!("case-{body}"),
        traceparent: format!("trace-{body}"),
        body: body.to_owned().into(),
    }
}

/// Publishes one message.
pub async fn publish(queue: &Queue, message: Message) -> Result<(), PublishError> {
    queue.publish(&[message]).await.pop().expect("one verdict")
}

/// The next job; fails after ten seconds.
pub async fn next_job(consumer: &mut w2meet::platform::queue::Consumer) -> Delivery {
    tokio::time::timeout(Duration::from_secs(10), consumer.next()).await.expect("a job within ten seconds")
}

pub fn body_text(delivery: &Delivery) -> &str {
    std::str::from_utf8(&delivery.body).expect("text")
}
