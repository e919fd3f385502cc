//! The user role: accounts, sign-in, and when each user can meet.

mod accounts;
pub mod api;
mod api_keys;
mod auth;
mod calendars;
mod jobs;
mod schema;
mod store;
mod verification;

use std::rc::Rc;
use std::sync::Arc;

use actix_web::web::Data;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use crate::platform::auth::permissions::Access;
use crate::platform::auth::verifier::LocalTokenVerifier;
use crate::platform::cache::aside::CacheAside;
use crate::platform::endpoint::{Endpoint, get};
use crate::platform::jobs::{self as platform_jobs, spawn_tasks};
use crate::platform::outbound::SsrfGuard;
use crate::platform::role::{Context, Role, Service};
use accounts::store::Users;
use auth::account_provider::DbAccountProvider;
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
    owns_data: true,
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
    let mut all = accounts::endpoints::endpoints();
    all.extend(platform_jobs::endpoints::endpoints::<Store>());
    all.extend(calendars::endpoints::endpoints());
    all.extend(auth::endpoints::endpoints());
    all.extend(verification::endpoints::endpoints());
    all.extend(api_keys::endpoints::endpoints());
    all.push(get("/health", Access::Open, accounts::handlers::health));
    all
}

/// What the handlers share.
#[derive(Clone)]
struct AppState {
    users: Data<CacheAside<Users>>,
    store: Data<Store>,
    guard: Data<SsrfGuard>,
    passwords: Data<Passwords>,
}

fn open(context: &Context) -> anyhow::Result<Service> {
    let settings = Arc::clone(&context.settings);
    let store = Store::open(&settings)?;
    let users = CacheAside::open(&settings, "user", Users::new(store.clone()))?;
    let state = AppState {
        users: Data::from(Arc::clone(&users)),
        store: Data::new(store.clone()),
        guard: Data::new(SsrfGuard::new(&settings.webhooks)),
        passwords: Data::new(Passwords::new(&settings.auth)?),
    };
    let queue = context.queue()?;
    let owner = store.clone();
    let auth = move |context: &Context| {
        let verifier =
            LocalTokenVerifier::new(DbAccountProvider(owner.clone()), &context.settings.auth.issuer, ROLE.name);
        context.token_auth(Rc::new(verifier))
    };
    platform_jobs::metrics::register_kinds::<Store>();
    Ok(Service {
        configure: Arc::new(move |config| {
            let AppState { users, store, guard, passwords } = state.clone();
            config.app_data(users).app_data(store).app_data(guard).app_data(passwords);
        }),
        auth: Arc::new(auth),
        prepare: Box::pin(async move {
            store.owner.prepare(&settings, || MIGRATIONS).await;
            store.ensure_signing_key().await;
            tokio::spawn(users.run());
            spawn_tasks(&store, queue, settings.serves_metrics());
            tokio::spawn(calendars::refresh::schedule_refreshes(store.clone()));
            tokio::spawn(calendars::refresh::extend_horizons(store));
            Ok(())
        }),
        work: None,
    })
}
