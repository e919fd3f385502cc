//! What w2meet declares in the broker: the queue of jobs, the dead-letter queue, the exchange of events, and a queue for each role
//! that subscribes to events.

use amqprs::channel::{ExchangeDeclareArguments, QueueBindArguments, QueueDeclareArguments};
use amqprs::connection::OpenConnectionArguments;
use amqprs::{FieldTable, FieldValue};
use anyhow::ensure;

use super::link::AmqpLink;
use crate::platform::queue::Subscription;

/// Deliveries after which the broker moves a job to the dead-letter queue: a backstop against a job that crashes every worker.
/// The database counts attempts, and its limit is lower.
const DELIVERY_LIMIT: i32 = 20;
/// An event is delivered until it takes effect. RabbitMQ 4 counts to 20 by default, and RabbitMQ 3 has no word for no limit.
const NO_DELIVERY_LIMIT: i32 = i32::MAX;

/// The settings that name what is declared.
const QUEUE_NAME: &str = "W2MEET_QUEUE__NAME";
const EXCHANGE_NAME: &str = "W2MEET_QUEUE__EXCHANGE";

/// The address of the broker, and the names in it.
pub struct Topology {
    pub arguments: OpenConnectionArguments,
    pub queue: String,
    pub exchange: String,
    subscriptions: Vec<Subscription>,
}

/// A queue or an exchange that exists with other properties; only the operator can help.
#[derive(Debug, thiserror::Error)]
#[error(
    "the broker has {what} with other properties than w2meet declares ({why}): when nothing in it is needed any more, delete \
     it in the broker and w2meet declares it again, or choose another name with {setting}"
)]
pub struct Mismatch {
    what: String,
    why: String,
    setting: &'static str,
}

impl Topology {
    /// Checks that AMQP can carry the names.
    ///
    /// # Errors
    /// Names that are empty or too long.
    pub fn new(
        arguments: OpenConnectionArguments,
        queue: &str,
        exchange: &str,
        subscriptions: Vec<Subscription>,
    ) -> anyhow::Result<Topology> {
        // less the suffix of the dead-letter queue, or of the queue of a role
        let fits = |name: &str, limit: usize| !name.is_empty() && name.len() <= limit;
        ensure!(fits(queue, 250), "queue.name must have 1 to 250 bytes");
        ensure!(fits(exchange, 200), "queue.exchange must have 1 to 200 bytes");
        Ok(Topology { arguments, queue: queue.to_owned(), exchange: exchange.to_owned(), subscriptions })
    }

    /// The name of the queue of a role that subscribes to events.
    pub fn event_queue(&self, role: &str) -> String {
        format!("{}.{role}", self.exchange)
    }

    /// Declares everything; an existing queue or exchange keeps its properties.
    ///
    /// # Errors
    /// [`Mismatch`], or another refusal of the broker. The link has ended then.
    pub async fn declare(&self, link: &AmqpLink) -> anyhow::Result<()> {
        let dead = format!("{}.dead", self.queue);
        declare_queue(link, &dead, &[("x-queue-type", "quorum".into())], QUEUE_NAME).await?;
        // at-least-once needs reject-publish: a message leaves its queue only when the dead-letter queue has it
        let arguments = |delivery_limit: i32| {
            [
                ("x-queue-type", "quorum".into()),
                ("x-delivery-limit", FieldValue::I(delivery_limit)),
                ("x-dead-letter-exchange", "".into()),
                ("x-dead-letter-routing-key", dead.as_str().into()),
                ("x-dead-letter-strategy", "at-least-once".into()),
                ("x-overflow", "reject-publish".into()),
            ]
        };
        declare_queue(link, &self.queue, &arguments(DELIVERY_LIMIT), QUEUE_NAME).await?;
        self.declare_exchange(link).await?;
        for Subscription { role, keys } in &self.subscriptions {
            let queue = self.event_queue(role);
            declare_queue(link, &queue, &arguments(NO_DELIVERY_LIMIT), EXCHANGE_NAME).await?;
            for key in *keys {
                link.channel()?.queue_bind(QueueBindArguments::new(&queue, &self.exchange, key)).await?;
            }
        }
        Ok(())
    }

    /// Declares the exchange of events.
    ///
    /// # Errors
    /// As for [`Topology::declare`].
    pub async fn declare_exchange(&self, link: &AmqpLink) -> anyhow::Result<()> {
        let mut arguments = ExchangeDeclareArguments::new(&self.exchange, "topic");
        let declared = link.channel()?.exchange_declare(arguments.durable(true).finish()).await;
        declared.map_err(|_| refusal(link, format!("the exchange {}", self.exchange), EXCHANGE_NAME))
    }
}

async fn declare_queue(
    link: &AmqpLink,
    name: &str,
    arguments: &[(&str, FieldValue)],
    setting: &'static str,
) -> anyhow::Result<()> {
    let table = table(arguments)?;
    let arguments = QueueDeclareArguments::durable_client_named(name).arguments(table).finish();
    let declared = link.channel()?.queue_declare(arguments).await;
    declared.map(drop).map_err(|_| refusal(link, format!("the queue {name}"), setting))
}

/// The reason of a refusal: the broker closes the channel with it, and amqprs' own error does not contain it.
fn refusal(link: &AmqpLink, what: String, setting: &'static str) -> anyhow::Error {
    let why = link.confirms().close_reason();
    if why.starts_with("PRECONDITION_FAILED") {
        return Mismatch { what, why, setting }.into();
    }
    anyhow::anyhow!("the broker does not declare {what}: {why}")
}

/// An AMQP field table.
///
/// # Errors
/// Names longer than 255 bytes.
pub fn table(pairs: &[(&str, FieldValue)]) -> anyhow::Result<FieldTable> {
    let mut table = FieldTable::new();
    for (name, value) in pairs {
        table.insert((*name).try_into()?, value.clone());
    }
    Ok(table)
}
