//! The service of a role that owns data: what the kit does for every owner.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use actix_web::web::{Data, ServiceConfig};
use anyhow::Context as _;

use crate::platform::data::Owner;
use crate::platform::http::health::{Dependency, Status};
use crate::platform::jobs::{JobOwner, housekeeping, metrics, spawn_tasks};
use crate::platform::role::{Context, Service};
use crate::platform::subscriptions::{Subscriber, spawn_subscriber};

/// The queue, and whether the messages of an owner leave.
pub fn queue_health(owner: &Owner, context: &Context) -> (String, Dependency) {
    let Some(queue) = &context.queue else { return ("queue".to_owned(), Dependency::healthy()) };
    let blocked = || owner.outbox_blocked.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let health = match queue.unavailable().or_else(blocked) {
        Some(why) => Dependency::measured(Status::Unhealthy, Instant::now()).with_cause(why.cause()),
        None => Dependency::healthy(),
    };
    (queue.name().to_owned(), health)
}

/// A service that migrates its database, takes the events that its row subscribes to, and publishes its events and jobs. Handlers find
/// the store as `Data<O>`, and what `configure` adds; `prepared` runs when the database is ready. Only other roles may call it: a role
/// that checks tokens sets `auth`.
///
/// # Errors
/// A row without migrations or without the queue.
pub fn owner_service<O: JobOwner + Subscriber>(
    context: &Context,
    store: O,
    configure: impl Fn(&mut ServiceConfig) + Send + Sync + 'static,
    prepared: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<Service> {
    let (role, settings, queue) = (context.role, Arc::clone(&context.settings), context.queue()?);
    let migrations = role.migrations.with_context(|| format!("the row of {} has no migrations", role.name))?;
    let shared = Data::new(store.clone());
    metrics::register_kinds::<O>();
    let db = store.owner().db.clone();
    let damage = "a database is damaged: the operator must restore it from a backup, and start the process again";
    context.lifecycle.add_defect_check(Box::new(move || db.is_damaged().then_some(damage)));
    // what was deleted just before the stop must not stay in the log of SQLite until the next start
    let owner = store.owner().clone();
    context.lifecycle.add_shutdown_hook(Box::pin(async move { housekeeping::empty_log(&owner).await }));
    Ok(Service {
        configure: Arc::new(move |config| {
            config.app_data(shared.clone());
            configure(config);
        }),
        auth: Arc::new(Context::service_auth),
        prepare: Box::pin(async move {
            store.owner().prepare(&settings, migrations, || metrics::not_writable(role.name)).await?;
            if !role.subscribes.is_empty() {
                spawn_subscriber(&store, &queue, role);
            }
            spawn_tasks(&store, queue, settings.serves_metrics());
            prepared.await;
            Ok(())
        }),
        work: None,
    })
}
