//! Passing a request on to another role and its answer back, bodies as streams. Only what concerns the message itself goes
//! through (RFC 9110, 7.6.1): fields about a connection, and what outsiders say of where they come from, stay here.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use actix_web::body::{BodyStream, SizedStream};
use actix_web::error::PayloadError;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::config::Settings;
use crate::platform::call::Call;
use crate::platform::case::CASE_ID;
use crate::platform::extract::unread;
use crate::platform::peer::{Answer, Peer};
use crate::platform::problem::{METHOD_NOT_ALLOWED, Problem, TIMEOUT, TOO_LARGE, URI_TOO_LONG};

/// Bodies up to here are held, so that the call can go to another replica when the first is not there.
const HELD: usize = 64 << 10;
const LONGEST_PATH: usize = 8 << 10;
/// Answers up to here are sent as one piece.
const WHOLE: u64 = 16 << 10;

/// Fields that are about one connection.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Fields that are ours to write towards another role.
const OURS: [&str; 13] = [
    "host",
    "content-length",
    "expect",
    "case-id",
    "cid",
    "x-request-id",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "x-forwarded-port",
    "request-timeout-ms",
];

/// Forwards a request to `path` (with its query) at `peer`; at most `limit` bytes of body.
///
/// # Errors
/// 413, and what [`Peer::send`] says.
pub async fn forward(
    req: &HttpRequest,
    body: web::Payload,
    peer: &Peer,
    path: &str,
    limit: usize,
    settings: &Settings,
) -> Result<HttpResponse, Problem> {
    if path.len() > LONGEST_PATH {
        return Err(Problem::new(URI_TOO_LONG, "the address is longer than 8 KiB; send long lists by POST"));
    }
    if req.method() == Method::CONNECT {
        // a tunnel, whose body never ends
        return Err(Problem::new(METHOD_NOT_ALLOWED, "this method is not forwarded"));
    }
    let headers = request_headers(req);
    let length = content_length(req.headers());
    let chunked = req.headers().contains_key(header::TRANSFER_ENCODING);
    if length.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let answer = match length {
        Some(length) if length > HELD as u64 => {
            peer.send_once(req.method(), path, &headers, SizedStream::new(length, body)).await?
        }
        None if chunked => {
            let seen = Rc::new(Cell::new(0));
            let counted = body.map(move |chunk| {
                let chunk = chunk?;
                seen.set(seen.get() + chunk.len());
                if seen.get() > limit { Err(PayloadError::Overflow) } else { Ok(chunk) }
            });
            peer.send_once(req.method(), path, &headers, BodyStream::new(counted)).await?
        }
        _ => {
            let within = Duration::from_secs(settings.limits.body_seconds);
            let held = timeout(within, hold(body)).await.unwrap_or_else(|_| Err(too_slow()))?;
            let held = (length.is_some() || !held.is_empty()).then_some(held);
            peer.send(&Call::new(req.method().clone(), path).raw(headers, held)).await?
        }
    };
    let mut response = HttpResponseBuilder::new(answer.status());
    let named = named_by_connection(answer.headers());
    for (name, value) in answer.headers() {
        if !is_hop_by_hop(name, &named) && name != header::CONTENT_LENGTH && name != CASE_ID {
            response.append_header((name.clone(), value.clone()));
        }
    }
    if answer.status() == StatusCode::NOT_MODIFIED {
        // the length is that of the body which another request would have brought
        return Ok(response.finish());
    }
    respond(response, answer, peer).await
}

async fn respond(mut response: HttpResponseBuilder, mut answer: Answer, peer: &Peer) -> Result<HttpResponse, Problem> {
    match content_length(answer.headers()) {
        Some(length) if length <= WHOLE => match answer.body().await {
            Ok(body) if body.is_empty() && length == 0 => Ok(response.finish()),
            Ok(body) if body.len() as u64 == length => Ok(response.body(body)),
            Ok(_) | Err(_) => Err(peer.broke_off()),
        },
        Some(length) => Ok(response.body(SizedStream::new(length, answer))),
        None => Ok(response.streaming(answer)),
    }
}

async fn hold(mut body: web::Payload) -> Result<Bytes, Problem> {
    let mut held = BytesMut::new();
    while let Some(chunk) = body.next().await {
        held.extend_from_slice(&chunk.map_err(|error| unread(&error.into()))?);
    }
    Ok(held.freeze())
}

fn too_slow() -> Problem {
    Problem::new(TIMEOUT, "the body did not arrive in time")
}

fn too_large(limit: usize) -> Problem {
    Problem::new(TOO_LARGE, format!("this path takes a body of at most {limit} bytes"))
}

fn request_headers(req: &HttpRequest) -> HeaderMap {
    let named = named_by_connection(req.headers());
    let mut headers = HeaderMap::with_capacity(req.headers().len() + 4);
    for (name, value) in req.headers() {
        if !is_hop_by_hop(name, &named) && !OURS.contains(&name.as_str()) {
            headers.append(name.clone(), value.clone());
        }
    }
    if let Some(peer) = req.peer_addr()
        && let Ok(address) = HeaderValue::from_str(&peer.ip().to_string())
    {
        headers.insert(HeaderName::from_static("x-forwarded-for"), address.clone());
        headers.insert(HeaderName::from_static("x-real-ip"), address);
    }
    if let Some(host) = req.headers().get(header::HOST) {
        headers.insert(HeaderName::from_static("x-forwarded-host"), host.clone());
    }
    headers
}

/// What `Connection` lists; our own fields are ours whatever it lists.
fn named_by_connection(headers: &HeaderMap) -> Vec<String> {
    let lists = headers.get_all(header::CONNECTION).filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect()
}

fn is_hop_by_hop(name: &HeaderName, named: &[String]) -> bool {
    let needed = *name == header::AUTHORIZATION || name == "traceparent";
    HOP_BY_HOP.contains(&name.as_str()) || !needed && named.iter().any(|one| one == name.as_str())
}

/// What a message says of its body's length, in bytes.
pub fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
