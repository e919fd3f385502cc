//! What w2meet declares in the broker: the queue of jobs, the dead-letter queue, and the exchange of events.

use amqprs::FieldTable;
use amqprs::channel::{ExchangeDeclareArguments, QueueDeclareArguments};
use amqprs::connection::OpenConnectionArguments;
use anyhow::ensure;

use super::link::AmqpLink;

/// Deliveries after which the broker moves a job to the dead-letter queue: a backstop against a job that crashes every worker.
/// The database counts attempts, and its limit is lower.
const DELIVERY_LIMIT: i32 = 20;

/// The address of the broker, and the names in it.
pub struct Topology {
    pub arguments: OpenConnectionArguments,
    pub queue: String,
    pub exchange: String,
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
    pub fn new(arguments: OpenConnectionArguments, queue: &str, exchange: &str) -> anyhow::Result<Topology> {
        // less the suffix of the dead-letter queue
        let fits = |name: &str| !name.is_empty() && name.len() <= 250;
        ensure!(fits(queue), "queue.name must have 1 to 250 bytes");
        ensure!(fits(exchange), "queue.exchange must have 1 to 250 bytes");
        Ok(Topology { arguments, queue: queue.to_owned(), exchange: exchange.to_owned() })
    }

    /// Declares everything; an existing queue or exchange keeps its properties.
    ///
    /// # Errors
    /// [`Mismatch`], or another refusal of the broker. The link has ended then.
    pub async fn declare(&self, link: &AmqpLink) -> anyhow::Result<()> {
        let dead = format!("{}.dead", self.queue);
        declare_queue(link, &dead, &[("x-queue-type", "quorum".into())]).await?;
        // at-least-once needs reject-publish: a job leaves this queue only when the dead-letter queue has it
        let arguments = [
            ("x-queue-type", "quorum".into()),
            ("x-delivery-limit", amqprs::FieldValue::I(DELIVERY_LIMIT)),
            ("x-dead-letter-exchange", "".into()),
            ("x-dead-letter-routing-key", dead.as_str().into()),
            ("x-dead-letter-strategy", "at-least-once".into()),
            ("x-overflow", "reject-publish".into()),
        ];
        declare_queue(link, &self.queue, &arguments).await?;
        self.declare_exchange(link).await
    }

    /// Declares the exchange of events.
    ///
    /// # Errors
    /// As for [`Topology::declare`].
    pub async fn declare_exchange(&self, link: &AmqpLink) -> anyhow::Result<()> {
        let mut arguments = ExchangeDeclareArguments::new(&self.exchange, "topic");
        let declared = link.channel()?.exchange_declare(arguments.durable(true).finish()).await;
        declared.map_err(|_| refusal(link, format!("the exchange {}", self.exchange), "W2MEET_QUEUE__EXCHANGE"))
    }
}

async fn declare_queue(link: &AmqpLink, name: &str, arguments: &[(&str, amqprs::FieldValue)]) -> anyhow::Result<()> {
    let table = table(arguments)?;
    let arguments = QueueDeclareArguments::durable_client_named(name).arguments(table).finish();
    let declared = link.channel()?.queue_declare(arguments).await;
    declared.map(drop).map_err(|_| refusal(link, format!("the queue {name}"), "W2MEET_QUEUE__NAME"))
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
pub fn table(pairs: &[(&str, amqprs::FieldValue)]) -> anyhow::Result<FieldTable> {
    let mut table = FieldTable::new();
    for (name, value) in pairs {
        table.insert((*name).try_into()?, value.clone());
    }
    Ok(table)
}
