//! The HTTP server of a role: the middleware around its handlers.

use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_server::Server;
use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ResponseHead, ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::http::{ConnectionType, Method, Version};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, Error, web};
use futures_util::future::OptionFuture;
use tracing::Span;
use tracing_actix_web::{RootSpanBuilder, TracingLogger};

use crate::config::{AuthMode, Settings};
use crate::platform::auth::challenge;
use crate::platform::case_id::CASE_ID;
use crate::platform::edge::{self, EdgeFilter, Ingress};
use crate::platform::endpoint::{self, Endpoint};
use crate::platform::http::headers::content_length;
use crate::platform::http::health::HealthCheck;
use crate::platform::http::page::{accepts_html, problem_page};
use crate::platform::http::problem::{ErrorFormat, Problem, UNSUPPORTED_MEDIA};
use crate::platform::http::stream::{
    self, ConnectionState, InFlightRequest, MonitoredBody, OpenConnections, ServerOptions, TrackedBody,
};
use crate::platform::lifecycle::Phase;
use crate::platform::limiter::KeyedLimiter;
use crate::platform::observe::metrics::{RequestMetrics, Template, method_label};
use crate::platform::observe::span::{SpanRecord, is_recorded, record};
use crate::platform::request_context::RequestContext;
use crate::platform::role::{Context, Service};
use crate::platform::wake_gate::WakeGated;

/// What the middleware of one worker thread needs.
struct MiddlewareState {
    context: Context,
    meter: Rc<RequestMetrics>,
}

/// Serves a role on a listener that is bound already. Also returns the open connections.
///
/// # Errors
/// The operating system refuses to use the listener.
pub fn serve(
    context: &Context,
    service: &Service,
    listener: TcpListener,
    workers: usize,
) -> std::io::Result<(Server, Arc<OpenConnections>)> {
    let (context, configure, auth) = (context.clone(), Arc::clone(&service.configure), Arc::clone(&service.auth));
    let endpoints: Arc<[Endpoint]> = context.role.all_endpoints().into();
    let limited = context.role.faces_clients && context.settings.auth.mode == AuthMode::Required;
    let options = server_options(&context.settings, workers, limited);
    let health = web::Data::new(HealthCheck::default());
    let filter = context.role.faces_clients.then(|| EdgeFilter::new(&context.settings, context.roles, limited));
    let app = move || {
        // counted per thread: a counter shared by all threads is slow
        let shared =
            Rc::new(MiddlewareState { context: context.clone(), meter: RequestMetrics::new(context.role.name) });
        let ingress = Rc::new(Ingress { filter: filter.clone(), auth: auth(&context) });
        App::new()
            .app_data(web::Data::new(context.clone()))
            .app_data(web::Data::from(Arc::clone(&context.settings)))
            .app_data(web::Data::from(Arc::clone(&context.lifecycle)))
            .app_data(health.clone())
            .app_data(web::PayloadConfig::new(context.settings.limits.body))
            .configure(|config| configure(config))
            .configure(|config| {
                endpoint::register(config, &endpoints, context.role.path_of(), &context.settings.limits);
            })
            .wrap(from_fn(move |req, next| edge::admit(Rc::clone(&ingress), req, next)))
            .wrap(TracingLogger::<CaseSpan>::new())
            .wrap(from_fn(move |req, next| observe(Rc::clone(&shared), req, next)))
    };
    stream::serve(listener, options, app)
}

fn server_options(settings: &Settings, workers: usize, limited: bool) -> ServerOptions {
    let server = &settings.server;
    ServerOptions {
        workers,
        connections: server.connections,
        per_address: limited.then(|| KeyedLimiter::new(server.connections_per_address)),
        trusted: server.trusted_proxies.0.clone(),
        drain_seconds: server.drain_seconds,
    }
}

