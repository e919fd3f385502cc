//! Sends a signed message to a URL that a client named, within a time, and reads only the beginning of the answer.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_http::BoxedPayloadStream;
use actix_http::error::ParseError;
use actix_service::{Service as _, fn_service};
use actix_tls::connect::ConnectError as NoConnection;
use actix_tls::connect::ConnectInfo;
use actix_tls::connect::tcp::TcpConnectorService;
use actix_web::http::Uri;
use actix_web::http::header::CONTENT_TYPE;
use anyhow::Context as _;
use awc::error::{ConnectError, SendRequestError};
use awc::{Client, ClientResponse, Connector};
use bytes::Bytes;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout_at;

use super::resolver::{Resolver, Unreachable};
use super::response::DeliveryResult;
use super::signature::{Secret, sign};
use super::ssrf_guard::SsrfGuard;
use crate::config::Webhooks;
use crate::platform::observe::trace_context::TRACEPARENT;
use crate::platform::request_context::{CASE_ID, milliseconds};

/// An answer from outside whose body is still to come.
pub(super) type Incoming = ClientResponse<BoxedPayloadStream>;

/// Bytes of an answer that are read; the receiver may send more, for ever.
const READ: usize = 64 << 10;
/// Bytes of an answer that the log keeps.
const KEPT: usize = 1 << 10;
pub(super) const AGENT: &str = concat!("W2Meet/", env!("CARGO_PKG_VERSION"));

/// One attempt to deliver a message.
#[derive(Clone, Debug)]
pub struct Delivery<'a> {
    /// Judged anew at each attempt: the settings may have changed.
    pub url: &'a str,
    /// The message's id, the same at each attempt; without a dot.
    pub id: &'a str,
    /// JSON, signed as these bytes.
    pub body: Bytes,
    /// One, or two while the receiver changes from one to the next.
    pub secrets: &'a [Secret],
    /// The case that the message belongs to.
    pub case_id: &'a str,
    /// The step of a trace that sending it is: whoever asked for the meeting may go on with it. What others keep in the trace
    /// stays here.
    pub traceparent: &'a str,
}

/// Sends messages from one worker thread.
#[derive(Clone)]
pub struct WebhookClient {
    guard: Rc<SsrfGuard>,
    client: Client,
    patience: f64,
}

/// The certificate authorities that are compiled in.
fn public_roots() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

impl WebhookClient {
    /// For the thread that it is made on.
    ///
    /// # Errors
    /// TLS that cannot be set up.
    pub fn new(settings: &Webhooks) -> anyhow::Result<WebhookClient> {
        WebhookClient::with(settings, Resolver::System, public_roots())
    }

    /// [`WebhookClient::new`] with somebody else to ask for names, and somebody else to trust.
    ///
    /// # Errors
    /// TLS that cannot be set up.
    pub fn with(settings: &Webhooks, names: Resolver, roots: RootCertStore) -> anyhow::Result<WebhookClient> {
        let guard = Rc::new(SsrfGuard::new(settings));
        // the provider is named here: a default of the whole process would be for whoever came first to choose
        let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .context("cannot set up TLS for webhooks")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let client = client(Rc::clone(&guard), names, Arc::new(tls), Duration::from_secs_f64(settings.timeout_seconds));
        Ok(WebhookClient { guard, client, patience: settings.timeout_seconds })
    }

    /// Makes one attempt, and says what came of it.
    pub async fn send(&self, delivery: &Delivery<'_>) -> DeliveryResult {
        let begin = Instant::now();
        let url = match self.guard.parse(delivery.url) {
            Ok(url) => url,
            Err(refused) => return DeliveryResult::Blocked { why: refused.to_string() },
        };
        let (answer, excerpt) = self.attempt(url.as_str(), delivery).await;
        let (host, id, ms) = (url.host(), delivery.id, milliseconds(begin));
        match &answer {
            DeliveryResult::Delivered { status } => tracing::info!(host, id, status, ms, "webhook delivered"),
            DeliveryResult::Gone => tracing::info!(host, id, status = 410, ms, "webhook no longer wanted"),
            DeliveryResult::Blocked { why } => tracing::warn!(host, id, why, ms, "webhook blocked"),
            DeliveryResult::Failed { why, .. } => tracing::warn!(host, id, why, answer = excerpt, ms, "webhook failed"),
        }
        answer
    }

