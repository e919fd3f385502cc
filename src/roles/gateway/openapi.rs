//! The OpenAPI document of the whole public API.

use utoipa::PartialSchema;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::info::LicenseBuilder;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::schema::ComponentsBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::{Tag, TagBuilder};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder, PathItem, PathsBuilder, Server};

use crate::config::AuthMode;
use crate::platform::auth::permissions::Access;
use crate::platform::endpoint::Endpoint;
use crate::platform::http::openapi::schemas::{Fault, problem_schema};
use crate::platform::http::openapi::{refusal, text};
use crate::platform::http::problem::ProblemType;
use crate::platform::probes::THIS_SERVER;

/// The document of these endpoints and problem types, at this address. Endpoints without a description are left out.
pub fn document(
    endpoints: &[Endpoint],
    problem_types: &[&'static ProblemType],
    mode: AuthMode,
    address: &str,
) -> OpenApi {
    let mut paths = PathsBuilder::new();
    let mut components = ComponentsBuilder::new();
    for endpoint in endpoints {
        let Some(mut operation) = endpoint.operation() else { continue };
        operation = operation.about(endpoint.access.sentence(mode == AuthMode::Open));
        if mode != AuthMode::Open {
            operation = operation.rate_limited();
        }
        if mode != AuthMode::Open || endpoint.access.always_needs_account() {
            operation = match endpoint.access {
                Access::Open | Access::Capability | Access::Service => operation,
                access => operation.bearer_token(access == Access::Invited),
            };
        }
        components = components.schemas_from_iter(std::mem::take(&mut operation.schemas));
        paths = paths.path(endpoint.path, PathItem::new(http_method(endpoint), operation.build()));
    }
    for kind in problem_types {
        components = components.response(kind.slug, refusal(&[kind]));
    }
    let case = text().pattern(Some("^[A-Za-z0-9._~-]{1,64}$"));
    let case = HeaderBuilder::new()
        .schema(Some(case))
        .description(Some("The id of the request. Every log line of the request contains it."));
    let about = "An access token of `/api/auth/login`, or an API key. An API key with `on_behalf` acts for the user whom the \
                 header `On-Behalf-Of` names, by address or id, if that user allows it.";
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(about));
    let header = |about| HeaderBuilder::new().schema(Some(text())).description(Some(about)).build();
    let components = components
        .header("Case-ID", case.build())
        .header("RateLimit", header("The rest of the limit that is nearest, and when it is reset."))
        .header("RateLimit-Policy", header("The limits: requests, and seconds."))
        .security_scheme("bearer", SecurityScheme::Http(bearer.build()))
        .schema("Problem", problem_schema(problem_types))
        .schema("Fault", Fault::schema());
    let about = "Finds when a group can meet, which slot is best, and why. Every response has a `Case-ID`. Unknown fields are \
                 refused. Every path that takes GET also takes HEAD.";
    let info = InfoBuilder::new().title("W2Meet").version(env!("CARGO_PKG_VERSION")).description(Some(about));
    let license = LicenseBuilder::new().name("MIT OR Apache-2.0").identifier(Some("MIT OR Apache-2.0")).build();
    OpenApiBuilder::new()
        .info(info.license(Some(license)).build())
        .servers(Some([Server::new(if address.is_empty() { "/" } else { address })]))
        .tags(Some(tags(endpoints)))
        .paths(paths.build())
        .components(Some(components.build()))
        .build()
}

fn http_method(endpoint: &Endpoint) -> HttpMethod {
    match endpoint.method.as_str() {
        "POST" => HttpMethod::Post,
        "PUT" => HttpMethod::Put,
        "PATCH" => HttpMethod::Patch,
        "DELETE" => HttpMethod::Delete,
        _ => HttpMethod::Get,
    }
}

/// The groups in the order in which endpoints name them; the installation and deprecated paths come last.
fn tags(endpoints: &[Endpoint]) -> Vec<Tag> {
    let is_last =
        |endpoint: &&Endpoint| endpoint.is_deprecated || endpoint.tag.is_some_and(|tag| tag.name == THIS_SERVER.name);
    let (last, first): (Vec<_>, Vec<_>) = endpoints.iter().partition(is_last);
    let mut tags: Vec<Tag> = Vec::new();
    for tag in first.into_iter().chain(last).filter_map(|endpoint| endpoint.tag) {
        if tags.iter().all(|known| known.name != tag.name) {
            tags.push(TagBuilder::new().name(tag.name).description(Some(tag.about)).build());
        }
    }
    tags
}
