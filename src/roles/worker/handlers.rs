//! The endpoints of the worker role.

use actix_web::HttpResponse;
use actix_web::web::Data;
use futures_util::future::join_all;

use super::ROLE;
use crate::platform::http::health::Report;
use crate::platform::queue::Queue;
use crate::platform::role::Context;
use crate::platform::rpc::Peer;
use crate::roles::{availability, suggestion};

/// The roles that find times; how user does, they tell.
pub struct Peers([Peer; 2]);

impl Peers {
    pub fn new(context: &Context) -> Peers {
        Peers([availability::api::ROLE, suggestion::api::ROLE].map(|role| Peer::new(context, role)))
    }
}

/// `GET /health`
pub async fn health(peers: Data<Peers>, queue: Data<Queue>) -> HttpResponse {
    let needs = join_all(peers.0.iter().map(Peer::health)).await;
    let likes = vec![(queue.name().to_owned(), queue.health().await)];
    Report::new(ROLE.name, needs, likes).answer()
}
