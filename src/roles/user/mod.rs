//! The user role: accounts, sign-in, and when each user can meet.

mod accounts;
pub mod api;
mod api_keys;
mod auth;
mod calendars;
mod delegations;
mod jobs;
mod schema;
mod store;
mod verification;

use std::rc::Rc;
use std::sync::Arc;

use actix_web::web::{Data, ServiceConfig};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use crate::platform::auth::permissions::Access;
use crate::platform::auth::verifier::LocalTokenVerifier;
use crate::platform::cache::aside::CacheAside;
use crate::platform::endpoint::{Endpoint, get};
use crate::platform::jobs::endpoints as job_endpoints;
use crate::platform::outbound::SsrfGuard;
use crate::platform::owner_service::owner_service;
use crate::platform::role::{Context, Role, Service};
use accounts::store::Users;
pub use auth::commands;
use auth::passwords::Passwords;
use store::Store;

/// The tables that this role owns.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/user");

/// The row in the table of roles.
pub const ROLE: Role = Role {
    name: api::ROLE,
    about: "accounts, sign-in, and when each user can meet",
    port: 8081,
    calls: &[],
    observes: &[],
    migrations: Some(|| MIGRATIONS),
    keeps_cache: true,
    uses_queue: true,
    subscribes: &[],
    faces_clients: false,
    sign_in_prefix: Some("/api/auth/"),
    endpoints,
    problem_types: api::problems::PROBLEM_TYPES,
    open,
};

/// The endpoints that clients call most come first: the gateway looks paths up in this order.
fn endpoints() -> Vec<Endpoint> {
    let health = get("/health", Access::Open, accounts::handlers::health);
    [
        accounts::endpoints::endpoints(),
        job_endpoints::<Store>(),
        calendars::endpoints::endpoints(),
        auth::endpoints::endpoints(),
        verification::endpoints::endpoints(),
        api_keys::endpoints::endpoints(),
        delegations::endpoints::endpoints(),
        vec![health],
    ]
    .concat()
}

fn open(context: &Context) -> anyhow::Result<Service> {
    let settings = Arc::clone(&context.settings);
    let store = Store::open(&settings)?;
    let users = CacheAside::open(&settings, "user", Users::new(store.clone()))?;
    let cached = Data::from(Arc::clone(&users));
    let guard = Data::new(SsrfGuard::new(&settings.webhooks));
    let passwords = Data::new(Passwords::new(&settings.auth)?);
    let (own, owner) = (store.clone(), store.clone());
    let auth = move |context: &Context| {
        let verifier = LocalTokenVerifier::new(owner.clone(), &context.settings.auth.issuer, ROLE.name);
        context.token_auth(Rc::new(verifier))
    };
    let configure = move |config: &mut ServiceConfig| {
        config.app_data(cached.clone()).app_data(guard.clone()).app_data(passwords.clone());
    };
    let prepared = async move {
        own.ensure_signing_key().await;
        tokio::spawn(users.run());
        tokio::spawn(calendars::refresh::schedule_refreshes(own.clone()));
        tokio::spawn(calendars::refresh::extend_horizons(own));
    };
    Ok(Service { auth: Arc::new(auth), ..owner_service(context, store, configure, prepared)? })
}
