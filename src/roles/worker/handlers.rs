//! The endpoints of the worker role.

use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use actix_web::web::Data;
use amqprs::connection::{Connection, OpenConnectionArguments};
use anyhow::Context as _;
use futures_util::future::join_all;
use percent_encoding::percent_decode_str;
use tokio::time::timeout;
use url::Url;

use super::ROLE;
use crate::config::Settings;
use crate::platform::health::{Dependency, Report, Status};
use crate::platform::peer::Peer;
use crate::platform::role::Context;

const PATIENCE: Duration = Duration::from_secs(1);

/// The roles that the worker calls.
pub struct Peers(Vec<Peer>);

impl Peers {
    pub fn new(context: &Context) -> Peers {
        Peers(ROLE.calls.iter().map(|role| Peer::new(context, role)).collect())
    }
}

/// The broker that jobs will come from; none when the queue is embedded.
pub struct Broker(Option<OpenConnectionArguments>);

impl Broker {
    pub fn open(settings: &Settings) -> anyhow::Result<Broker> {
        let url = &settings.queue.url;
        let to = (url.scheme() == "amqp").then(|| arguments(url.expose()));
        Ok(Broker(to.transpose().with_context(|| format!("queue.url is {url}"))?))
    }

    /// Opens a connection and closes it: what the broker really does now.
    async fn health(&self) -> Option<(String, Dependency)> {
        let arguments = self.0.as_ref()?;
        let begin = Instant::now();
        let status = match timeout(PATIENCE, Connection::open(arguments)).await {
            Ok(Ok(connection)) => {
                drop(connection.close().await);
                Status::Healthy
            }
            Ok(Err(_)) | Err(_) => Status::Unhealthy,
        };
        Some(("rabbitmq".to_owned(), Dependency::measured(status, begin)))
    }
}

/// Reads an AMQP URI (the RabbitMQ URI specification): its parts percent-decoded, no path being the vhost `/`.
fn arguments(url: &str) -> anyhow::Result<OpenConnectionArguments> {
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

/// `GET /health`
pub async fn health(peers: Data<Peers>, broker: Data<Broker>) -> HttpResponse {
    let needs = join_all(peers.0.iter().map(Peer::health)).await;
    Report::new(ROLE.name, needs, broker.health().await.into_iter().collect()).answer()
}
