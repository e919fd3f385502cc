//! The gateway role: the one door. It knows which role answers to which path, and nothing of what they do.

mod handlers;
mod reference;

use actix_web::web::{self, ServiceConfig, resource};

use crate::config::Limits;
use crate::platform::role::{Context, Role, Service};
use crate::roles::{availability, suggestion, user, worker};

/// The row in the table of roles.
pub const ROLE: Role = Role {
    name: "gateway",
    about: "the public API, forwarded to the other roles",
    port: 8080,
    calls: &[user::api::ROLE, availability::api::ROLE, suggestion::api::ROLE],
    observes: &[worker::api::ROLE],
    keeps_cache: false,
    faces_clients: true,
    open: |context| Ok(Service::stateless(context, routes)),
};

/// A public path, and the role that answers to it without its `/api`.
struct Route {
    path: &'static str,
    role: &'static str,
    /// Bytes that a body may have.
    limit: fn(&Limits) -> usize,
}

/// The public API. Methods are the roles' own matter: they answer 405 with what they allow.
const ROUTES: &[Route] = &[
    Route { path: "/api/suggestions", role: suggestion::api::ROLE, limit: |limits| limits.list_body },
    Route { path: "/api/availability", role: availability::api::ROLE, limit: |limits| limits.list_body },
    Route { path: "/api/users", role: user::api::ROLE, limit: |limits| limits.body },
    Route { path: "/api/users/{email}", role: user::api::ROLE, limit: |limits| limits.body },
    Route { path: "/api/users/{email}/availability", role: user::api::ROLE, limit: |limits| limits.body },
];

fn routes(cfg: &mut ServiceConfig, context: &Context) {
    let peers = handlers::Peers::new(context);
    cfg.app_data(web::Data::new(peers.clone()))
        .service(resource("/").get(handlers::welcome))
        .service(resource("/health").get(async || "ok"))
        .service(resource("/api/health").get(handlers::health));
    for route in ROUTES {
        let target = handlers::Target { peer: peers.find(route.role), limit: (route.limit)(&context.settings.limits) };
        cfg.service(resource(route.path).app_data(web::Data::new(target)).to(handlers::forward));
    }
    reference::routes(cfg);
}
