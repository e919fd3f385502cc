//! The worker role: does the jobs of every owner. It finds times for meetings, sends mails and webhooks, and fetches calendars.

pub mod api;
mod consumer;
mod handlers;
mod job_context;
mod jobs;
mod mail;

use std::sync::Arc;

use actix_web::web::{Data, ServiceConfig};
use anyhow::ensure;

use crate::platform::auth::permissions::Access;
use crate::platform::endpoint::get;
use crate::platform::role::{BackgroundTask, Context, Role, Service};
use crate::roles::{availability, reservation, suggestion, user};

/// The row in the table of roles.
pub const ROLE: Role = Role {
    name: api::ROLE,
    about: "does background jobs: finds the time of a meeting, sends invitations and webhooks, fetches calendars",
    port: 8084,
    calls: &[user::api::ROLE, reservation::api::ROLE, availability::api::ROLE, suggestion::api::ROLE],
    observes: &[],
    migrations: None,
    keeps_cache: false,
    uses_queue: true,
    subscribes: &[],
    faces_clients: false,
    sign_in_prefix: None,
    endpoints: || vec![get("/health", Access::Open, handlers::health)],
    problem_types: &[],
    open,
};

fn open(context: &Context) -> anyhow::Result<Service> {
    let queue = context.queue()?;
    // wrong settings are refused at start, not at the first mail
    let mailer = mail::Mailer::open(&context.settings)?;
    ensure!(
        !context.settings.server.public_url.is_empty(),
        "links in mails need the public address of the gateway: set W2MEET_SERVER__PUBLIC_URL=https://meet.example.com, or \
         W2MEET_UPSTREAMS__GATEWAY=http://host:port"
    );
    let (own_context, work_of, own_queue) = (context.clone(), context.clone(), Arc::clone(&queue));
    let own_mailer = Data::new(mailer.clone());
    let configure = move |config: &mut ServiceConfig| {
        config.app_data(Data::new(handlers::Peers::new(&own_context))).app_data(Data::from(Arc::clone(&own_queue)));
        config.app_data(own_mailer.clone());
    };
    let work: BackgroundTask = Box::new(move |lifecycle| {
        Box::pin(async move {
            match job_context::JobContext::new(&work_of, mailer) {
                Ok(context) => consumer::run(context, queue, lifecycle).await,
                Err(why) => tracing::error!(why = format!("{why:#}"), "the worker cannot start"),
            }
        })
    });
    let (configure, auth) = (Arc::new(configure), Arc::new(Context::service_auth));
    Ok(Service { configure, auth, prepare: Box::pin(async { Ok(()) }), work: Some(work) })
}
