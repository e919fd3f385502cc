//! The admin listener: `/metrics` and the probes, on a port of its own that no client reaches.

use std::net::TcpListener;
use std::sync::{Arc, LazyLock};

use actix_web::dev::Server;
use actix_web::web::{Data, get};
use actix_web::{App, HttpResponse, HttpServer};
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;

use super::RETRIES;
use super::collector::Collector;
use crate::platform::endpoint;
use crate::platform::http::health;
use crate::platform::role::Context;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves the admin endpoints of a role, on a listener that is bound already. The metrics are those of the whole process: with
/// several roles in one process, all of them serve the same page.
///
/// # Errors
/// The operating system refuses to use the listener.
pub fn serve(context: &Context, listener: TcpListener) -> std::io::Result<Server> {
    LazyLock::force(&RETRIES);
    let context = Data::new(context.clone());
    let computed = Data::new(Collector::registry(Arc::clone(&context.book)));
    let app = move || {
        App::new()
            .app_data(context.clone())
            .app_data(computed.clone())
            .configure(|config| {
                endpoint::register(config, &health::probes(), |probe| probe.path, &context.settings.limits)
            })
            .route("/metrics", get().to(metrics))
    };
    // one thread: the page is read every few seconds
    Ok(HttpServer::new(app).workers(1).disable_signals().listen(listener)?.run())
}

async fn metrics(computed: Data<Registry>) -> HttpResponse {
    let mut page = String::new();
    let encoded = encode_registry(&mut page, &computed)
        .and_then(|()| encode_registry(&mut page, &super::registry()))
        .and_then(|()| encode_eof(&mut page));
    match encoded {
        Ok(()) => HttpResponse::Ok().content_type(CONTENT_TYPE).body(page),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}
