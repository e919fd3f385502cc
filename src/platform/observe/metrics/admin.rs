//! The admin listener: `/metrics` and the probes, on a port of their own that no client reaches.

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::web::{Data, get};
use actix_web::{App, HttpResponse, HttpServer};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use super::exporter::{CONTENT_TYPE, Exporter};
use crate::platform::http::health;
use crate::platform::role::Context;

/// Serves it for a role, on a listener that is bound already. It tells of the whole process: with several roles in one, each of
/// them has the same page.
///
/// # Errors
/// What the operating system says when the listener cannot be used.
pub fn serve(context: &Context, listener: TcpListener) -> std::io::Result<Server> {
    let context = Data::new(context.clone());
    let registry = Data::new(Exporter::registry(Arc::clone(&context.book)));
    let app = move || {
        App::new()
            .app_data(context.clone())
            .app_data(registry.clone())
            .configure(health::probes)
            .route("/metrics", get().to(metrics))
    };
    // one thread: it is asked every few seconds
    Ok(HttpServer::new(app).workers(1).disable_signals().listen(listener)?.run())
}

async fn metrics(registry: Data<Registry>) -> HttpResponse {
    let mut page = String::new();
    match encode(&mut page, &registry) {
        Ok(()) => HttpResponse::Ok().content_type(CONTENT_TYPE).body(page),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}
