//! One HTTP server for one role: what surrounds every handler, whichever role it belongs to.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Server, ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::http::{ConnectionType, Method};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, Error, HttpServer, web};
use tracing::Span;
use tracing_actix_web::{RootSpanBuilder, TracingLogger};

use crate::platform::case::{CASE_ID, Case};
use crate::platform::health;
use crate::platform::problem::{Problem, UNSUPPORTED_MEDIA};
use crate::platform::role::{Context, Lifecycle, Role, Service, Stage};

/// Longer than our own clients keep an idle connection, so that none is closed under a request.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Serves a role on a listener that is bound already.
///
/// # Errors
/// What the operating system says when the listener cannot be used.
pub fn serve(context: &Context, service: &Service, listener: TcpListener, workers: usize) -> std::io::Result<Server> {
    let (context, routes) = (context.clone(), Arc::clone(&service.routes));
    let (settings, role) = (Arc::clone(&context.settings), context.role);
    let app = move || {
        let lifecycle = Arc::clone(&context.lifecycle);
        App::new()
            .app_data(web::Data::new(context.clone()))
            .app_data(web::PayloadConfig::new(context.settings.limits.body))
            .configure(health::probes)
            .configure(|cfg| routes(cfg))
            .wrap(TracingLogger::<CaseSpan>::new())
            .wrap(from_fn(move |req, next| stamp(role, Arc::clone(&lifecycle), req, next)))
    };
    let server = HttpServer::new(app)
        .workers(workers)
        .keep_alive(KEEP_ALIVE)
        .tcp_nodelay(true)
        .client_request_timeout(HEAD_TIMEOUT)
        .shutdown_timeout(settings.server.drain_seconds)
        .disable_signals()
        .listen(listener)?;
    Ok(server.run())
}

/// Gives every request its case, every answer its Case-ID, and every error its document.
async fn stamp<B: MessageBody + 'static>(
    role: &Role,
    lifecycle: Arc<Lifecycle>,
    mut req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let head = req.method() == Method::HEAD;
    if head {
        // whoever answers to GET answers to HEAD (RFC 9110, 9.3.2); the server leaves the body out
        req.head_mut().method = Method::GET;
    }
    let case = Case::read(req.headers(), role.name, role.faces_clients);
    // inside an async block: `call` itself begins the work, and must find the case
    let mut res = case.clone().scope(async move { next.call(req).await }).await?.map_into_left_body();
    if let Some(problem) = problem_in(&res) {
        let path = res.request().uri().path();
        let instance = if role.faces_clients { path.to_owned() } else { format!("/api{path}") };
        let patch = res.request().method() == Method::PATCH;
        let accepts = HeaderName::from_static(if patch { "accept-patch" } else { "accept-post" });
        let document = problem.document(&instance, case.id()).to_string();
        res = res.map_body(|head, _| {
            head.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
            if problem.kind == UNSUPPORTED_MEDIA {
                head.headers_mut().insert(accepts, HeaderValue::from_static("application/json"));
            }
            if let Some(seconds) = problem.retry_after {
                head.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            EitherBody::right(BoxBody::new(document))
        });
    }
    if head && res.response().body().size() == BodySize::Stream {
        // nobody reads it, so it must not be read to its end: it may have none
        res = res.map_body(|_, _| EitherBody::right(BoxBody::new(())));
    }
    res.headers_mut().insert(CASE_ID.clone(), case.header());
    if lifecycle.stage() == Stage::Draining {
        // its next request is for somebody else
        res.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(res)
}

/// The problem that an answer stands for: our own, or an error that a library answered without a document.
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
    let bare = matches!(res.response().body().size(), BodySize::None | BodySize::Sized(0));
    (bare && !res.headers().contains_key(CONTENT_TYPE)).then(|| Problem::of_status(status))
}

/// The span around a request's lines, and the lines for its beginning and its end.
struct CaseSpan;

impl RootSpanBuilder for CaseSpan {
    fn on_request_start(req: &ServiceRequest) -> Span {
        let (method, path) = (req.method().as_str(), req.uri().path());
        Case::with(|case| {
            let span = tracing::info_span!("request", role = case.role, case_id = case.id());
            // an inner role's beginning repeats what its caller's lines say already
            span.in_scope(|| match case.outer {
                true => tracing::info!(method, path, "request started"),
                false => tracing::debug!(method, path, "request started"),
            });
            span
        })
    }

    fn on_request_end<B: MessageBody>(span: Span, outcome: &Result<ServiceResponse<B>, Error>) {
        let ms = Case::with(Case::elapsed_ms);
        span.in_scope(|| match outcome {
            Ok(res) => {
                let (method, path) = (res.request().method().as_str(), res.request().uri().path());
                let problem = res.response().error().map(ToString::to_string);
                tracing::info!(method, path, status = res.status().as_u16(), ms, problem, "request completed");
            }
            Err(error) => {
                let status = error.as_response_error().status_code().as_u16();
                tracing::info!(status, ms, problem = %error, "request completed");
            }
        });
    }
}
