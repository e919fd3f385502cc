//! The gateway role: clients call it, and it forwards every request to the role of the endpoint.

mod compat;
mod docs;
mod endpoints;
mod export;
mod handlers;
mod jobs;
mod openapi;
mod sse;
mod stream_access;
mod streams;
mod topic;

use std::rc::Rc;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};

use crate::config::AuthMode;
use crate::platform::auth::layer::AuthLayer;
use crate::platform::auth::verifier::LocalTokenVerifier;
use crate::platform::edge::proxy::RouteOptions;
use crate::platform::endpoint::{RetryPolicy, group_by_path, largest_body};
use crate::platform::observe::metrics::resource;
use crate::platform::role::{BackgroundTask, Context, Role, Service, problem_types, public_endpoints};
use crate::roles::{availability, reservation, suggestion, user, worker};

/// The row in the table of roles.
pub const ROLE: Role = Role {
    name: "gateway",
    about: "the public API, forwarded to the other roles",
    port: 8080,
    calls: &[user::api::ROLE, reservation::api::ROLE, availability::api::ROLE, suggestion::api::ROLE],
    observes: &[worker::api::ROLE],
    migrations: None,
    keeps_cache: false,
    uses_queue: true,
    subscribes: &[],
    faces_clients: true,
    sign_in_prefix: None,
    endpoints: endpoints::endpoints,
    problem_types: &[],
    open,
};

/// The OpenAPI document of the public API of these roles, at this address.
pub fn description(roles: &[Role], mode: AuthMode, address: &str) -> utoipa::openapi::OpenApi {
    openapi::document(&public_endpoints(roles), &problem_types(roles).collect::<Vec<_>>(), mode, address)
}

fn open(context: &Context) -> anyhow::Result<Service> {
    let queue = context.queue()?;
    // one subscription for all streams; it starts before the gateway serves requests, so that no event is missed
    let events = queue.subscribe();
    let streams = Arc::new(streams::Streams::new(context.settings.limits.streams));
    let (own_context, task_context, shared_streams) = (context.clone(), context.clone(), Arc::clone(&streams));
    let task: BackgroundTask = Box::new(move |lifecycle| {
        Box::pin(async move {
            streams.run(events, &queue, &handlers::Peers::new(&task_context), &lifecycle).await;
        })
    });
    Ok(Service {
        configure: Arc::new(move |config| {
            config.app_data(web::Data::from(Arc::clone(&shared_streams))).app_data(compat::ERROR_FORMAT);
            config.app_data(web::Data::new(jobs::Owners::new(&own_context)));
            config.app_data(web::Data::new(user::api::access::SessionClient::new(&own_context)));
            forward_public_endpoints(config, &own_context);
        }),
        auth: Arc::new(auth_layer),
        prepare: Box::pin(async { Ok(()) }),
        work: Some(task),
    })
}

fn auth_layer(context: &Context) -> AuthLayer {
    let verifier = LocalTokenVerifier::new(
        user::api::access::AccountClient::new(context),
        &context.settings.auth.issuer,
        ROLE.name,
    );
    context.token_auth(Rc::new(verifier))
}

/// Forwards every method of each public path to its role. The role responds with 405 to a method that it does not know.
fn forward_public_endpoints(config: &mut ServiceConfig, context: &Context) {
    let (peers, limits) = (handlers::Peers::new(context), &context.settings.limits);
    // the router looks paths up in this order: stateless roles first, because clients call them most
    for role in context.roles.iter().rev().filter(|role| !role.faces_clients) {
        for group in group_by_path(&role.public_endpoints()) {
            let post = group.iter().find(|endpoint| endpoint.method == Method::POST);
            let target = handlers::Target {
                peer: peers.find(role.name),
                options: RouteOptions {
                    limit: largest_body(&group, limits),
                    retry: post.map_or(RetryPolicy::Never, |endpoint| endpoint.retry),
                },
            };
            config.service(resource(group[0].path).app_data(web::Data::new(target)).to(handlers::forward));
        }
    }
    config.app_data(web::Data::new(export::Exporters::new(&peers, context.roles)));
    config.app_data(web::Data::new(peers));
}
