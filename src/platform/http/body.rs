//! The bodies of requests: strict JSON, JSON of another role, or bytes.

use std::future::Future;
use std::io::ErrorKind;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpRequest};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;

use crate::config::Settings;
use crate::platform::http::json;
use crate::platform::http::problem::{BAD_REQUEST, Problem, TIMEOUT, TOO_LARGE, UNSUPPORTED_MEDIA};

/// A JSON body, sent as `application/json`, or for PATCH as `application/merge-patch+json`.
pub struct JsonBody(pub Value);

/// The bytes of a body. The handler checks the `Content-Type`.
pub struct RawBody(pub Bytes);

/// A JSON body that another role sends, as its type.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Json<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let arriving = RawBody::from_request(req, payload);
        Box::pin(async move {
            let read = serde_json::from_slice(&arriving.await?.0);
            read.map(Json).map_err(|why| Problem::new(BAD_REQUEST, format!("the body cannot be read: {why}")))
        })
    }
}

impl FromRequest for JsonBody {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let typed = check_content_type(req);
        let arriving = RawBody::from_request(req, payload);
        Box::pin(async move {
            typed?;
            let RawBody(bytes) = arriving.await?;
            if bytes.is_empty() {
                return Err(Problem::new(BAD_REQUEST, "the body is empty: send a JSON object, such as {}"));
            }
            let value = json::parse(&bytes);
            value.map(JsonBody).map_err(|why| Problem::new(BAD_REQUEST, format!("the body is not valid JSON: {why}")))
        })
    }
}

impl FromRequest for RawBody {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let bytes = Bytes::from_request(req, payload);
        let seconds = req.app_data::<Data<Settings>>().map_or(10, |settings| settings.limits.body_seconds);
        Box::pin(async move {
            let arrived = timeout(Duration::from_secs(seconds), bytes).await;
            let late = |_| Problem::new(TIMEOUT, "the body did not arrive in time: send the request again");
            Ok(RawBody(arrived.map_err(late)?.map_err(|error| payload_problem(&error))?))
        })
    }
}

/// The problem of a body that could not be read.
pub fn payload_problem(error: &actix_web::Error) -> Problem {
    if let Some(PayloadError::Io(io)) = error.as_error::<PayloadError>()
        && io.kind() == ErrorKind::TimedOut
    {
        return Problem::new(TIMEOUT, "the body did not arrive in time: send the request again");
    }
    match error.as_response_error().status_code().as_u16() {
        413 => Problem::new(TOO_LARGE, "the body is larger than this path accepts: send less in one request"),
        408 => Problem::new(TIMEOUT, "the body did not arrive in time: send the request again"),
        _ => Problem::new(
            BAD_REQUEST,
            "the body ended early, or its framing is invalid: send a whole body with its length, or in chunks",
        ),
    }
}

fn check_content_type(req: &HttpRequest) -> Result<(), Problem> {
    let given =
        req.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let (essence, parameters) = given.split_once(';').unwrap_or((&given, ""));
    let patch = req.method() == actix_web::http::Method::PATCH;
    let known = essence.trim() == "application/json" || patch && essence.trim() == "application/merge-patch+json";
    let charset = parameters
        .split(';')
        .filter_map(|one| one.trim().strip_prefix("charset="))
        .all(|it| ["utf-8", "utf8"].contains(&it.trim_matches('"')));
    let encoded = req.headers().contains_key("content-encoding");
    if known && charset && !encoded {
        return Ok(());
    }
    Err(Problem::new(
        UNSUPPORTED_MEDIA,
        "send JSON as Content-Type: application/json, in UTF-8, without Content-Encoding",
    ))
}
