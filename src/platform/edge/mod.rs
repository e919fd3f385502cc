//! The edge: the checks of every client request before authentication (request filter, CORS, rate limits), and the headers of
//! every response.

mod cors;
pub mod proxy;
mod rate_limit;
mod request_filter;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _};
use ipnet::IpNet;

use crate::config::Settings;
use crate::platform::auth::Caller;
use crate::platform::auth::layer::AuthLayer;
use crate::platform::auth::service_credential::ServiceCredential;
use crate::platform::http::client_address::client_address;
use crate::platform::http::problem::{METHOD_NOT_ALLOWED, Problem};
use crate::platform::role::Role;
use cors::CorsPolicy;
use rate_limit::{RateLimitState, RateLimits};
use request_filter::RequestFilter;

/// Every method that some path supports.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
/// Default policy; pages set their own.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
const TWO_YEARS: &str = "max-age=63072000";
const PRUNE_INTERVAL: Duration = Duration::from_secs(10);

/// The filter of one process, shared by its threads.
pub struct EdgeFilter {
    requests: RequestFilter,
    trusted: Vec<IpNet>,
    cors: Option<CorsPolicy>,
    rate_limits: Option<RateLimits>,
    /// Roles that call back are not rate-limited.
    credential: Option<ServiceCredential>,
    /// Headers of every response that does not set them itself.
    default_headers: Vec<(HeaderName, HeaderValue)>,
}

impl EdgeFilter {
    /// As configured. Rate limits apply if `limited`.
    pub fn new(settings: &Settings, roles: &[Role], limited: bool) -> Arc<EdgeFilter> {
        let sign_in_prefixes = roles.iter().filter_map(|role| role.sign_in_prefix).collect();
        let (server, sizes) = (&settings.server, &settings.limits);
        let largest_body = sizes.body.max(sizes.list_body).max(sizes.calendar_body) as u64;
        let filter = Arc::new(EdgeFilter {
            requests: RequestFilter { hosts: server.hosts.0.clone(), largest_body },
            trusted: server.trusted_proxies.0.clone(),
            cors: CorsPolicy::new(server.cors_origins.0.clone()),
            rate_limits: limited.then(|| RateLimits::new(sizes, sign_in_prefixes)),
            credential: ServiceCredential::of(settings),
            default_headers: default_headers(server.public_url.starts_with("https:")),
        });
        let weak = Arc::downgrade(&filter);
        if limited {
            tokio::spawn(async move {
                while let Some(filter) = weak.upgrade() {
                    filter.rate_limits.iter().for_each(RateLimits::prune);
                    drop(filter);
                    tokio::time::sleep(PRUNE_INTERVAL).await;
                }
            });
        }
        filter
    }

    fn count_account(&self, caller: &Caller) -> Result<Option<RateLimitState>, Problem> {
        // a bot has one limit, however many users it acts for
        let account = caller.actor.as_ref().map_or(&caller.id, |actor| &actor.id);
        self.rate_limits.as_ref().map_or(Ok(None), |limits| limits.count_account(account))
    }

    fn count_address(&self, req: &ServiceRequest) -> Result<Option<RateLimitState>, Problem> {
        let Some(limits) = &self.rate_limits else { return Ok(None) };
        if self.credential.as_ref().is_some_and(|credential| credential.is_in(req.headers())) {
            return Ok(None);
        }
        match client_address(req.head(), &self.trusted) {
            Some(address) => limits.count_address(address, req.method(), req.path()),
            None => Ok(None),
        }
    }

    /// Responds to preflights and to `OPTIONS *` without a handler.
    fn respond(&self, req: &ServiceRequest) -> Option<HttpResponse> {
        if req.method() != Method::OPTIONS {
            return None;
        }
        if let Some(preflight) = self.cors.as_ref().and_then(|cors| cors.preflight(req.head())) {
            return Some(preflight);
        }
        (req.path() == "*").then(|| HttpResponse::NoContent().insert_header((header::ALLOW, METHODS)).finish())
    }

