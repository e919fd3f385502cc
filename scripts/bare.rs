//! The ceiling that benchmarks are held against: one actix handler that answers a fixed text, and nothing else.

use actix_web::{App, HttpServer, web};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8090".to_owned());
    let app = || App::new().route("/", web::get().to(async || r#"{"suggestions":[{"day":"monday","slot":[9,10]}]}"#));
    HttpServer::new(app).workers(1).bind(address)?.run().await
}