/// The outermost middleware: sets the request context, the Case-ID and the problem document, and monitors the body and the
/// connection.
async fn observe<B: MessageBody + 'static>(
    shared: Rc<MiddlewareState>,
    mut req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<TrackedBody<EitherBody<B>>>, Error> {
    let Context { role, lifecycle, settings, .. } = &shared.context;
    let connection = req.request().conn_data::<Rc<ConnectionState>>().cloned();
    let body_length = content_length(req.headers());
    let in_flight = OptionFuture::from(connection.map(|it| InFlightRequest::begin(it, body_length))).await;
    let body = MonitoredBody::watch(&mut req, Duration::from_secs(settings.limits.body_seconds));
    let _running = shared.meter.begin();
    let method = method_label(req.method());
    let head = req.method() == Method::HEAD;
    if head {
        // HEAD is handled as GET (RFC 9110, 9.3.2); the server omits the body
        req.head_mut().method = Method::GET;
    }
    let case = RequestContext::read(req.headers(), role.name, role.faces_clients);
    // an async block, because `call` starts the work and must run inside the context
    let work = WakeGated::new(Arc::clone(&case).scope(async move { next.call(req).await }));
    let mut res = work.await?;
    let mut body_problem = None;
    if let Some(body) = body {
        if !body.drain().await {
            res.response_mut().head_mut().set_connection_type(ConnectionType::Close);
        }
        body_problem = body.problem();
    }
    // replaces the body of the response
    let mut replacement = None;
    if let Some(problem) = body_problem.or_else(|| problem_in(&res)) {
        replacement = Some(replace_by_problem(&mut res, &problem, role.faces_clients, &case));
    }
    let streams = replacement.is_none() && res.response().body().size() == BodySize::Stream;
    if head && streams {
        // the body is never sent, and must not be read: a stream may not end
        replacement = Some(BoxBody::new(()));
    } else if streams && res.request().version() < Version::HTTP_11 {
        // an HTTP/1.0 client knows no chunks: the body ends with the connection
        let head = res.response_mut().head_mut();
        head.no_chunking(true);
        head.set_connection_type(ConnectionType::Close);
    }
    res.headers_mut().insert(CASE_ID.clone(), case.header());
    let (route, status) = (Template::of(res.request()), res.status().as_u16());
    shared.meter.end(method, route, status, case.started.elapsed());
    if is_recorded(&case.trace) {
        let span = SpanRecord::server(method, route, res.request().uri().path(), status);
        record(role.name, case.id(), &case.trace, case.started, span);
    }
    if lifecycle.phase() == Phase::Draining {
        // the client's next request goes to another replica
        res.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    let server_closes = |head: &ResponseHead| head.connection_type() == ConnectionType::Close;
    let client_closes = res.request().head().connection_type() == ConnectionType::Close;
    Ok(res.map_body(|head, body| {
        let body = replacement.map_or_else(|| EitherBody::left(body), EitherBody::right);
        TrackedBody::new(body, in_flight, client_closes || server_closes(head))
    }))
}

/// Turns the head of a response into that of a problem; returns the document.
fn replace_by_problem<B>(
    res: &mut ServiceResponse<B>,
    problem: &Problem,
    is_edge: bool,
    case: &RequestContext,
) -> BoxBody {
    let path = res.request().uri().path();
    let instance = if is_edge { path.to_owned() } else { format!("/api{path}") };
    let patch = res.request().method() == Method::PATCH;
    let accepts = HeaderName::from_static(if patch { "accept-patch" } else { "accept-post" });
    let other = res.request().app_data::<ErrorFormat>().and_then(|form| form.0(res.request(), problem, case.id()));
    let page = accepts_html(res.request().headers()).then(|| problem_page(problem));
    let head = res.response_mut().head_mut();
    let (status, media_type, body) = match (other, page) {
        (Some((status, document)), _) => (status, "application/json", BoxBody::new(document.to_string())),
        (None, Some(page)) => {
            page.headers()
                .iter()
                .for_each(|(name, value)| drop(head.headers_mut().insert(name.clone(), value.clone())));
            (page.status(), "text/html; charset=utf-8", page.into_body())
        }
        (None, None) => {
            let document = problem.document(&instance, case.id());
            (problem.status(), "application/problem+json", BoxBody::new(document.to_string()))
        }
    };
    head.status = status;
    head.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    if problem.kind == UNSUPPORTED_MEDIA {
        head.headers_mut().insert(accepts, HeaderValue::from_static("application/json"));
    }
    if let Some(challenge) = challenge(problem) {
        head.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    if let Some(seconds) = problem.retry_after {
        head.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    body
}

/// The problem of a response: the handler's own, or one for a library error without a document.
fn problem_in(res: &ServiceResponse<impl MessageBody>) -> Option<Problem> {
    let status = res.status();
    if !status.is_client_error() && !status.is_server_error() {
        return None;
    }
    if let Some(error) = res.response().error() {
        return Some(match error.as_error::<Problem>() {
            Some(problem) => problem.clone(),
            None => Problem::of_status(status),
        });
    }
    let is_empty = matches!(res.response().body().size(), BodySize::None | BodySize::Sized(0));
    (is_empty && !res.headers().contains_key(CONTENT_TYPE)).then(|| Problem::of_status(status))
}

/// The tracing span of a request, with a log line for its start and its end.
struct CaseSpan;

impl RootSpanBuilder for CaseSpan {
    fn on_request_start(req: &ServiceRequest) -> Span {
        let (method, path) = (req.method().as_str(), req.uri().path());
        RequestContext::with(|case| {
            let span =
                tracing::info_span!("request", role = case.role, case_id = case.id(), trace_id = case.trace.id());
            // the caller of an inner role has logged the same
            span.in_scope(|| match case.is_edge {
                true => tracing::info!(method, path, "request started"),
                false => tracing::debug!(method, path, "request started"),
            });
            span
        })
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let ms = || RequestContext::with(RequestContext::elapsed_ms);
        span.in_scope(|| match outcome {
            Ok(res) => {
                let (method, path) = (res.request().method().as_str(), res.request().uri().path());
                let problem = res.response().error().map(ToString::to_string);
                tracing::info!(method, path, status = res.status().as_u16(), ms = ms(), problem, "request completed");
            }
            Err(error) => {
                let status = error.as_response_error().status_code().as_u16();
                tracing::info!(status, ms = ms(), problem = %error, "request completed");
            }
        });
    }
}
