//! `GET /api/auth/export`: all data of an account, put together from every role that owns data.

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::web::Data;
use bytes::Bytes;
use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt as _};

use super::handlers::Peers;
use crate::platform::http::problem::Problem;
use crate::platform::role::Context;
use crate::platform::rpc::request::RpcRequest;

/// Where an owner serves the members of the document that it knows.
const PATH: &str = "/internal/export";

/// `GET /api/auth/export`
pub async fn export_account(peers: Data<Peers>, context: Data<Context>) -> Result<HttpResponse, Problem> {
    let is_served = |path: &str, method: &Method| path == PATH && method == Method::GET;
    let owners = context.roles.iter().filter(|role| role.owns_data());
    let owners = owners.filter(|role| role.all_endpoints().iter().any(|one| is_served(one.inner_path(), &one.method)));
    let peers: Vec<_> = owners.filter_map(|role| peers.find(role.name)).collect();
    // all owners respond before the first byte is sent: a failure is still a problem document
    let request = RpcRequest::get(PATH);
    let parts = try_join_all(peers.iter().map(|peer| peer.open(&request))).await?;
    let text = |text: &'static str| stream::iter([Ok(Bytes::from_static(text.as_bytes()))]);
    let members = stream::iter(parts)
        .enumerate()
        .flat_map(move |(index, part)| text(if index == 0 { "" } else { "," }).chain(part.stream()));
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"w2meet.json\""))
        .streaming(Box::pin(text("{").chain(members).chain(text("}")))))
}
