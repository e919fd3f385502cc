//! What has to be in the broker, and how it gets there: the queue of jobs, the queue of dead ones, the exchange of events.

use amqprs::FieldTable;
use amqprs::channel::{ExchangeDeclareArguments, QueueDeclareArguments};
use amqprs::connection::OpenConnectionArguments;
use anyhow::ensure;

use super::link::AmqpLink;

/// Deliveries after which the broker buries a job: a backstop against one that ends every worker. Attempts are counted in the
/// database, and end long before.
const DELIVERY_LIMIT: i32 = 20;

/// Where the broker is, and the names in it.
pub struct Topology {
    pub arguments: OpenConnectionArguments,
    pub queue: String,
    pub exchange: String,
}

/// Something is there, but not as it is declared here; only the operator can help.
#[derive(Debug, thiserror::Error)]
#[error(
    "the broker has {what} with other properties than w2meet declares ({why}): when nothing in it is needed any more, delete \
     it there and it will be made anew, or choose another name with {setting}"
)]
pub struct Mismatch {
    what: String,
    why: String,
    setting: &'static str,
}

impl Topology {
    /// Takes names that AMQP can carry.
    ///
    /// # Errors
    /// Names that are empty or too long.
    pub fn new(arguments: OpenConnectionArguments, queue: &str, exchange: &str) -> anyhow::Result<Topology> {
        // with room for the ending of the dead ones
        let fits = |name: &str| !name.is_empty() && name.len() <= 250;
        ensure!(fits(queue), "queue.name must have 1 to 250 bytes");
        ensure!(fits(exchange), "queue.exchange must have 1 to 250 bytes");
        Ok(Topology { arguments, queue: queue.to_owned(), exchange: exchange.to_owned() })
    }

    /// Declares everything; what is there stays as it is.
    ///
    /// # Errors
    /// [`Mismatch`], or what the broker says; the line has ended then.
    pub async fn declare(&self, line: &AmqpLink) -> anyhow::Result<()> {
        let dead = format!("{}.dead", self.queue);
        declare_queue(line, &dead, &[("x-queue-type", "quorum".into())]).await?;
        // at-least-once and reject-publish belong together: a job leaves this queue only when the dead one has it
        let arguments = [
            ("x-queue-type", "quorum".into()),
            ("x-delivery-limit", amqprs::FieldValue::I(DELIVERY_LIMIT)),
            ("x-dead-letter-exchange", "".into()),
            ("x-dead-letter-routing-key", dead.as_str().into()),
            ("x-dead-letter-strategy", "at-least-once".into()),
            ("x-overflow", "reject-publish".into()),
        ];
        declare_queue(line, &self.queue, &arguments).await?;
        self.declare_exchange(line).await
    }

    /// Declares the exchange of events.
    ///
    /// # Errors
    /// As for [`Topology::declare`].
    pub async fn declare_exchange(&self, line: &AmqpLink) -> anyhow::Result<()> {
        let mut arguments = ExchangeDeclareArguments::new(&self.exchange, "topic");
        let declared = line.channel()?.exchange_declare(arguments.durable(true).finish()).await;
        declared.map_err(|_| refusal(line, format!("the exchange {}", self.exchange), "W2MEET_QUEUE__EXCHANGE"))
    }
}

async fn declare_queue(line: &AmqpLink, name: &str, arguments: &[(&str, amqprs::FieldValue)]) -> anyhow::Result<()> {
    let table = table(arguments)?;
    let arguments = QueueDeclareArguments::durable_client_named(name).arguments(table).finish();
    let declared = line.channel()?.queue_declare(arguments).await;
    declared.map(drop).map_err(|_| refusal(line, format!("the queue {name}"), "W2MEET_QUEUE__NAME"))
}

/// The broker ends the channel to refuse, and says why there; amqprs' own error says nothing.
fn refusal(line: &AmqpLink, what: String, setting: &'static str) -> anyhow::Error {
    let why = line.desk().why();
    if why.starts_with("PRECONDITION_FAILED") {
        return Mismatch { what, why, setting }.into();
    }
    anyhow::anyhow!("the broker does not declare {what}: {why}")
}

/// A table of AMQP.
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
