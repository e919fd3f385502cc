//! The user role: who there is, when they can meet, their meetings and the jobs for them. The only role with a database and a
//! cache.

mod accounts;
pub mod api;
mod api_keys;
mod auth;
mod calendars;
mod jobs;
mod mailbox;
mod meetings;
mod schema;
mod store;

use std::rc::Rc;
use std::sync::Arc;

use actix_web::guard::fn_guard;
use actix_web::web::{Data, PayloadConfig, ServiceConfig, put};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use crate::platform::auth::layer::AuthLayer;
use crate::platform::auth::verifier::LocalTokenVerifier;
use crate::platform::cache::aside::CacheAside;
use crate::platform::jobs::{self as platform_jobs, spawn_tasks};
use crate::platform::observe::metrics::resource;
use crate::platform::role::{Context, Role, Service};
use accounts::store::Users;
pub use auth::commands;
use auth::issuer::Own;
use auth::passwords::Passwords;
use meetings::request::Rules;
use store::Store;

/// The tables that this role owns.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/user");

/// The row in the table of roles.
pub const ROLE: Role = Role {
    name: api::ROLE,
    about: "accounts, when they can meet, and their meetings; the only one with a database and a cache",
    port: 8081,
    calls: &[],
    observes: &[],
    owns_data: true,
    keeps_cache: true,
    uses_queue: true,
    faces_clients: false,
    open,
};

/// What the routes of this role stand on.
#[derive(Clone)]
struct Desk {
    users: Data<CacheAside<Users>>,
    store: Data<Store>,
    rules: Data<Rules>,
    passwords: Data<Passwords>,
    internal: PayloadConfig,
    calendar: PayloadConfig,
}

fn open(context: &Context) -> anyhow::Result<Service> {
    let settings = Arc::clone(&context.settings);
    let store = Store::open(&settings)?;
    let users = CacheAside::open(&settings, "user", Users::new(store.clone()))?;
    let desk = Desk {
        users: Data::from(Arc::clone(&users)),
        store: Data::new(store.clone()),
        rules: Data::new(Rules::of(&settings)),
        passwords: Data::new(Passwords::new(&settings.auth)?),
        internal: PayloadConfig::new(settings.limits.internal_body),
        calendar: PayloadConfig::new(settings.limits.calendar_body),
    };
    let queue = context.queue()?;
    let owner = store.clone();
    let door = move |context: &Context| {
        let issued = LocalTokenVerifier::new(Own(owner.clone()), &context.settings.auth.issuer, ROLE.name);
        AuthLayer::of_owner(context, Rc::new(issued))
    };
    platform_jobs::metrics::register_kinds::<Store>();
    Ok(Service {
        routes: Arc::new(move |cfg| routes(cfg, desk.clone())),
        door: Arc::new(door),
        prepare: Box::pin(async move {
            store.owner.prepare(&settings, || MIGRATIONS).await;
            store.ensure_signing_key().await;
            tokio::spawn(users.run());
            spawn_tasks(&store, queue, settings.serves_metrics());
            tokio::spawn(calendars::refresh::wake(store.clone()));
            tokio::spawn(calendars::refresh::go_on(store));
            Ok(())
        }),
        work: None,
    })
}

fn routes(cfg: &mut ServiceConfig, desk: Desk) {
    use accounts::handlers::*;
    use accounts::standards::*;
    use auth::handlers::*;
    use calendars::handlers::*;
    use meetings::handlers::*;
    use meetings::participation;
    use platform_jobs::handlers::*;
    cfg.configure(account_routes)
        .app_data(desk.users)
        .app_data(desk.store)
        .app_data(desk.rules)
        .app_data(desk.passwords)
        .service(resource("/health").get(health))
        .service(resource("/.well-known/jwks.json").get(find_keys))
        .service(resource("/internal/keys/exchange").post(exchange_key))
        .service(resource("/internal/users/lookup").app_data(desk.internal.clone()).post(lookup_users))
        .service(resource("/users").get(list_users).post(create_user))
        .service(resource("/users/{email}").get(find_user).patch(update_user).delete(delete_user))
        .service(
            resource("/users/{email}/availability")
                .get(find_availability)
                .route(put().guard(fn_guard(is_calendar)).to(replace_availability_by_calendar))
                .put(replace_availability),
        )
        .service(resource("/users/{email}/availability.ics").get(find_availability_for_calendars))
        .service(resource("/users/{email}/freebusy.ics").get(find_free_busy))
        .service(resource("/users/{email}/calendars").get(list_calendars))
        .service(
            resource("/users/{email}/calendars/{name}")
                .app_data(desk.calendar)
                .get(find_calendar)
                .put(put_calendar)
                .delete(delete_calendar),
        )
        .service(resource("/internal/meetings").app_data(desk.internal.clone()).post(record_meeting))
        .service(resource("/internal/meetings/{id}").get(find_any_meeting))
        .service(resource("/internal/answers").post(find_answer))
        .service(resource("/internal/jobs/{id}/start").post(start_job::<Store>))
        .service(resource("/internal/jobs/{id}/retry").app_data(desk.internal.clone()).post(fail_job::<Store>))
        .service(resource("/internal/jobs/{id}/calendar").app_data(desk.internal).post(refresh_calendar))
        .service(resource("/callbacks/jobs/{id}").post(finish_job::<Store>))
        .service(resource("/meetings").get(list_meetings).post(create_meeting))
        .service(resource("/meetings/{id}").get(find_meeting).patch(change_meeting).delete(cancel_meeting))
        .service(resource("/meetings/{id}/invite.ics").get(download_invitation))
        .service(resource("/meetings/{id}/deliveries").get(list_deliveries))
        .service(resource("/meetings/{id}/participation").get(participation::ask).post(participation::answer))
        .service(resource("/jobs").get(list_jobs::<Store>))
        .service(resource("/jobs/{id}").get(find_job::<Store>))
        .service(resource("/jobs/{id}/retry").post(retry_job::<Store>));
}

fn account_routes(cfg: &mut ServiceConfig) {
    use accounts::export::export;
    use api_keys::handlers::*;
    use auth::handlers::*;
    use mailbox::handlers::*;
    cfg.service(resource("/auth/register").post(register))
        .service(resource("/auth/login").post(login))
        .service(resource("/auth/refresh").post(refresh))
        .service(resource("/auth/logout").post(logout))
        .service(resource("/auth/me").get(me))
        .service(resource("/auth/verification").post(send_verification))
        .service(resource("/auth/verify").get(ask_to_verify).post(verify))
        .service(resource("/auth/password").put(change_password))
        .service(resource("/auth/password/forgot").post(forgot_password))
        .service(resource("/auth/password/reset").get(ask_to_reset).post(reset_password))
        .service(resource("/auth/keys").get(list_keys).post(create_key))
        .service(resource("/auth/keys/{id}").delete(revoke_key))
        .service(resource("/auth/export").get(export));
}
