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

/// The roles that find times. Their reports include the health of user.
pub struct Peers([Peer; 2]);

impl Peers {
    pub fn new(context: &Context) -> Peers {
        Peers([availability::api::ROLE, suggestion::api::ROLE].map(|role| Peer::new(context, role)))
    }
}

/// `GET /health`
pub async fn health(peers: Data<Peers>, queue: Data<Queue>) -> HttpResponse {
    let required = join_all(peers.0.iter().map(Peer::health)).await;
    let optional = vec![(queue.name().to_owned(), queue.health().await)];
    Report::new(ROLE.name, required, optional).answer()
}
