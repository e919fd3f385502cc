//! The gateway role: the one door. It knows which role answers to which path, and nothing of what they do.

mod compat;
mod docs;
mod handlers;
mod openapi;
mod sse;
mod streams;

use std::rc::Rc;
use std::sync::Arc;

use actix_web::web::{self, ServiceConfig};

use crate::config::{AuthMode, Limits};
use crate::platform::auth::layer::AuthLayer;
use crate::platform::auth::verifier::LocalTokenVerifier;
use crate::platform::edge::proxy::{RetryPolicy, RouteOptions};
use crate::platform::observe::metrics::resource;
use crate::platform::role::{BackgroundTask, Context, Role, Service};
use crate::platform::rpc::Peer;
use crate::roles::{availability, suggestion, user, worker};

/// The row in the table of roles.
pub const ROLE: Role = Role {
    name: "gateway",
    about: "the public API, forwarded to the other roles",
    port: 8080,
    calls: &[user::api::ROLE, availability::api::ROLE, suggestion::api::ROLE],
    observes: &[worker::api::ROLE],
    owns_data: false,
    keeps_cache: false,
    uses_queue: true,
    faces_clients: true,
    open,
};

/// A public path, and the role that answers to it; without its `/api`, if it has one.
struct Route {
    path: &'static str,
    role: &'static str,
    /// Bytes that a body may have.
    limit: fn(&Limits) -> usize,
    /// Which POSTs may be sent to another replica when the first has not answered.
    repeats: RetryPolicy,
}

impl Route {
    const fn new(path: &'static str, role: &'static str) -> Route {
        Route { path, role, limit: |limits| limits.body, repeats: RetryPolicy::Never }
    }

    /// With bodies of another size.
    const fn taking(self, limit: fn(&Limits) -> usize) -> Route {
        Route { limit, ..self }
    }

    /// With POSTs that may be sent again.
    const fn repeating(self, repeats: RetryPolicy) -> Route {
        Route { repeats, ..self }
    }
}

/// The public API, what is asked most first: a path is looked for in this order. Methods are the roles' own matter: they answer
/// 405 with what they allow.
const ROUTES: &[Route] = &[
    Route::new("/api/suggestions", suggestion::api::ROLE)
        .taking(|limits| limits.list_body)
        .repeating(RetryPolicy::Keyed),
    Route::new("/api/availability", availability::api::ROLE)
        .taking(|limits| limits.list_body)
        .repeating(RetryPolicy::Always),
    Route::new("/api/meetings", user::api::ROLE).repeating(RetryPolicy::Keyed),
    Route::new("/api/meetings/{id}", user::api::ROLE),
    Route::new("/api/meetings/{id}/deliveries", user::api::ROLE),
    Route::new("/api/meetings/{id}/participation", user::api::ROLE),
    Route::new("/api/meetings/{id}/invite.ics", user::api::ROLE),
    Route::new("/api/jobs", user::api::ROLE),
    Route::new("/api/jobs/{id}", user::api::ROLE),
    Route::new("/api/jobs/{id}/retry", user::api::ROLE),
    Route::new("/api/callbacks/jobs/{id}", user::api::ROLE),
    Route::new("/api/users", user::api::ROLE).repeating(RetryPolicy::Keyed),
    Route::new("/api/users/{email}", user::api::ROLE),
    Route::new("/api/users/{email}/availability", user::api::ROLE),
    Route::new("/api/users/{email}/availability.ics", user::api::ROLE),
    Route::new("/api/users/{email}/freebusy.ics", user::api::ROLE),
    Route::new("/api/users/{email}/calendars", user::api::ROLE),
    Route::new("/api/users/{email}/calendars/{name}", user::api::ROLE).taking(|limits| limits.calendar_body),
    Route::new("/.well-known/jwks.json", user::api::ROLE),
    Route::new("/api/auth/register", user::api::ROLE),
    Route::new("/api/auth/login", user::api::ROLE),
    Route::new("/api/auth/refresh", user::api::ROLE),
    Route::new("/api/auth/logout", user::api::ROLE),
    Route::new("/api/auth/me", user::api::ROLE),
    Route::new("/api/auth/verification", user::api::ROLE),
    Route::new("/api/auth/verify", user::api::ROLE),
    Route::new("/api/auth/password", user::api::ROLE),
    Route::new("/api/auth/password/forgot", user::api::ROLE),
    Route::new("/api/auth/password/reset", user::api::ROLE),
    Route::new("/api/auth/keys", user::api::ROLE),
    Route::new("/api/auth/keys/{id}", user::api::ROLE),
    Route::new("/api/auth/export", user::api::ROLE),
];

/// What the public API is, in OpenAPI.
pub fn description(mode: AuthMode) -> utoipa::openapi::OpenApi {
    openapi::document(mode, compat::openapi::described(), compat::RULES)
}

/// The schemas that [`description`] names, as often as they are named.
pub fn schemas() -> crate::platform::http::openapi::Schemas {
    openapi::ops().into_iter().flat_map(|op| op.schemas).collect()
}

fn open(context: &Context) -> anyhow::Result<Service> {
    let queue = context.queue()?;
    // one for all streams, and before anything is served: what is said from now on is heard
    let heard = queue.subscribe();
    let hub = Arc::new(streams::MeetingStreams::new(context.settings.limits.streams));
    let (routes_of, work_of, hub_of) = (context.clone(), context.clone(), Arc::clone(&hub));
    let work: BackgroundTask = Box::new(move |lifecycle| {
        Box::pin(async move {
            let user = Peer::new(&work_of, user::api::ROLE);
            hub.run(heard, &queue, &user, &lifecycle).await;
        })
    });
    Ok(Service {
        routes: Arc::new(move |cfg| routes(cfg, &routes_of, &hub_of)),
        door: Arc::new(door),
        prepare: Box::pin(async { Ok(()) }),
        work: Some(work),
    })
}

fn door(context: &Context) -> AuthLayer {
    let issued = LocalTokenVerifier::new(
        user::api::access::AccountClient::new(context),
        &context.settings.auth.issuer,
        ROLE.name,
    );
    AuthLayer::outer(context, Rc::new(issued), compat::RULES)
}

fn routes(cfg: &mut ServiceConfig, context: &Context, hub: &Arc<streams::MeetingStreams>) {
    let peers = handlers::Peers::new(context);
    // a path is looked for in this order: what is asked most comes first
    for route in ROUTES {
        let target = handlers::Target {
            peer: peers.find(route.role),
            terms: RouteOptions { limit: (route.limit)(&context.settings.limits), repeats: route.repeats },
        };
        cfg.service(resource(route.path).app_data(web::Data::new(target)).to(handlers::forward));
    }
    cfg.app_data(web::Data::new(peers))
        .service(resource("/").get(handlers::welcome))
        .service(resource("/openapi.json").get(docs::find_description))
        .service(resource("/docs").get(docs::find_page))
        .service(resource("/health").get(async || "ok"))
        .service(resource("/api/health").get(handlers::health))
        .service(resource("/.well-known/security.txt").get(handlers::security))
        .app_data(web::Data::from(Arc::clone(hub)))
        .service(resource("/api/meetings/{id}/events").get(sse::stream_meeting));
    compat::routes(cfg);
}

#[cfg(test)]
mod tests {
    use super::ROUTES;
    use crate::platform::auth::permissions::{Match, RULES, Table};

    #[test]
    fn every_route_has_a_rule() {
        let table = Table::new(RULES, "");
        for route in ROUTES {
            assert_eq!(table.find("no method", route.path), Match::OtherMethod, "{} has no rule", route.path);
        }
    }
}