    /// Adds the default, CORS and rate-limit headers to a response.
    fn add_headers(&self, origin: Option<&HeaderValue>, state: Option<RateLimitState>, headers: &mut HeaderMap) {
        for (name, value) in &self.default_headers {
            if !headers.contains_key(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        if let Some(cors) = &self.cors {
            cors.add_headers(origin, headers);
        }
        if let (Some(limits), Some(state)) = (&self.rate_limits, state) {
            limits.add_headers(state, headers);
        }
    }
}

fn default_headers(is_secure: bool) -> Vec<(HeaderName, HeaderValue)> {
    let all = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        // most responses contain personal data
        (header::CACHE_CONTROL, "no-store"),
        (header::STRICT_TRANSPORT_SECURITY, TWO_YEARS),
    ];
    let headers = all.map(|(name, value)| (name, HeaderValue::from_static(value)));
    headers.into_iter().filter(|(name, _)| is_secure || *name != header::STRICT_TRANSPORT_SECURITY).collect()
}

/// The checks before the handlers of a role, for one thread. An inner role has no filter: the gateway has run one.
pub struct Ingress {
    /// Checks before authentication.
    pub filter: Option<Arc<EdgeFilter>>,
    /// Authentication and authorization.
    pub auth: AuthLayer,
}

impl Ingress {
    /// Admits a request, or responds to it here. `state` is the rate limit of the client in both cases.
    async fn admit(
        &self,
        req: &mut ServiceRequest,
        state: &mut Option<RateLimitState>,
    ) -> Result<Option<HttpResponse>, Problem> {
        let Some(filter) = &self.filter else { return self.auth.authorize(req).await.map(|()| None) };
        filter.requests.check(req)?;
        *state = filter.count_address(req)?;
        if let Some(response) = filter.respond(req) {
            return Ok(Some(response));
        }
        self.auth.authorize(req).await?;
        if let Some(caller) = req.extensions().get::<Rc<Caller>>() {
            *state = filter.count_account(caller)?.or(*state);
        }
        Ok(None)
    }
}

/// The middleware: admits a request to the handlers, or refuses it.
///
/// # Errors
/// The inner service failed without a response.
pub async fn admit<B: MessageBody + 'static>(
    ingress: Rc<Ingress>,
    mut req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let filter = ingress.filter.as_deref();
    let cors = filter.and_then(|filter| filter.cors.as_ref());
    let origin = cors.and_then(|_| req.headers().get(header::ORIGIN).cloned());
    let mut state = None;
    let mut res = match ingress.admit(&mut req, &mut state).await {
        Ok(None) => {
            let res = next.call(req).await?;
            if filter.is_some() { describe_methods(res) } else { res.map_into_left_body() }
        }
        Ok(Some(response)) => req.into_response(response).map_into_right_body(),
        Err(problem) => {
            state = RateLimitState::refused(&problem).or(state);
            refused(req, problem).map_into_right_body()
        }
    };
    filter.iter().for_each(|filter| filter.add_headers(origin.as_ref(), state, res.headers_mut()));
    Ok(res)
}

/// Completes the `Allow` header of a response, and responds to `OPTIONS`: the router lists the methods that have a handler.
fn describe_methods<B: MessageBody>(mut res: ServiceResponse<B>) -> ServiceResponse<EitherBody<B>> {
    let Some(allow) = res.headers().get(header::ALLOW).and_then(|list| list.to_str().ok()).map(complete_methods) else {
        return res.map_into_left_body();
    };
    res.headers_mut().insert(header::ALLOW, allow.clone());
    if res.request().method() != Method::OPTIONS || res.status() != StatusCode::METHOD_NOT_ALLOWED {
        return res.map_into_left_body();
    }
    let response = HttpResponse::NoContent().insert_header((header::ALLOW, allow)).finish();
    res.into_response(response).map_into_right_body()
}

/// A list of methods with those that every path supports: `HEAD` beside `GET`, and `OPTIONS`. Each is there once: the router lists a
/// method for each of its handlers.
fn complete_methods(list: &str) -> HeaderValue {
    let mut given: Vec<&str> = Vec::new();
    for one in list.split(',').map(str::trim) {
        if !["", "HEAD", "OPTIONS"].contains(&one) && !given.contains(&one) {
            given.push(one);
        }
    }
    let text = [given.join(", ").replace("GET", "GET, HEAD"), "OPTIONS".to_owned()].join(", ");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(METHODS))
}

fn refused(req: ServiceRequest, problem: Problem) -> ServiceResponse {
    let not_allowed = problem.kind == METHOD_NOT_ALLOWED;
    let mut res = req.error_response(problem);
    if not_allowed {
        res.headers_mut().insert(header::ALLOW, HeaderValue::from_static(METHODS));
    }
    res
}

#[cfg(test)]
mod tests {
    use super::complete_methods;

    #[test]
    fn each_allowed_method_is_listed_once() {
        for (given, expected) in [
            ("GET, PUT, PUT", "GET, HEAD, PUT, OPTIONS"),
            ("GET, HEAD, POST, OPTIONS", "GET, HEAD, POST, OPTIONS"),
            ("POST", "POST, OPTIONS"),
        ] {
            assert_eq!(complete_methods(given), expected, "{given}");
        }
    }
}
