//! The edge: what every client request passes before authentication (filter, CORS, rate limits), and the headers of every
//! response.

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
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _};
use ipnet::IpNet;

use crate::config::Settings;
use crate::platform::auth::Caller;
use crate::platform::auth::layer::AuthLayer;
use crate::platform::auth::service_credential::ServiceCredential;
use crate::platform::http::client_address::client_address;
use crate::platform::http::problem::{METHOD_NOT_ALLOWED, Problem};
use cors::CorsPolicy;
use rate_limit::{Limits, RateLimitState};
use request_filter::RequestFilter;

/// Every method that some path supports.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
/// Default policy; pages set their own.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
const TWO_YEARS: &str = "max-age=63072000";
const FORGET: Duration = Duration::from_secs(10);

/// The filter of one process, shared by its threads.
pub struct EdgeFilter {
    rules: RequestFilter,
    trusted: Vec<IpNet>,
    origins: Option<CorsPolicy>,
    limits: Option<Limits>,
    /// Roles that call back are not rate-limited.
    credential: Option<ServiceCredential>,
    /// Headers of every response that does not set them itself.
    said: Vec<(HeaderName, HeaderValue)>,
}

impl EdgeFilter {
    /// As configured. Rate limits apply if `limited`.
    pub fn new(settings: &Settings, limited: bool) -> Arc<EdgeFilter> {
        let (server, sizes) = (&settings.server, &settings.limits);
        let largest_body = sizes.body.max(sizes.list_body).max(sizes.calendar_body) as u64;
        let gate = Arc::new(EdgeFilter {
            rules: RequestFilter { hosts: server.hosts.0.clone(), largest_body },
            trusted: server.trusted_proxies.0.clone(),
            origins: CorsPolicy::new(server.cors_origins.0.clone()),
            limits: limited.then(|| Limits::new(sizes)),
            credential: ServiceCredential::of(settings),
            said: said(server.public_url.starts_with("https:")),
        });
        let forgetful = Arc::downgrade(&gate);
        if limited {
            tokio::spawn(async move {
                while let Some(gate) = forgetful.upgrade() {
                    gate.limits.iter().for_each(Limits::forget);
                    drop(gate);
                    tokio::time::sleep(FORGET).await;
                }
            });
        }
        gate
    }

    fn count_account(&self, caller: &Caller) -> Result<Option<RateLimitState>, Problem> {
        self.limits.as_ref().map_or(Ok(None), |limits| limits.count_account(&caller.id))
    }

    fn count_address(&self, req: &ServiceRequest) -> Result<Option<RateLimitState>, Problem> {
        let Some(limits) = &self.limits else { return Ok(None) };
        if self.credential.as_ref().is_some_and(|credential| credential.check(req.headers()).is_ok()) {
            return Ok(None);
        }
        match client_address(req.head(), &self.trusted) {
            Some(address) => limits.count_address(address, req.method(), req.path()),
            None => Ok(None),
        }
    }

    /// Responds to preflights and to `OPTIONS *` without a handler.
    fn answer(&self, req: &ServiceRequest) -> Option<HttpResponse> {
        if req.method() != Method::OPTIONS {
            return None;
        }
        if let Some(preflight) = self.origins.as_ref().and_then(|origins| origins.preflight(req.head())) {
            return Some(preflight);
        }
        (req.path() == "*").then(|| HttpResponse::NoContent().insert_header((header::ALLOW, METHODS)).finish())
    }

    /// Adds the default, CORS and rate-limit headers to a response.
    fn mark(&self, origin: Option<&HeaderValue>, standing: Option<RateLimitState>, headers: &mut HeaderMap) {
        for (name, value) in &self.said {
            if !headers.contains_key(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        if let Some(origins) = &self.origins {
            origins.mark(origin, headers);
        }
        if let (Some(limits), Some(standing)) = (&self.limits, standing) {
            limits.mark(standing, headers);
        }
    }
}

fn said(is_secure: bool) -> Vec<(HeaderName, HeaderValue)> {
    let all = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        // most responses contain personal data
        (header::CACHE_CONTROL, "no-store"),
        (header::STRICT_TRANSPORT_SECURITY, TWO_YEARS),
    ];
    let said = all.map(|(name, value)| (name, HeaderValue::from_static(value)));
    said.into_iter().filter(|(name, _)| is_secure || *name != header::STRICT_TRANSPORT_SECURITY).collect()
}

/// What a request passes on its way to the handlers of a role, on one thread. An inner role has no filter: its callers have
/// passed one.
pub struct Ingress {
    /// Checks before authentication.
    pub gate: Option<Arc<EdgeFilter>>,
    /// Authentication and authorization.
    pub door: AuthLayer,
}

impl Ingress {
    /// Admits a request, or responds to it here. `state` is the rate limit of the client in both cases.
    async fn admit(
        &self,
        req: &mut ServiceRequest,
        standing: &mut Option<RateLimitState>,
    ) -> Result<Option<HttpResponse>, Problem> {
        let Some(gate) = &self.gate else { return self.door.authorize(req).await.map(|()| None) };
        gate.rules.check(req)?;
        *standing = gate.count_address(req)?;
        if let Some(answer) = gate.answer(req) {
            return Ok(Some(answer));
        }
        self.door.authorize(req).await?;
        if let Some(caller) = req.extensions().get::<Rc<Caller>>() {
            *standing = gate.count_account(caller)?.or(*standing);
        }
        Ok(None)
    }
}

/// The middleware: admits a request to the handlers, or refuses it.
///
/// # Errors
/// The inner service failed without a response.
pub async fn pass<B: MessageBody + 'static>(
    entrance: Rc<Ingress>,
    mut req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let gate = entrance.gate.as_deref();
    let origins = gate.and_then(|gate| gate.origins.as_ref());
    let origin = origins.and_then(|_| req.headers().get(header::ORIGIN).cloned());
    let mut standing = None;
    let mut res = match entrance.admit(&mut req, &mut standing).await {
        Ok(None) => next.call(req).await?.map_into_left_body(),
        Ok(Some(answer)) => req.into_response(answer).map_into_right_body(),
        Err(problem) => {
            standing = RateLimitState::refused(&problem).or(standing);
            refused(req, problem).map_into_right_body()
        }
    };
    gate.iter().for_each(|gate| gate.mark(origin.as_ref(), standing, res.headers_mut()));
    Ok(res)
}

fn refused(req: ServiceRequest, problem: Problem) -> ServiceResponse {
    let not_allowed = problem.kind == METHOD_NOT_ALLOWED;
    let mut res = req.error_response(problem);
    if not_allowed {
        res.headers_mut().insert(header::ALLOW, HeaderValue::from_static(METHODS));
    }
    res
}
