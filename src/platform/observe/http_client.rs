//! The HTTP client that batches of steps are sent with: ours, on a thread of its own, for it can live on one only.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use awc::{Client, Connector};
use bytes::Bytes;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

/// Bytes of an answer that are read.
const ANSWER: usize = 64 << 10;

type Outcome = Result<Response<Bytes>, HttpError>;
type ExportJob = (Request<Bytes>, oneshot::Sender<Outcome>);

/// The way to that thread. Each sender waits for its answer, so no more orders wait than there are senders.
pub struct OtlpHttpClient(UnboundedSender<ExportJob>);

impl fmt::Debug for OtlpHttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OtlpHttpClient")
    }
}

impl OtlpHttpClient {
    /// Starts the thread; each request may take this long.
    ///
    /// # Errors
    /// TLS that cannot be set up.
    pub fn start(patience: Duration) -> anyhow::Result<OtlpHttpClient> {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (orders, received) = unbounded_channel();
        let work = move || actix_rt::System::new().block_on(serve(received, Arc::new(tls), patience));
        std::thread::Builder::new().name("otlp".to_owned()).spawn(work)?;
        Ok(OtlpHttpClient(orders))
    }
}

#[async_trait]
impl HttpClient for OtlpHttpClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Outcome {
        let (tell, told) = oneshot::channel();
        self.0.send((request, tell)).map_err(|_| "its thread has ended")?;
        told.await?
    }
}

#[expect(clippy::disallowed_methods, reason = "a collector is no role")]
async fn serve(mut orders: UnboundedReceiver<ExportJob>, tls: Arc<ClientConfig>, patience: Duration) {
    let connector = Connector::new().rustls_0_23(tls).timeout(patience);
    let client = Client::builder().connector(connector).timeout(patience).disable_redirects().finish();
    while let Some((request, tell)) = orders.recv().await {
        let client = client.clone();
        // whoever asked may have gone
        actix_rt::spawn(async move { drop(tell.send(post(&client, request).await)) });
    }
}

/// Between the words of two versions of the same crate.
async fn post(client: &Client, request: Request<Bytes>) -> Outcome {
    let (head, body) = request.into_parts();
    let mut call = client.post(head.uri.to_string());
    for (name, value) in &head.headers {
        call = call.insert_header((name.as_str(), value.as_bytes()));
    }
    let mut answer = call.send_body(body).await.map_err(|why| why.to_string())?;
    let body = answer.body().limit(ANSWER).await.map_err(|why| why.to_string())?;
    Ok(Response::builder().status(answer.status().as_u16()).body(body)?)
}
