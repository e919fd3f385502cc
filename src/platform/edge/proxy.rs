//! The reverse proxy: forwards a request to another role and streams the response back. Only end-to-end fields are forwarded
//! (RFC 9110, 7.6.1): fields about a connection, and an untrusted client's fields about its own address, are removed.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;

use actix_web::body::{BodyStream, BoxBody, SizedStream};
use actix_web::error::PayloadError;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use ipnet::IpNet;

use crate::config::Settings;
use crate::platform::endpoint::RetryPolicy;
use crate::platform::http::HttpResult;
use crate::platform::http::client_address;
use crate::platform::http::extract::payload_problem;
use crate::platform::http::headers::content_length;
use crate::platform::http::idempotency::IDEMPOTENCY_KEY;
use crate::platform::http::problem::{Problem, TOO_LARGE};
use crate::platform::rpc::request::{RawHeaders, RpcRequest};
use crate::platform::rpc::{Peer, RpcResponse};

/// Bodies up to this size are buffered, so that the call can be retried on another replica.
const MAX_BUFFERED: usize = 64 << 10;
/// Smaller parts of a body are joined: each part has a fixed cost.
const MIN_PART: usize = 4 << 10;
/// Responses up to this size are sent in one piece.
const MAX_UNSTREAMED: usize = 16 << 10;

/// Whether a field concerns one connection.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Whether the client for calls between roles writes this field itself.
fn is_written_by_rpc(name: &str) -> bool {
    matches!(
        name,
        "host"
            | "content-length"
            | "expect"
            | "case-id"
            | "cid"
            | "x-request-id"
            | "forwarded"
            | "x-forwarded-for"
            | "x-forwarded-host"
            | "x-forwarded-proto"
            | "x-real-ip"
            | "x-forwarded-port"
            | "request-timeout-ms"
            | "traceparent"
            | "tracestate"
            | "w2meet-service"
            // every call carries it anyway
            | "authorization"
            | "on-behalf-of"
    )
}

/// Whether a field is reserved for calls between roles: it is removed in both directions.
fn is_internal(name: &str) -> bool {
    name.starts_with("x-w2meet-") || name.starts_with("x-internal-")
}

/// Whether a response field reveals the server behind the gateway, or is written by this role.
fn is_fingerprint(name: &str) -> bool {
    matches!(name, "content-length" | "case-id" | "server" | "via" | "x-powered-by" | "request-timeout-ms")
}

/// Options of a route.
#[derive(Clone, Copy, Debug)]
pub struct RouteOptions {
    /// Limit of the body in bytes.
    pub limit: usize,
    /// Which POSTs may be retried. Safe methods always may, other methods never.
    pub retry: RetryPolicy,
}

/// Forwards a request to `path` (with its query) at `peer`. The edge filter has run before.
///
/// # Errors
/// 413, and the errors of [`Peer::send`].
pub async fn forward(
    req: &HttpRequest,
    body: web::Payload,
    peer: &Peer,
    path: &str,
    options: RouteOptions,
    settings: &Settings,
) -> HttpResult {
    let limit = options.limit;
    let length = content_length(req.headers());
    let chunked = req.headers().contains_key(header::TRANSFER_ENCODING);
    if length.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let mut call = RpcRequest::new(req.method().clone(), path);
    call.headers = request_fields(req, &settings.server.trusted_proxies.0);
    let response = match length {
        Some(length) if length > MAX_BUFFERED as u64 => {
            // boxed because it is rare and large: most requests have a small body or none
            Box::pin(peer.send_once(&call, BoxBody::new(SizedStream::new(length, body)))).await?
        }
        None if chunked => {
            let received = Rc::new(Cell::new(0));
            let counted = body.map(move |chunk| {
                let chunk = chunk?;
                received.set(received.get() + chunk.len());
                if received.get() > limit { Err(PayloadError::Overflow) } else { Ok(chunk) }
            });
            Box::pin(peer.send_once(&call, BoxBody::new(BodyStream::new(counted)))).await?
        }
        _ => {
            call.body = match length {
                Some(length) => Some(Box::pin(buffer(body, length as usize)).await?),
                None => None,
            };
            let may_retry = match options.retry {
                _ if req.method() != Method::POST => false,
                RetryPolicy::Never => false,
                // a key that `Connection` lists is not forwarded
                RetryPolicy::Keyed => {
                    req.headers().contains_key(IDEMPOTENCY_KEY)
                        && is_end_to_end(IDEMPOTENCY_KEY, &connection_options(req.headers()))
                }
                RetryPolicy::Always => true,
            };
            peer.send(&if may_retry { call.idempotent() } else { call }).await?
        }
    };
    respond(response, peer).await
}

