//! The availability role: when a group can meet. Stateless: it calls user once, and combines the answer.

mod answer;
pub mod api;
mod data_version;
mod handlers;
mod model;

use actix_web::web::{Data, PayloadConfig, ServiceConfig};

use crate::platform::observe::metrics::resource;
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
    faces_clients: false,
    open: |context| Ok(Service::stateless(context, routes)),
};

fn routes(cfg: &mut ServiceConfig, context: &Context) {
    use handlers::*;
    let limits = &context.settings.limits;
    cfg.app_data(Data::new(user::api::UserClient::new(context)))
        .service(resource("/health").get(health))
        .service(
            resource("/availability")
                .app_data(PayloadConfig::new(limits.list_body))
                .get(find_common_by_query)
                .post(find_common_by_body),
        )
        .service(
            resource("/internal/availability/detail")
                .app_data(PayloadConfig::new(limits.internal_body))
                .post(find_detail),
        );
}
