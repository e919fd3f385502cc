//! `GET /api/auth/export`: all data of an account, put together from every role that owns data.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use actix_web::web::Data;
use bytes::Bytes;
use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt as _};

use super::handlers::Peers;
use crate::platform::http::HttpResult;
use crate::platform::role::Role;
use crate::platform::rpc::Peer;
use crate::platform::rpc::request::RpcRequest;

/// Where an owner serves the members of the document that it knows.
const PATH: &str = "/internal/export";

/// The roles that serve [`PATH`], as one worker thread calls them.
pub struct Exporters(Vec<Peer>);

impl Exporters {
    pub fn new(peers: &Peers, roles: &[Role]) -> Exporters {
        let serves = |role: &&Role| role.owns_data() && role.all_endpoints().iter().any(|one| one.inner_path() == PATH);
        Exporters(roles.iter().filter(serves).filter_map(|role| peers.find(role.name)).collect())
    }
}

/// `GET /api/auth/export`
pub async fn export_account(exporters: Data<Exporters>) -> HttpResult {
    // all owners respond before the first byte is sent: a failure is still a problem document
    let request = RpcRequest::get(PATH);
    let parts = try_join_all(exporters.0.iter().map(|peer| peer.open(&request))).await?;
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
