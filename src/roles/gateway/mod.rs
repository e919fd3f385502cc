//! The gateway role: the one door. It knows which role answers to which path, and nothing of what they do.

mod handlers;
mod hub;
mod live;
mod reference;

use std::sync::Arc;

use actix_web::web::{self, ServiceConfig, resource};

use crate::config::Limits;
use crate::platform::peer::Peer;
use crate::platform::role::{Context, Role, Service, Work};
use crate::roles::{availability, suggestion, user, worker};

/// The row in the table of roles.
pub const ROLE: Role = Role {
    name: "gateway",
    about: "the public API, forwarded to the other roles",
    port: 8080,
    calls: &[user::api::ROLE, availability::api::ROLE, suggestion::api::ROLE],
    observes: &[worker::api::ROLE],
    keeps_cache: false,
    uses_queue: true,
    faces_clients: true,
    open,
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
    Route { path: "/api/meetings", role: user::api::ROLE, limit: |limits| limits.body },
    Route { path: "/api/meetings/{id}", role: user::api::ROLE, limit: |limits| limits.body },
    Route { path: "/api/meetings/{id}/deliveries", role: user::api::ROLE, limit: |limits| limits.body },
    Route { path: "/api/meetings/{id}/participation", role: user::api::ROLE, limit: |limits| limits.body },
    Route { path: "/api/meetings/{id}/invite.ics", role: user::api::ROLE, limit: |limits| limits.body },
    Route { path: "/api/jobs", role: user::api::ROLE, limit: |limits| limits.body },
    Route { path: "/api/jobs/{id}", role: user::api::ROLE, limit: |limits| limits.body },
    Route { path: "/api/jobs/{id}/retry", role: user::api::ROLE, limit: |limits| limits.body },
    Route { path: "/api/callbacks/jobs/{id}", role: user::api::ROLE, limit: |limits| limits.body },
    Route { path: "/api/users", role: user::api::ROLE, limit: |limits| limits.body },
    Route { path: "/api/users/{email}", role: user::api::ROLE, limit: |limits| limits.body },
    Route { path: "/api/users/{email}/availability", role: user::api::ROLE, limit: |limits| limits.body },
    Route { path: "/api/users/{email}/availability.ics", role: user::api::ROLE, limit: |limits| limits.body },
    Route { path: "/api/users/{email}/freebusy.ics", role: user::api::ROLE, limit: |limits| limits.body },
    Route { path: "/api/users/{email}/calendars", role: user::api::ROLE, limit: |limits| limits.body },
    Route { path: "/api/users/{email}/calendars/{name}", role: user::api::ROLE, limit: |limits| limits.calendar_body },
];

fn open(context: &Context) -> anyhow::Result<Service> {
    let queue = context.queue()?;
    // one for all streams, and before anything is served: what is said from now on is heard
    let heard = queue.subscribe();
    let hub = Arc::new(hub::Hub::new(context.settings.limits.streams));
    let (routes_of, work_of, hub_of) = (context.clone(), context.clone(), Arc::clone(&hub));
    let work: Work = Box::new(move |lifecycle| {
        Box::pin(async move {
            let user = Peer::new(&work_of, user::api::ROLE);
            hub.work(heard, &queue, &user, &lifecycle).await;
        })
    });
    Ok(Service {
        routes: Arc::new(move |cfg| routes(cfg, &routes_of, &hub_of)),
        prepare: Box::pin(async { Ok(()) }),
        work: Some(work),
    })
}

fn routes(cfg: &mut ServiceConfig, context: &Context, hub: &Arc<hub::Hub>) {
    let peers = handlers::Peers::new(context);
    cfg.app_data(web::Data::new(peers.clone()))
        .service(resource("/").get(handlers::welcome))
        .service(resource("/health").get(async || "ok"))
        .service(resource("/api/health").get(handlers::health))
        .app_data(web::Data::from(Arc::clone(hub)))
        .service(resource("/api/meetings/{id}/events").get(live::stream_meeting));
    for route in ROUTES {
        let target = handlers::Target { peer: peers.find(route.role), limit: (route.limit)(&context.settings.limits) };
        cfg.service(resource(route.path).app_data(web::Data::new(target)).to(handlers::forward));
    }
    reference::routes(cfg);
}
