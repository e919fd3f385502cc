//! Sends a signed message to a URL that a client named, with a time limit, and reads only the beginning of the response.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_http::BoxedPayloadStream;
use actix_http::error::ParseError;
use actix_service::{Service as _, fn_service};
use actix_tls::connect::ConnectError as TcpConnectError;
use actix_tls::connect::ConnectInfo;
use actix_tls::connect::rustls_0_23::TlsConnector;
use actix_tls::connect::tcp::TcpConnectorService;
use actix_web::http::Uri;
use actix_web::http::header::CONTENT_TYPE;
use awc::error::{ConnectError, SendRequestError};
use awc::{Client, ClientResponse, Connector};
use bytes::Bytes;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout_at;

use super::resolver::{Resolver, Unreachable};
use super::response::DeliveryResult;
use super::signature::{Secret, sign};
use super::skip_interim::{DuplexStream, SkipInterim};
use super::ssrf_guard::SsrfGuard;
use crate::config::{Settings, Webhooks};
use crate::platform::case_id::CASE_ID;
use crate::platform::observe::trace_context::TRACEPARENT;
use crate::platform::request_context::milliseconds;
use crate::platform::tls::{client_config, trusted_roots};

/// A response from outside, before its body.
pub(super) type Response = ClientResponse<BoxedPayloadStream>;

/// Bytes of a response body that are read; the receiver may send an endless one.
const MAX_READ: usize = 64 << 10;
/// Bytes of a response body that are logged.
const MAX_EXCERPT: usize = 1 << 10;
pub(super) const AGENT: &str = concat!("W2Meet/", env!("CARGO_PKG_VERSION"));

/// One attempt to deliver a message.
#[derive(Clone, Debug)]
pub struct Delivery<'a> {
    /// The URL; checked at each attempt, because the settings may have changed.
    pub url: &'a str,
    /// The id of the message, the same at each attempt; without a dot.
    pub id: &'a str,
    /// The JSON body; the signature covers these bytes.
    pub body: Bytes,
    /// One secret, or two during a rotation.
    pub secrets: &'a [Secret],
    /// The Case-ID of the message.
    pub case_id: &'a str,
    /// The span of the delivery, so that the receiver can continue the trace. The tracestate is not sent.
    pub traceparent: &'a str,
}

/// Sends webhooks from one worker thread.
#[derive(Clone)]
pub struct WebhookClient {
    pub(super) guard: Rc<SsrfGuard>,
    pub(super) client: Client,
    /// For webhooks to `https` URLs, which it calls as `http` ones: it encrypts below, so that interim responses can be left out.
    secure: Client,
    pub(super) names: Resolver,
    pub(super) tls: Arc<ClientConfig>,
    /// The time limit of one attempt.
    pub(super) timeout_seconds: f64,
}

