//! One connection to the broker, with the one channel that is used on it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use amqprs::channel::Channel;
use amqprs::connection::{Connection, OpenConnectionArguments};
use amqprs::error::Error;
use amqprs::tls::TlsAdaptor;
use anyhow::{Context as _, anyhow};
use percent_encoding::percent_decode_str;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::Url;

use super::confirms::ConfirmTracker;
use crate::config::Tls;
use crate::platform::tls::{client_config, trusted_roots};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// RabbitMQ closes a connection without a word, and after three seconds, when it refuses the user or the password: amqprs does not
/// say that it would understand an answer.
const SILENT_CLOSE: Duration = Duration::from_millis(2500);
/// How long closing may take.
pub const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// The interval of heartbeats; a connection without one for twice as long has ended.
const HEARTBEAT_SECONDS: u16 = 5;

/// A connection and its channel. Dropped, amqprs' own types spawn tasks and panic outside a runtime; this type may be dropped
/// anywhere.
pub struct AmqpLink {
    open: Option<(Connection, Channel)>,
    confirms: Arc<ConfirmTracker>,
    runtime: Handle,
}

impl AmqpLink {
    /// Connects; the connection's tasks run on the current runtime. `name` is what the broker's operator sees. The future may be
    /// dropped while it waits.
    ///
    /// # Errors
    /// A failure of the broker or the network, and no response within five seconds.
    pub async fn open(arguments: &OpenConnectionArguments, name: &str) -> anyhow::Result<AmqpLink> {
        let arguments =
            arguments.clone().heartbeat(HEARTBEAT_SECONDS).connection_name(&format!("w2meet {name}")).finish();
        // in its own task: amqprs does not support a connection attempt that is dropped
        let opening = tokio::spawn(timeout(CONNECT_TIMEOUT, AmqpLink::connect(arguments)));
        opening.await?.context("the broker did not respond within five seconds")?
    }

    async fn connect(arguments: OpenConnectionArguments) -> anyhow::Result<AmqpLink> {
        let begin = Instant::now();
        let connection = Connection::open(&arguments).await.map_err(|why| match why {
            Error::NetworkError(why) if begin.elapsed() >= SILENT_CLOSE => {
                anyhow!("ACCESS_REFUSED - Login: the broker closed the connection during the sign-in ({why})")
            }
            other => other.into(),
        })?;
        let channel = connection.open_channel(None).await?;
        let (confirms, callback) = ConfirmTracker::with_callback();
        // without a callback amqprs swallows the broker's cancellation of a consumer, whose receiver then never ends
        channel.register_callback(callback).await?;
        Ok(AmqpLink { open: Some((connection, channel)), confirms, runtime: Handle::current() })
    }

    /// The channel.
    ///
    /// # Errors
    /// After [`AmqpLink::close`].
    pub fn channel(&self) -> anyhow::Result<&Channel> {
        self.open.as_ref().map(|(_, channel)| channel).context("the connection is closed")
    }

    /// The tracker of the broker's confirms.
    pub fn confirms(&self) -> &ConfirmTracker {
        &self.confirms
    }

    /// The runtime of the connection's tasks.
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Closes the connection within a second. The broker requeues unsettled deliveries.
    pub async fn close(mut self) {
        if let Some((connection, channel)) = self.open.clone() {
            let closing = async move {
                drop(channel.close().await);
                drop(connection.close().await);
            };
            drop(timeout(CLOSE_TIMEOUT, self.runtime.spawn(closing)).await);
        }
        self.release();
    }

    fn release(&mut self) {
        let _guard = self.runtime.enter();
        // the channel first: amqprs closes each in a task
        if let Some((connection, channel)) = self.open.take() {
            drop(channel);
            drop(connection);
        }
    }
}

impl Drop for AmqpLink {
    fn drop(&mut self) {
        self.release();
    }
}

/// Reads an AMQP URI (the RabbitMQ URI specification): its parts percent-decoded, no path being the vhost `/`.
///
/// # Errors
/// What is no such URI, and authorities that cannot be read.
pub fn arguments(url: &str, tls: &Tls) -> anyhow::Result<OpenConnectionArguments> {
    let url = Url::parse(url)?;
    let decoded = |text: &str| anyhow::Ok(percent_decode_str(text).decode_utf8()?.into_owned());
    let host = url.host_str().context("it names no host")?;
    let (user, password) = (decoded(url.username())?, decoded(url.password().unwrap_or_default())?);
    let vhost = match url.path() {
        "" | "/" => "/".to_owned(),
        path => decoded(&path[1..])?,
    };
    let is_encrypted = url.scheme() == "amqps";
    let port = url.port().unwrap_or(if is_encrypted { 5671 } else { 5672 });
    let mut arguments = OpenConnectionArguments::new(host, port, &user, &password);
    if is_encrypted {
        let connector = TlsConnector::from(Arc::new(client_config(trusted_roots(tls)?)?));
        // the brackets of an IPv6 address belong to the URL
        arguments.tls_adaptor(TlsAdaptor::new(connector, host.trim_matches(['[', ']']).to_owned()));
    }
    Ok(arguments.virtual_host(&vhost).finish())
}
