//! The reservation role: meetings and their invitations, and every hold on time.

mod actors;
pub mod api;
mod deletion;
mod export;
mod handlers;
mod holds;
mod jobs;
mod meetings;
mod schema;
mod store;
mod subjects;
mod webhooks;

use std::rc::Rc;
use std::sync::Arc;

use actix_web::web::{Data, ServiceConfig};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use crate::platform::auth::permissions::Access::{Open, Person, Service, SignedIn};
use crate::platform::auth::verifier::LocalTokenVerifier;
use crate::platform::endpoint::{Endpoint, get, post};
use crate::platform::jobs::endpoints as job_endpoints;
use crate::platform::outbound::SsrfGuard;
use crate::platform::owner_service::owner_service;
use crate::platform::role::{Context, Role, Service as RoleService};
use crate::roles::user;
use crate::roles::user::api::UserClient;
use crate::roles::user::api::access::SessionClient;
use store::Store;

/// The tables that this role owns.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/reservation");

/// The row in the table of roles.
pub const ROLE: Role = Role {
    name: api::ROLE,
    about: "meetings and their invitations, and the time that they hold",
    port: 8085,
    calls: &[user::api::ROLE],
    observes: &[],
    migrations: Some(|| MIGRATIONS),
    keeps_cache: false,
    uses_queue: true,
    subscribes: &["user.deleted", "user.claimed"],
    faces_clients: false,
    sign_in_prefix: None,
    endpoints,
    problem_types: api::problems::PROBLEM_TYPES,
    open,
};

fn endpoints() -> Vec<Endpoint> {
    let mut all = meetings::endpoints::endpoints();
    all.extend(webhooks::endpoints::endpoints());
    all.extend(job_endpoints::<Store>());
    all.extend([
        get("/health", Open, handlers::health),
        get("/internal/export", Person, export::export),
        post("/internal/accepted", SignedIn, handlers::find_accepted)
            .body_limit(|limits| limits.internal_body)
            .read_only(),
        post("/internal/holds/lookup", Service, handlers::find_held_time)
            .body_limit(|limits| limits.internal_body)
            .read_only(),
    ]);
    all
}

fn open(context: &Context) -> anyhow::Result<RoleService> {
    let guard = Data::new(SsrfGuard::new(&context.settings.webhooks));
    let own_context = context.clone();
    let auth = |context: &Context| {
        let sessions = LocalTokenVerifier::new(SessionClient::new(context), &context.settings.auth.issuer, ROLE.name);
        context.token_auth(Rc::new(sessions))
    };
    let configure = move |config: &mut ServiceConfig| {
        config.app_data(guard.clone()).app_data(Data::new(UserClient::new(&own_context)));
    };
    let service = owner_service(context, Store::open(&context.settings)?, configure, async {})?;
    Ok(RoleService { auth: Arc::new(auth), ..service })
}
