//! The availability role: when a group can meet. Stateless: it asks user for the weeks and
//! reservation for the time that meetings hold, both at once, and combines the answers.

mod answer;
pub mod api;
mod data_version;
mod endpoints;
mod free_busy;
mod handlers;
mod model;
mod sources;

use actix_web::web::{Data, ServiceConfig};

use crate::platform::role::{Context, Role, Service};
use crate::roles::{reservation, user};
use sources::Sources;

/// The row in the table of roles.
pub const ROLE: Role = Role {
    name: api::ROLE,
    about: "finds when a group can meet, and how many are free in each hour",
    port: 8082,
    calls: &[user::api::ROLE, reservation::api::ROLE],
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
    let (users, reservation) = (user::api::UserClient::new(context), reservation::api::ReservationClient::new(context));
    config.app_data(Data::new(Sources { users, reservation }));
}