    /// The answer, and how its body begins.
    async fn attempt(&self, url: &str, delivery: &Delivery<'_>) -> (DeliveryResult, String) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs_f64(self.patience);
        let now = Timestamp::now();
        let signature = sign(delivery.secrets, delivery.id, now.as_second(), &delivery.body);
        let request = self
            .client
            .post(url)
            .no_decompress()
            // each delivery opens a connection of its own, so that each is judged
            .force_close()
            .insert_header((CONTENT_TYPE, "application/json"))
            .insert_header(("user-agent", AGENT))
            .insert_header(("webhook-id", delivery.id))
            .insert_header(("webhook-timestamp", now.as_second()))
            .insert_header(("webhook-signature", signature))
            .insert_header((CASE_ID.clone(), delivery.case_id))
            .insert_header((TRACEPARENT.clone(), delivery.traceparent));
        match timeout_at(deadline, request.send_body(delivery.body.clone())).await {
            Err(_) => (DeliveryResult::timed_out(self.patience), String::new()),
            Ok(Err(error)) => (self.judge(&error), String::new()),
            Ok(Ok(mut incoming)) => {
                let answer = DeliveryResult::read(incoming.status(), incoming.headers(), now);
                // by its status the receiver has said it all: what becomes of the body changes nothing
                let excerpt = timeout_at(deadline, beginning(&mut incoming)).await.unwrap_or_default();
                (answer, excerpt)
            }
        }
    }

    /// What every connection is judged by.
    pub(super) fn guard(&self) -> &SsrfGuard {
        &self.guard
    }

    /// The client behind it: it opens no connection that the guard has not let pass.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Seconds that one attempt may take.
    pub(super) fn patience(&self) -> f64 {
        self.patience
    }

    /// What it means that there is no answer.
    pub(super) fn judge(&self, error: &SendRequestError) -> DeliveryResult {
        match error {
            SendRequestError::Connect(ConnectError::Resolver(why)) => match why.downcast_ref::<Unreachable>() {
                Some(Unreachable::Blocked(why)) => DeliveryResult::Blocked { why: why.to_string() },
                _ => DeliveryResult::failed(why.to_string()),
            },
            SendRequestError::Connect(ConnectError::Timeout) | SendRequestError::Timeout => {
                DeliveryResult::timed_out(self.patience)
            }
            SendRequestError::Connect(ConnectError::Disconnected)
            | SendRequestError::Send(_)
            | SendRequestError::Response(ParseError::Io(_) | ParseError::Incomplete) => {
                DeliveryResult::failed("it broke off before it answered".to_owned())
            }
            SendRequestError::Connect(why) => DeliveryResult::failed(format!("no connection: {why}")),
            SendRequestError::Response(why) => DeliveryResult::failed(format!("its answer is not HTTP: {why}")),
            other => DeliveryResult::failed(format!("the request failed: {other}")),
        }
    }
}

/// A client that can only open connections which the guard has let pass, whatever it is asked for.
#[expect(clippy::disallowed_methods, reason = "webhooks go to strangers, not to roles")]
fn client(guard: Rc<SsrfGuard>, names: Resolver, tls: Arc<ClientConfig>, patience: Duration) -> Client {
    let judged = fn_service(move |wanted: ConnectInfo<Uri>| {
        let (guard, names) = (Rc::clone(&guard), names.clone());
        async move {
            let found = guard.resolve(&names, wanted.hostname(), wanted.port()).await;
            let found = found.map_err(|why| NoConnection::Resolver(Box::new(why)))?;
            TcpConnectorService::default().call(wanted.set_addrs(found)).await
        }
    });
    let connector = Connector::new().connector(judged).rustls_0_23(tls).timeout(patience).handshake_timeout(patience);
    Client::builder().connector(connector).disable_timeout().disable_redirects().no_default_headers().finish()
}

/// Reads no more than [`READ`] bytes of the body, and keeps what the log may hold of them.
async fn beginning(answer: &mut Incoming) -> String {
    let (mut read, mut kept) = (0, Vec::new());
    while read < READ
        && let Some(Ok(chunk)) = answer.next().await
    {
        read += chunk.len();
        kept.extend_from_slice(&chunk[..chunk.len().min(KEPT - kept.len())]);
    }
    String::from_utf8_lossy(&kept).escape_debug().to_string()
}
