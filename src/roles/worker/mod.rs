//! The worker role: takes jobs from the queue, finds times, sends invitations, and tells whoever asked.

pub mod api;
mod consumer;
mod handlers;
mod jobs;
mod mail;
mod tools;

use std::sync::Arc;

use actix_web::web::{Data, ServiceConfig};

use crate::platform::auth::layer::AuthLayer;
use crate::platform::observe::metrics::resource;
use crate::platform::role::{BackgroundTask, Context, Role, Service};
use crate::roles::{availability, suggestion, user};

/// The gateway's name: the result of every job goes to its callback, as a client's would.
const GATEWAY: &str = "gateway";

/// The row in the table of roles.
pub const ROLE: Role = Role {
    name: api::ROLE,
    about: "arranges meetings in the background: finds the time, invites, tells whoever asked",
    port: 8084,
    calls: &[user::api::ROLE, availability::api::ROLE, suggestion::api::ROLE, GATEWAY],
    observes: &[],
    keeps_cache: false,
    uses_queue: true,
    faces_clients: false,
    open,
};

fn open(context: &Context) -> anyhow::Result<Service> {
    let queue = context.queue()?;
    // what is wrong with the settings is to be seen at the start
    let kit = tools::Kit::open(&context.settings)?;
    let (routes_of, work_of, queue_of) = (context.clone(), context.clone(), Arc::clone(&queue));
    let routes = move |cfg: &mut ServiceConfig| {
        cfg.app_data(Data::new(handlers::Peers::new(&routes_of)))
            .app_data(Data::from(Arc::clone(&queue_of)))
            .service(resource("/health").get(handlers::health));
    };
    let work: BackgroundTask = Box::new(move |lifecycle| {
        Box::pin(async move {
            match tools::Tools::new(&work_of, kit) {
                Ok(tools) => consumer::work(tools, queue, lifecycle).await,
                Err(why) => tracing::error!(why = format!("{why:#}"), "the worker cannot work"),
            }
        })
    });
    let (routes, door) = (Arc::new(routes), Arc::new(AuthLayer::inner));
    Ok(Service { routes, door, prepare: Box::pin(async { Ok(()) }), work: Some(work) })
}
