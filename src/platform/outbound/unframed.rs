//! Reads a response that ends with its connection. awc reads no body of such a response, so the request is sent again by hand.

use actix_service::Service as _;
use actix_tls::connect::tcp::TcpConnectorService;
use actix_tls::connect::{ConnectInfo, rustls_0_23::TlsConnector};
use actix_web::http::Uri;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::client::{AGENT, WebhookClient};
use super::feed_url::FeedUrl;

/// The maximum size of the head of a response.
const MAX_HEAD: usize = 64 << 10;

impl WebhookClient {
    /// The body of a response without a length, up to this size.
    ///
    /// # Errors
    /// The reason why there is none, for the owner of the URL.
    pub(super) async fn read_to_end(&self, feed: &FeedUrl, max_bytes: usize) -> Result<Vec<u8>, String> {
        let uri: Uri = feed.url.as_str().parse().map_err(|_| "its URL cannot be requested".to_owned())?;
        let host = uri.host().unwrap_or_default().to_owned();
        let is_tls = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let found = self.guard.resolve(&self.names, &host, port).await.map_err(|why| why.to_string())?;
        let target = ConnectInfo::new(uri.clone()).set_addrs(found);
        let connection =
            TcpConnectorService::default().call(target).await.map_err(|why| format!("no connection: {why}"))?;
        let request = request(feed, &uri);
        if !is_tls {
            return exchange(connection.into_parts().0, &request, max_bytes).await;
        }
        let secured = TlsConnector::service(Arc::clone(&self.tls))
            .call(connection)
            .await
            .map_err(|why| format!("no connection: {why}"))?;
        exchange(secured.into_parts().0, &request, max_bytes).await
    }
}

fn request(feed: &FeedUrl, uri: &Uri) -> String {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let host = uri.authority().map_or("", |authority| authority.as_str());
    let authorization = feed.credentials().map_or_else(String::new, |(user, password)| {
        format!("authorization: Basic {}\r\n", STANDARD.encode(format!("{user}:{password}")))
    });
    format!(
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: {AGENT}\r\naccept: text/calendar\r\naccept-encoding: identity\r\n\
         {authorization}connection: close\r\n\r\n"
    )
}

/// Sends the request, and reads the response until the connection ends.
async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    request: &str,
    max_bytes: usize,
) -> Result<Vec<u8>, String> {
    let broken = |_| "it closed the connection in the middle of the calendar".to_owned();
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let limit = u64::try_from(max_bytes + MAX_HEAD).unwrap_or(u64::MAX);
    let mut response = Vec::new();
    stream.take(limit + 1).read_to_end(&mut response).await.map_err(broken)?;
    let end = response.windows(4).take(MAX_HEAD).position(|bytes| bytes == b"\r\n\r\n");
    let body = response.split_off(end.map_or(response.len(), |end| end + 4));
    let head = String::from_utf8_lossy(&response).to_ascii_lowercase();
    let is_ok = head.starts_with("http/1.") && head.split(' ').nth(1) == Some("200");
    let has_framing = ["transfer-encoding:", "content-length:", "content-encoding:"]
        .iter()
        .any(|name| head.contains(&format!("\n{name}")));
    match body.len() {
        _ if !is_ok || has_framing => {
            Err("it responded in another way when the calendar was requested again".to_owned())
        }
        0 => Err("it sent nothing".to_owned()),
        size if size > max_bytes => Err(format!("it is larger than {max_bytes} bytes")),
        _ => Ok(body),
    }
}
