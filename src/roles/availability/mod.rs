//! The availability role: when a group can meet. Stateless: it calls user once, and combines the answer.

mod answer;
pub mod api;
mod data_version;
mod endpoints;
mod handlers;
mod model;

use actix_web::web::{Data, ServiceConfig};

use crate::platform::role::{Context, Role, Service};
use crate::roles::user;

/// The row in the table of roles.
pub const ROLE: Role = Role {
    name: api::ROLE,
    about: "finds when a group can meet, and how many are free in each hour",
    port: 8082,
    calls: &[user::api::ROLE],
    observes: &[],
    owns_data: false,
    keeps_cache: false,
    uses_queue: false,
    subscribes: &[],
    faces_clients: false,
    endpoints: endpoints::endpoints,
    problem_types: &[],
    open: |context| Ok(Service::stateless(context, configure)),
};

fn configure(config: &mut ServiceConfig, context: &Context) {
    config.app_data(Data::new(user::api::UserClient::new(context)));
}