async fn respond(mut upstream: Box<RpcResponse>, peer: &Peer) -> HttpResult {
    let mut response = HttpResponse::new(upstream.status());
    let length = content_length(upstream.headers());
    let mut headers = upstream.take_headers();
    strip(&mut headers);
    *response.headers_mut() = headers;
    if let Some(location) = response.headers_mut().get_mut(header::LOCATION) {
        *location = relative(location);
    }
    if matches!(upstream.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        // the length is that of the body which a GET would return; a stream would make actix write a chunk
        return Ok(response);
    }
    match length {
        Some(0) => Ok(response),
        Some(length) if length <= MAX_UNSTREAMED as u64 => {
            let body = upstream.body(MAX_UNSTREAMED).await.map_err(|_| peer.truncated())?;
            Ok(response.set_body(BoxBody::new(body)))
        }
        Some(length) => Ok(response.set_body(BoxBody::new(SizedStream::new(length, Box::pin(upstream.stream()))))),
        None => Ok(response.set_body(BoxBody::new(BodyStream::new(Box::pin(upstream.stream()))))),
    }
}

/// Buffers a body in parts.
async fn buffer(
    mut body: impl Stream<Item = Result<Bytes, PayloadError>> + Unpin,
    length: usize,
) -> Result<Vec<Bytes>, Problem> {
    let (mut parts, mut small) = (Vec::new(), BytesMut::with_capacity(length.min(MIN_PART)));
    while let Some(part) = body.next().await {
        let part = part.map_err(|error| payload_problem(&error.into()))?;
        if part.len() < MIN_PART {
            small.extend_from_slice(&part);
        } else {
            parts.extend([small.split().freeze(), part]);
        }
    }
    parts.push(small.freeze());
    parts.retain(|part| !part.is_empty());
    Ok(parts)
}

fn too_large(limit: usize) -> Problem {
    Problem::new(TOO_LARGE, format!("this path accepts a body of at most {limit} bytes"))
}

/// Removes the host of the role from its `Location`.
fn relative(location: &HeaderValue) -> HeaderValue {
    let after_host = |text: &str| {
        let rest = text.split_once("//").filter(|(scheme, _)| ["", "http:", "https:"].contains(scheme))?.1;
        Some(rest.find('/').map_or("/", |path| &rest[path..]).to_owned())
    };
    let path = location.to_str().ok().and_then(after_host);
    path.and_then(|path| HeaderValue::from_str(&path).ok()).unwrap_or_else(|| location.clone())
}

fn request_fields(req: &HttpRequest, trusted: &[IpNet]) -> RawHeaders {
    let (mut fields, named) = (RawHeaders::with_default_capacity(), connection_options(req.headers()));
    for (name, value) in req.headers() {
        if is_end_to_end(name.as_str(), &named) && !is_written_by_rpc(name.as_str()) {
            fields.push(name.as_str(), value);
        }
    }
    let Some(peer) = req.peer_addr().map(|peer| peer.ip()) else { return fields };
    let (address, is_trusted) = (address_field(peer), client_address::is_trusted(peer, trusted));
    if is_trusted {
        client_address::forward_headers(req.head(), trusted, &address, |name, value| fields.push(name, &value));
    } else {
        fields.push("x-forwarded-for", &address);
        fields.push("x-real-ip", &address);
    }
    if let Some(host) = req.headers().get(header::HOST)
        && !(is_trusted && req.headers().contains_key("x-forwarded-host"))
    {
        fields.push("x-forwarded-host", host);
    }
    fields
}

/// Removes the fields that the client may not see.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<String> = connection_options(headers).into_iter().map(str::to_owned).collect();
    headers.retain(|name, _| is_end_to_end(name.as_str(), &named) && !is_fingerprint(name.as_str()));
}

/// The fields that `Connection` lists: they are hop-by-hop too.
fn connection_options(headers: &HeaderMap) -> Vec<&str> {
    let lists = headers.get_all(header::CONNECTION).filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(str::trim).collect()
}

/// Whether a field is end-to-end and not internal.
fn is_end_to_end(name: &str, named: &[impl AsRef<str>]) -> bool {
    let is_named = || named.iter().any(|one| one.as_ref().eq_ignore_ascii_case(name));
    !is_hop_by_hop(name) && !is_internal(name) && !is_named()
}

/// An address as a header value. Consecutive requests on one thread mostly come from one address.
fn address_field(address: IpAddr) -> HeaderValue {
    thread_local! { static LAST: RefCell<Option<(IpAddr, HeaderValue)>> = const { RefCell::new(None) }; }
    LAST.with_borrow_mut(|last| match last {
        Some((known, field)) if *known == address => field.clone(),
        _ => {
            let text = address.to_string();
            let field = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("unknown"));
            last.insert((address, field)).1.clone()
        }
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::stream;

    use super::buffer;

    #[actix_rt::test]
    async fn small_parts_of_a_body_are_joined_in_order() {
        let sizes = [1, 5000, 3, 0, 3, 20_000, 4096, 1, 7];
        let parts = sizes.into_iter().enumerate().map(|(at, size)| Bytes::from(vec![b'a' + at as u8; size]));
        let body: Vec<u8> = parts.clone().flatten().collect();
        let parts = buffer(stream::iter(parts.map(Ok)), body.len()).await.unwrap_or_default();
        assert_eq!(parts.iter().map(Bytes::len).collect::<Vec<_>>(), [1, 5000, 6, 20_000, 4096, 8]);
        assert!(parts.concat() == body);
        assert!(buffer(stream::empty(), 0).await.is_ok_and(|parts| parts.is_empty()));
    }
}