impl WebhookClient {
    /// A client for the current thread. It trusts the public authorities and the operator's own.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(settings: &Settings) -> anyhow::Result<WebhookClient> {
        WebhookClient::with_resolver(&settings.webhooks, Resolver::System, trusted_roots(&settings.tls)?)
    }

    /// [`WebhookClient::new`] with another resolver and other certificate authorities.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn with_resolver(settings: &Webhooks, names: Resolver, roots: RootCertStore) -> anyhow::Result<WebhookClient> {
        let guard = Rc::new(SsrfGuard::new(settings));
        let mut tls = client_config(roots)?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let (tls, limit) = (Arc::new(tls), Duration::from_secs_f64(settings.timeout_seconds));
        let secure = client(Rc::clone(&guard), names.clone(), &tls, true, limit);
        let client = client(Rc::clone(&guard), names.clone(), &tls, false, limit);
        Ok(WebhookClient { guard, client, secure, names, tls, timeout_seconds: settings.timeout_seconds })
    }

    /// Makes one attempt.
    pub async fn send(&self, delivery: &Delivery<'_>) -> DeliveryResult {
        let begin = Instant::now();
        let url = match self.guard.parse(delivery.url) {
            Ok(url) => url,
            Err(refused) => return DeliveryResult::Blocked { why: format!("the URL {refused}") },
        };
        let (result, excerpt) = self.attempt(url.as_str(), delivery).await;
        let (host, id, ms) = (url.host(), delivery.id, milliseconds(begin));
        match &result {
            DeliveryResult::Delivered { status } => tracing::info!(host, id, status, ms, "webhook delivered"),
            DeliveryResult::Gone => tracing::info!(host, id, status = 410, ms, "webhook declined for good"),
            DeliveryResult::Blocked { why } => tracing::warn!(host, id, why, ms, "webhook blocked"),
            DeliveryResult::Failed { why, .. } => tracing::warn!(host, id, why, answer = excerpt, ms, "webhook failed"),
        }
        result
    }

    /// The result, and the beginning of the response body.
    async fn attempt(&self, url: &str, delivery: &Delivery<'_>) -> (DeliveryResult, String) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs_f64(self.timeout_seconds);
        let now = Timestamp::now();
        let signature = sign(delivery.secrets, delivery.id, now.as_second(), &delivery.body);
        let (client, url) = match url.strip_prefix("https://") {
            Some(rest) => (&self.secure, with_port(rest)),
            None => (&self.client, url.to_owned()),
        };
        let request = client
            .post(url)
            .no_decompress()
            // a new connection for each delivery, so that the guard checks each
            .force_close()
            .insert_header((CONTENT_TYPE, "application/json"))
            .insert_header(("user-agent", AGENT))
            .insert_header(("webhook-id", delivery.id))
            .insert_header(("webhook-timestamp", now.as_second()))
            .insert_header(("webhook-signature", signature))
            .insert_header((CASE_ID.clone(), delivery.case_id))
            .insert_header((TRACEPARENT.clone(), delivery.traceparent));
        match timeout_at(deadline, request.send_body(delivery.body.clone())).await {
            Err(_) => (DeliveryResult::timed_out(self.timeout_seconds), String::new()),
            Ok(Err(error)) => (self.classify(&error), String::new()),
            Ok(Ok(mut incoming)) => {
                let result = DeliveryResult::read(incoming.status(), incoming.headers(), now);
                // the status decides: a body that fails or is late changes nothing
                let excerpt = timeout_at(deadline, read_excerpt(&mut incoming)).await.unwrap_or_default();
                (result, excerpt)
            }
        }
    }

    /// The result of an attempt without a response.
    pub(super) fn classify(&self, error: &SendRequestError) -> DeliveryResult {
        match error {
            SendRequestError::Connect(ConnectError::Resolver(why)) => match why.downcast_ref::<Unreachable>() {
                Some(Unreachable::Blocked(why)) => DeliveryResult::Blocked { why: why.to_string() },
                _ => DeliveryResult::failed(why.to_string()),
            },
            SendRequestError::Connect(ConnectError::Timeout) | SendRequestError::Timeout => {
                DeliveryResult::timed_out(self.timeout_seconds)
            }
            SendRequestError::Connect(ConnectError::Disconnected)
            | SendRequestError::Send(_)
            | SendRequestError::Response(ParseError::Io(_) | ParseError::Incomplete) => {
                DeliveryResult::failed("it closed the connection before it responded".to_owned())
            }
            SendRequestError::Connect(why) => DeliveryResult::failed(format!("no connection: {why}")),
            SendRequestError::Response(why) => DeliveryResult::failed(format!("its response is not HTTP: {why}")),
            other => DeliveryResult::failed(format!("the request failed: {other}")),
        }
    }
}

/// An `http` URL for the host and the port of an `https` URL, which is given without its scheme.
fn with_port(rest: &str) -> String {
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    // a colon in brackets belongs to an IPv6 address
    let has_port = authority.rsplit(']').next().is_some_and(|end| end.contains(':'));
    format!("http://{authority}{}{path}", if has_port { "" } else { ":443" })
}

/// An HTTP client that opens only connections that the guard allows. It leaves out interim responses, of `https` URLs only if it
/// `encrypts` every connection itself.
#[expect(clippy::disallowed_methods, reason = "webhooks go to other systems, not to roles")]
fn client(guard: Rc<SsrfGuard>, names: Resolver, tls: &Arc<ClientConfig>, encrypts: bool, limit: Duration) -> Client {
    let own_tls = encrypts.then(|| Arc::clone(tls));
    let guarded = fn_service(move |target: ConnectInfo<Uri>| {
        let (guard, names, own_tls) = (Rc::clone(&guard), names.clone(), own_tls.clone());
        async move {
            let found = guard.resolve(&names, target.hostname(), target.port()).await;
            let found = found.map_err(|why| TcpConnectError::Resolver(Box::new(why)))?;
            let connection = TcpConnectorService::default().call(target.set_addrs(found)).await?;
            let (io, connection): (Box<dyn DuplexStream>, _) = match own_tls {
                Some(tls) => {
                    let secured = TlsConnector::service(tls).call(connection).await.map_err(TcpConnectError::Io)?;
                    let (io, connection) = secured.replace_io(());
                    (Box::new(io), connection)
                }
                None => {
                    let (io, connection) = connection.replace_io(());
                    (Box::new(io), connection)
                }
            };
            Ok::<_, TcpConnectError>(connection.replace_io(SkipInterim::new(io)).1)
        }
    });
    let connector = Connector::new().connector(guarded).rustls_0_23(Arc::clone(tls)).timeout(limit);
    let connector = connector.handshake_timeout(limit);
    Client::builder().connector(connector).disable_timeout().disable_redirects().no_default_headers().finish()
}

/// Reads at most [`MAX_READ`] bytes of the body, and returns the first [`MAX_EXCERPT`] for the log.
async fn read_excerpt(response: &mut Response) -> String {
    let (mut read, mut excerpt) = (0, Vec::new());
    while read < MAX_READ
        && let Some(Ok(chunk)) = response.next().await
    {
        read += chunk.len();
        excerpt.extend_from_slice(&chunk[..chunk.len().min(MAX_EXCERPT - excerpt.len())]);
    }
    String::from_utf8_lossy(&excerpt).escape_debug().to_string()
}
