//! The suggestion role: ranks the slots of a group and explains the result. Stateless: it calls availability once.

pub mod api;
mod booking;
mod empty_reason;
mod endpoints;
mod handlers;
pub mod model;
mod reason;
mod relaxations;
pub mod request;

use actix_web::web::{Data, ServiceConfig};

use crate::platform::role::{Context, Role, Service};
use crate::roles::{availability, reservation};

/// The row in the table of roles.
pub const ROLE: Role = Role {
    name: api::ROLE,
    about: "ranks slots, and says why a slot is best or why there is none",
    port: 8083,
    calls: &[availability::api::ROLE, reservation::api::ROLE],
    observes: &[],
    migrations: None,
    keeps_cache: false,
    uses_queue: false,
    subscribes: &[],
    faces_clients: false,
    sign_in_prefix: None,
    endpoints: endpoints::endpoints,
    problem_types: &[],
    open: |context| Ok(Service::stateless(context, configure)),
};

fn configure(config: &mut ServiceConfig, context: &Context) {
    config
        .app_data(Data::new(availability::api::AvailabilityClient::new(context)))
        .app_data(Data::new(reservation::api::ReservationClient::new(context)));
}
