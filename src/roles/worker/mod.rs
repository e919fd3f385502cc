//! The worker role: it will take meetings from the queue and arrange them. In this release it only tells how what it stands
//! on does; jobs come with the next one.

pub mod api;
mod handlers;

use std::sync::Arc;

use actix_web::web::{Data, ServiceConfig, resource};

use crate::platform::role::{Context, Role, Service};
use crate::roles::{availability, suggestion};

/// The row in the table of roles.
pub const ROLE: Role = Role {
    name: api::ROLE,
    about: "arranges meetings in the background (from the next release on)",
    port: 8084,
    calls: &[availability::api::ROLE, suggestion::api::ROLE],
    observes: &[],
    keeps_cache: false,
    faces_clients: false,
    open,
};

fn open(context: &Context) -> anyhow::Result<Service> {
    let broker = Arc::new(handlers::Broker::open(&context.settings)?);
    let (context, ready) = (context.clone(), Box::pin(async { Ok(()) }));
    let routes = move |cfg: &mut ServiceConfig| {
        cfg.app_data(Data::new(handlers::Peers::new(&context)))
            .app_data(Data::from(Arc::clone(&broker)))
            .service(resource("/health").get(handlers::health));
    };
    Ok(Service { routes: Arc::new(routes), prepare: ready })
}
