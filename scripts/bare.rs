//! The server that benchmarks compare with: it answers every GET with the same text and echoes every POST. `bare [ADDRESS…]`, one
//! thread each.

use actix_web::{App, HttpServer, web};
use futures_util::future::try_join_all;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Bytes of the largest body that is echoed.
const LARGEST: usize = 1 << 20;

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let mut addresses: Vec<String> = std::env::args().skip(1).collect();
    if addresses.is_empty() {
        addresses.push("127.0.0.1:8090".to_owned());
    }
    let answer = async |body: web::Bytes| match body.is_empty() {
        true => web::Bytes::from_static(br#"{"suggestions":[{"day":"monday","slot":[9,10]}]}"#),
        false => body,
    };
    let app = move || App::new().app_data(web::PayloadConfig::new(LARGEST)).default_service(web::to(answer));
    // longer than the clients of W2Meet keep an idle connection
    let server = || HttpServer::new(app).workers(1).keep_alive(std::time::Duration::from_secs(75));
    let servers =
        addresses.iter().map(|address| Ok(server().bind(address)?.run())).collect::<std::io::Result<Vec<_>>>()?;
    try_join_all(servers).await.map(drop)
}
