//! The HTTP client of the OTLP export. It runs on its own thread, because an `awc` client cannot leave its thread.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use awc::{Client, Connector};
use bytes::Bytes;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use rustls::ClientConfig;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::config::Tls;
use crate::platform::tls::{client_config, trusted_roots};

/// Bytes of a response that are read.
const MAX_RESPONSE: usize = 64 << 10;

type Outcome = Result<Response<Bytes>, HttpError>;
type ExportJob = (Request<Bytes>, oneshot::Sender<Outcome>);

/// The handle to the thread. Every sender waits for its response, so the channel holds at most one job for each.
pub struct OtlpHttpClient(UnboundedSender<ExportJob>);

impl fmt::Debug for OtlpHttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OtlpHttpClient")
    }
}

impl OtlpHttpClient {
    /// Starts the thread; `limit` is the timeout of each request.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn start(settings: &Tls, limit: Duration) -> anyhow::Result<OtlpHttpClient> {
        let tls = client_config(trusted_roots(settings)?)?;
        let (jobs, received) = unbounded_channel();
        let work = move || actix_rt::System::new().block_on(serve(received, Arc::new(tls), limit));
        std::thread::Builder::new().name("otlp".to_owned()).spawn(work)?;
        Ok(OtlpHttpClient(jobs))
    }
}

#[async_trait]
impl HttpClient for OtlpHttpClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Outcome {
        let (sender, receiver) = oneshot::channel();
        self.0.send((request, sender)).map_err(|_| "the export thread has ended")?;
        receiver.await?
    }
}

#[expect(clippy::disallowed_methods, reason = "a collector is no role")]
async fn serve(mut jobs: UnboundedReceiver<ExportJob>, tls: Arc<ClientConfig>, limit: Duration) {
    let connector = Connector::new().rustls_0_23(tls).timeout(limit);
    let client = Client::builder().connector(connector).timeout(limit).disable_redirects().finish();
    while let Some((request, sender)) = jobs.recv().await {
        let client = client.clone();
        // the receiver may be dropped
        actix_rt::spawn(async move { drop(sender.send(post(&client, request).await)) });
    }
}

/// Sends a request; converts between the types of two versions of the `http` crate.
async fn post(client: &Client, request: Request<Bytes>) -> Outcome {
    let (head, body) = request.into_parts();
    let mut call = client.post(head.uri.to_string());
    for (name, value) in &head.headers {
        call = call.insert_header((name.as_str(), value.as_bytes()));
    }
    let mut response = call.send_body(body).await.map_err(|why| why.to_string())?;
    let body = response.body().limit(MAX_RESPONSE).await.map_err(|why| why.to_string())?;
    Ok(Response::builder().status(response.status().as_u16()).body(body)?)
}
