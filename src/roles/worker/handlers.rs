//! The endpoints of the worker role.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use futures_util::future::join_all;

use super::ROLE;
use super::mail::Mailer;
use crate::platform::http::health::HealthCheck;
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
pub async fn health(
    req: HttpRequest,
    peers: Data<Peers>,
    queue: Data<Queue>,
    mailer: Data<Mailer>,
    check: Data<HealthCheck>,
) -> HttpResponse {
    let own = async {
        let queue = (queue.name().to_owned(), queue.health().await);
        (Vec::new(), std::iter::once(queue).chain(mailer.health()).collect())
    };
    check.respond(&req, ROLE.name, own, join_all(peers.0.iter().map(Peer::health))).await
}
