//! One connection to the broker, with the one channel that is used on it.

use std::sync::Arc;
use std::time::Duration;

use amqprs::channel::Channel;
use amqprs::connection::{Connection, OpenConnectionArguments};
use anyhow::Context as _;
use percent_encoding::percent_decode_str;
use tokio::runtime::Handle;
use tokio::time::timeout;
use url::Url;

use super::confirms::ConfirmTracker;

const CONNECT: Duration = Duration::from_secs(5);
/// How long a goodbye may take.
pub const CLOSE: Duration = Duration::from_secs(1);
/// Seconds; a broker that says nothing for two of them is gone.
const HEARTBEAT: u16 = 5;

/// A connection and its channel. amqprs spawns tasks when they are dropped, and panics where no runtime is: this may be
/// dropped anywhere.
pub struct AmqpLink {
    open: Option<(Connection, Channel)>,
    desk: Arc<ConfirmTracker>,
    home: Handle,
}

impl AmqpLink {
    /// Connects; the connection's tasks live on this runtime. `name` tells the broker's operator what it is for. Dropping
    /// this future while it waits does no harm.
    ///
    /// # Errors
    /// What the broker or the network says, and no answer within five seconds.
    pub async fn open(arguments: &OpenConnectionArguments, name: &str) -> anyhow::Result<AmqpLink> {
        let arguments = arguments.clone().heartbeat(HEARTBEAT).connection_name(&format!("w2meet {name}")).finish();
        // a task of its own: amqprs cannot bear being dropped half way
        let opening = tokio::spawn(timeout(CONNECT, AmqpLink::connect(arguments)));
        opening.await?.context("the broker does not answer within five seconds")?
    }

    async fn connect(arguments: OpenConnectionArguments) -> anyhow::Result<AmqpLink> {
        let connection = Connection::open(&arguments).await?;
        let channel = connection.open_channel(None).await?;
        let (desk, clerk) = ConfirmTracker::with_clerk();
        // without it the broker's cancellation of a consumer is swallowed, and its receiver never ends
        channel.register_callback(clerk).await?;
        Ok(AmqpLink { open: Some((connection, channel)), desk, home: Handle::current() })
    }

    /// The channel.
    ///
    /// # Errors
    /// When it was closed by us.
    pub fn channel(&self) -> anyhow::Result<&Channel> {
        self.open.as_ref().map(|(_, channel)| channel).context("the connection is closed")
    }

    /// Where the broker's answers arrive.
    pub fn desk(&self) -> &ConfirmTracker {
        &self.desk
    }

    /// The runtime that it lives on.
    pub fn home(&self) -> &Handle {
        &self.home
    }

    /// Says goodbye to the broker, for at most a second. What was not answered goes back to its queue.
    pub async fn close(mut self) {
        if let Some((connection, channel)) = self.open.clone() {
            let goodbye = async move {
                drop(channel.close().await);
                drop(connection.close().await);
            };
            drop(timeout(CLOSE, self.home.spawn(goodbye)).await);
        }
        self.let_go();
    }

    fn let_go(&mut self) {
        let _home = self.home.enter();
        // the channel first: amqprs closes both, each in a task
        if let Some((connection, channel)) = self.open.take() {
            drop(channel);
            drop(connection);
        }
    }
}

impl Drop for AmqpLink {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// Reads an AMQP URI (the RabbitMQ URI specification): its parts percent-decoded, no path being the vhost `/`.
///
/// # Errors
/// What is no such URI.
pub fn arguments(url: &str) -> anyhow::Result<OpenConnectionArguments> {
    let url = Url::parse(url)?;
    let decoded = |text: &str| anyhow::Ok(percent_decode_str(text).decode_utf8()?.into_owned());
    let host = url.host_str().context("it names no host")?;
    let (user, password) = (decoded(url.username())?, decoded(url.password().unwrap_or_default())?);
    let vhost = match url.path() {
        "" | "/" => "/".to_owned(),
        path => decoded(&path[1..])?,
    };
    let mut arguments = OpenConnectionArguments::new(host, url.port().unwrap_or(5672), &user, &password);
    Ok(arguments.virtual_host(&vhost).finish())
}
