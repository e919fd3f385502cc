//! The request filter: requests that the gateway refuses before authentication and routing.

use actix_web::dev::{RequestHead, ServiceRequest};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::uri::{Authority, Uri};
use actix_web::http::{Method, Version};

use crate::platform::http::headers::content_length;
use crate::platform::http::problem::{
    BAD_REQUEST, EXPECTATION_FAILED, HEADERS_TOO_LARGE, METHOD_NOT_ALLOWED, MISDIRECTED, NOT_IMPLEMENTED, Problem,
    TOO_LARGE, UNSUPPORTED_MEDIA, URI_TOO_LONG,
};

/// Limits in bytes: the URI, and all fields together. actix itself accepts at most 96 fields.
const MAX_URI: usize = 8 << 10;
const MAX_HEAD: usize = 16 << 10;
/// Limit of a method name in bytes: no registered method is longer.
const MAX_METHOD: usize = 32;

/// The checks of every request.
pub struct RequestFilter {
    /// The host names of this gateway; empty accepts every name.
    pub hosts: Vec<String>,
    /// The largest body that any path accepts.
    pub largest_body: u64,
}

impl RequestFilter {
    /// Refuses requests that are ambiguous or too large, and makes an absolute URI relative.
    pub fn check(&self, req: &mut ServiceRequest) -> Result<(), Problem> {
        let head = req.head();
        check_method(head)?;
        check_uri(head)?;
        check_fields(&head.headers)?;
        if content_length(&head.headers).is_some_and(|length| length > self.largest_body) {
            return Err(Problem::new(TOO_LARGE, "the body is larger than any path accepts: send less in one request"));
        }
        if head.uri.authority().is_some() || head.uri.scheme().is_some() {
            make_relative(req)?;
        }
        strip_slash(req);
        self.check_host(req.head())
    }

    fn check_host(&self, head: &RequestHead) -> Result<(), Problem> {
        let Some(given) = head.headers.get(header::HOST) else {
            // actix refuses an HTTP/1.1 request without it
            return match self.hosts.is_empty() || head.version == Version::HTTP_11 {
                true => Ok(()),
                false => Err(misdirected()),
            };
        };
        let host = given.to_str().ok().and_then(host_name);
        let host = host.ok_or_else(|| {
            Problem::new(BAD_REQUEST, "the Host field is no host name: send the one in the URL of the gateway")
        })?;
        match self.hosts.is_empty() || self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
            true => Ok(()),
            false => Err(misdirected()),
        }
    }
}

fn misdirected() -> Problem {
    Problem::new(MISDIRECTED, "this gateway does not serve that host name: use the public URL of the installation")
}

fn check_method(head: &RequestHead) -> Result<(), Problem> {
    if head.method == Method::CONNECT {
        return Err(Problem::new(
            METHOD_NOT_ALLOWED,
            "this gateway is no tunnel: send GET, POST, PUT, PATCH or DELETE",
        ));
    }
    if head.method.as_str().len() > MAX_METHOD {
        return Err(Problem::new(NOT_IMPLEMENTED, "there is no such method: OPTIONS lists the methods of a path"));
    }
    if head.uri.path() == "*" && head.method != Method::OPTIONS {
        return Err(Problem::new(BAD_REQUEST, "* is no path: it is for OPTIONS alone"));
    }
    Ok(())
}

fn check_uri(head: &RequestHead) -> Result<(), Problem> {
    let uri = head.uri.path().len() + head.uri.query().map_or(0, |query| query.len() + 1);
    match uri > MAX_URI {
        true => Err(Problem::new(
            URI_TOO_LONG,
            "the URL is longer than 8 KiB: send less in it; /docs says which paths take long lists in a body",
        )),
        false => Ok(()),
    }
}

/// Checks every field, and the size of all.
fn check_fields(headers: &HeaderMap) -> Result<(), Problem> {
    let mut size = 0;
    for (name, value) in headers {
        // plus colon, space and line end
        size += name.as_str().len() + value.len() + 4;
        check_field(name, value)?;
    }
    match size > MAX_HEAD {
        true => Err(Problem::new(
            HEADERS_TOO_LARGE,
            "the header fields are larger than 16 KiB together: send fewer or shorter ones",
        )),
        false => Ok(()),
    }
}

