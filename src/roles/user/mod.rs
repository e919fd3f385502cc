//! The user role: who there is and when they can meet. The only role with a database and a cache.

pub mod api;
mod handlers;
mod model;
mod schema;
mod store;

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Data, PayloadConfig, ServiceConfig, resource};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use crate::config::Settings;
use crate::platform::cache::aside::Aside;
use crate::platform::db::{self, Db};
use crate::platform::role::{Context, Role, Service};

/// The tables that this role owns.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/user");

const RETRY: Duration = Duration::from_millis(500);

/// The row in the table of roles.
pub const ROLE: Role = Role {
    name: api::ROLE,
    about: "accounts and when they can meet; the only one with a database and a cache",
    port: 8081,
    calls: &[],
    observes: &[],
    keeps_cache: true,
    faces_clients: false,
    open,
};

fn open(context: &Context) -> anyhow::Result<Service> {
    let settings = Arc::clone(&context.settings);
    let users = Aside::open(&settings, "user", store::Users::new(Db::open(&settings)?))?;
    let internal = PayloadConfig::new(settings.limits.internal_body);
    let served = Data::from(Arc::clone(&users));
    Ok(Service {
        routes: Arc::new(move |cfg| routes(cfg, served.clone(), internal.clone())),
        prepare: Box::pin(async move {
            migrate(&settings).await;
            tokio::spawn(users.keep());
            Ok(())
        }),
    })
}

/// Migrates as soon as the database lets us.
async fn migrate(settings: &Settings) {
    let mut said = String::new();
    while let Err(why) = db::migrate(settings, MIGRATIONS).await {
        let why = format!("{why:#}");
        if why != said {
            tracing::warn!(why, "waiting for the database");
        }
        said = why;
        tokio::time::sleep(RETRY).await;
    }
}

fn routes(cfg: &mut ServiceConfig, users: Data<Aside<store::Users>>, internal: PayloadConfig) {
    use handlers::*;
    cfg.app_data(users)
        .service(resource("/health").get(health))
        .service(resource("/internal/users/lookup").app_data(internal).post(lookup_users))
        .service(resource("/users").get(list_users).post(create_user))
        .service(resource("/users/{email}").get(find_user).patch(update_user).delete(delete_user))
        .service(resource("/users/{email}/availability").get(find_availability).put(replace_availability));
}
