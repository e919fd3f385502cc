//! The admin listener: `/metrics` and the probes, on a port of its own that no client reaches.

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::web::{Data, get};
use actix_web::{App, HttpResponse, HttpServer};

use crate::platform::endpoint;
use crate::platform::observe::metrics::MetricsPage;
use crate::platform::probes::probes;
use crate::platform::role::Context;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves the admin endpoints of a role, on a listener that is bound already. The metrics are those of the whole process: with
/// several roles in one process, all of them serve the same page.
///
/// # Errors
/// The operating system refuses to use the listener.
pub fn serve(context: &Context, listener: TcpListener) -> std::io::Result<Server> {
    let (limits, lifecycle) = (context.settings.limits.clone(), Data::from(Arc::clone(&context.lifecycle)));
    let page = Data::new(MetricsPage::new(Arc::clone(&context.book)));
    let app = move || {
        App::new()
            .app_data(lifecycle.clone())
            .app_data(page.clone())
            .configure(|config| endpoint::register(config, &probes(), |probe| probe.path, &limits))
            .route("/metrics", get().to(metrics))
    };
    // one thread is enough: the page is read every few seconds
    Ok(HttpServer::new(app).workers(1).disable_signals().listen(listener)?.run())
}

async fn metrics(page: Data<MetricsPage>) -> HttpResponse {
    match page.encode() {
        Ok(text) => HttpResponse::Ok().content_type(CONTENT_TYPE).body(text),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}