fn check_field(name: &HeaderName, value: &HeaderValue) -> Result<(), Problem> {
    let bytes = value.as_bytes();
    let is_web_socket = |one: &str| one.trim().eq_ignore_ascii_case("websocket");
    match *name {
        // actix would treat everything after the head as the body
        header::UPGRADE if value.to_str().is_ok_and(|list| list.split(',').any(is_web_socket)) => {
            Err(Problem::new(BAD_REQUEST, "web sockets are not supported; use server-sent events for live changes"))
        }
        header::EXPECT if !bytes.eq_ignore_ascii_case(b"100-continue") => {
            Err(Problem::new(EXPECTATION_FAILED, "the only supported expectation is 100-continue"))
        }
        header::CONTENT_ENCODING if !bytes.is_empty() && !bytes.eq_ignore_ascii_case(b"identity") => {
            Err(Problem::new(UNSUPPORTED_MEDIA, "send the body without Content-Encoding"))
        }
        _ => Ok(()),
    }
}

/// Turns `GET http://host/path` into `GET /path` with that host (RFC 9112, 3.2.2); it overrides the `Host` field.
fn make_relative(req: &mut ServiceRequest) -> Result<(), Problem> {
    let head = req.head_mut();
    let authority = head.uri.authority().map(Authority::as_str);
    let host = authority.and_then(|authority| HeaderValue::from_str(authority).ok());
    let is_web = head.uri.scheme_str().is_some_and(|scheme| ["http", "https"].contains(&scheme));
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let (Some(host), true, Ok(path)) = (host, is_web, path.parse::<Uri>()) else {
        return Err(Problem::new(BAD_REQUEST, "the URL is not one of this gateway: send a path, such as /docs"));
    };
    head.uri = path;
    head.headers.insert(header::HOST, host);
    Ok(())
}

/// Removes one slash at the end of the path: `/api/users/` is `/api/users`.
fn strip_slash(req: &mut ServiceRequest) {
    let uri = &req.head().uri;
    let path = uri.path().strip_suffix('/').filter(|path| !path.is_empty() && !path.ends_with('/'));
    let Some(path) = path else { return };
    let target = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    if let Ok(uri) = target.parse::<Uri>() {
        // the router has a copy of the path
        req.match_info_mut().get_mut().update(&uri);
        req.head_mut().uri = uri;
    }
}

/// The host of a `Host` field without its port; `None` if it is neither a name nor an address.
fn host_name(field: &str) -> Option<&str> {
    let (host, port) = match field.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((six, rest)) => {
            six.parse::<std::net::Ipv6Addr>().ok()?;
            (field.get(..six.len() + 2)?, rest)
        }
        None => field.split_at(field.find(':').unwrap_or(field.len())),
    };
    let digits = port.strip_prefix(':').unwrap_or_default();
    let good_port =
        port.is_empty() || digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok();
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let good_host = host.starts_with('[') || !host.is_empty() && host.len() <= 255 && host.bytes().all(in_name);
    (good_host && good_port).then_some(host.strip_suffix('.').unwrap_or(host))
}

#[cfg(test)]
mod tests {
    use super::host_name;

    #[test]
    fn a_host_is_a_name_or_an_address_with_an_optional_port() {
        for (field, expected) in [
            ("meet.example.com", Some("meet.example.com")),
            ("meet.example.com.:443", Some("meet.example.com")),
            ("127.0.0.1:80", Some("127.0.0.1")),
            ("[::1]:80", Some("[::1]")),
            ("[::1]", Some("[::1]")),
            ("a_b:1", Some("a_b")),
            ("", None),
            (":80", None),
            ("a@b", None),
            ("a/b", None),
            ("a b", None),
            ("a:b", None),
            ("a:", None),
            ("a:99999", None),
            ("a:+1", None),
            ("a:1:2", None),
            ("[::1", None),
            ("[x]", None),
            ("[::1]x", None),
            ("::1", None),
            ("a,b", None),
            ("a?b", None),
            ("a%2fb", None),
            ("\u{e9}", None),
        ] {
            assert_eq!(host_name(field), expected, "{field}");
        }
    }
}
