//! An endpoint: one method of one path, written down once in its role. The role's router, the gateway's routes, the access check
//! on both sides, the retry policy and the OpenAPI document are made from this row.

use std::sync::Arc;

use actix_web::guard::{GuardContext, fn_guard};
use actix_web::http::Method;
use actix_web::web::{self, PayloadConfig, ServiceConfig};
use actix_web::{FromRequest, Handler, Responder, Route};

use crate::config::Limits;
use crate::platform::auth::permissions::{Access, Table};
use crate::platform::http::openapi::ApiOperation;
use crate::platform::observe::metrics::resource;

/// When a POST may be sent to a second replica although the first may have processed it. GET always may; other methods never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryPolicy {
    /// Never.
    Never,
    /// With an Idempotency-Key: the role stores its response under the key.
    Keyed,
    /// Always: the request changes nothing.
    Always,
}

/// A group of operations in the OpenAPI document.
#[derive(Clone, Copy, Debug)]
pub struct Tag {
    /// Its name.
    pub name: &'static str,
    /// What its operations are for.
    pub about: &'static str,
}

/// The OpenAPI description of an endpoint.
#[derive(Clone, Copy)]
struct Description {
    id: &'static str,
    summary: &'static str,
    complete: fn(ApiOperation) -> ApiOperation,
}

type MakeRoute = Arc<dyn Fn() -> Route + Send + Sync>;

/// One row of a role's table of endpoints.
#[derive(Clone)]
pub struct Endpoint {
    /// The HTTP method.
    pub method: Method,
    /// The public path. `{x}` is one segment. A path that is not under `/api/` or `/.well-known/` is for other roles only.
    pub path: &'static str,
    /// Who may call it.
    pub access: Access,
    /// The largest body in bytes.
    pub body_limit: fn(&Limits) -> usize,
    /// When a POST may be sent again.
    pub retry: RetryPolicy,
    /// Whether a POST changes nothing, so that a read-only API key may send it.
    pub is_read_only: bool,
    /// Whether clients should use another endpoint.
    pub is_deprecated: bool,
    /// Its group in the OpenAPI document.
    pub tag: Option<Tag>,
    description: Option<Description>,
    /// The first route whose guard accepts the request answers it.
    routes: Vec<MakeRoute>,
}

macro_rules! constructors {
    ($($(#[$about:meta])+ $name:ident $method:ident)+) => {
        $(
            $(#[$about])+
            pub fn $name<F, Args>(path: &'static str, access: Access, handler: F) -> Endpoint
            where
                F: Handler<Args, Output: Responder + 'static> + Send + Sync,
                Args: FromRequest + 'static,
            {
                Endpoint::new(Method::$method, path, access, handler)
            }
        )+
    };
}

constructors! {
    /// An endpoint for `GET`, and so for `HEAD`.
    get GET
    /// An endpoint for `POST`.
    post POST
    /// An endpoint for `PUT`.
    put PUT
    /// An endpoint for `PATCH`.
    patch PATCH
    /// An endpoint for `DELETE`.
    delete DELETE
}

impl Endpoint {
    fn new<F, Args>(method: Method, path: &'static str, access: Access, handler: F) -> Endpoint
    where
        F: Handler<Args, Output: Responder + 'static> + Send + Sync,
        Args: FromRequest + 'static,
    {
        let route_method = method.clone();
        let make_route: MakeRoute = Arc::new(move || web::method(route_method.clone()).to(handler.clone()));
        Endpoint {
            method,
            path,
            access,
            body_limit: |limits| limits.body,
            retry: RetryPolicy::Never,
            is_read_only: false,
            is_deprecated: false,
            tag: None,
            description: None,
            routes: vec![make_route],
        }
    }

    /// Requests that `accepts` recognizes go to this handler instead.
    pub fn or_when<F, Args>(mut self, accepts: fn(&GuardContext) -> bool, handler: F) -> Endpoint
    where
        F: Handler<Args, Output: Responder + 'static> + Send + Sync,
        Args: FromRequest + 'static,
    {
        let method = self.method.clone();
        let make_route = move || web::method(method.clone()).guard(fn_guard(accepts)).to(handler.clone());
        self.routes.insert(0, Arc::new(make_route));
        self
    }

    /// With another limit of the body.
    pub fn body_limit(self, body_limit: fn(&Limits) -> usize) -> Endpoint {
        Endpoint { body_limit, ..self }
    }

    /// A POST whose response is stored under the client's Idempotency-Key.
    pub fn idempotent(self) -> Endpoint {
        Endpoint { retry: RetryPolicy::Keyed, ..self }
    }

    /// A POST that changes nothing.
    pub fn read_only(self) -> Endpoint {
        Endpoint { retry: RetryPolicy::Always, is_read_only: true, ..self }
    }

    /// A POST that only reads unless its body says otherwise: the handler checks that. Its response is stored like that of an
    /// idempotent one.
    pub fn mostly_read_only(self) -> Endpoint {
        Endpoint { is_read_only: true, ..self.idempotent() }
    }

    /// Kept for old clients.
    pub fn deprecated(self) -> Endpoint {
        Endpoint { is_deprecated: true, ..self }
    }

    /// Adds the OpenAPI description: the operation's id, a sentence, and what `complete` adds.
    pub fn describe(
        self,
        id: &'static str,
        summary: &'static str,
        complete: fn(ApiOperation) -> ApiOperation,
    ) -> Endpoint {
        Endpoint { description: Some(Description { id, summary, complete }), ..self }
    }

    /// Whether clients can call it through the gateway.
    pub fn is_public(&self) -> bool {
        ["/api/", "/.well-known/"].iter().any(|prefix| self.path.starts_with(prefix))
    }

    /// The path at a role behind the gateway.
    pub fn inner_path(&self) -> &'static str {
        match self.is_public() {
            true => self.path.strip_prefix("/api").unwrap_or(self.path),
            false => self.path,
        }
    }

    /// The OpenAPI operation; none without a description.
    pub fn operation(&self) -> Option<ApiOperation> {
        let Description { id, summary, complete } = self.description?;
        let mut operation = complete(ApiOperation::new(id, summary)).tagged(self.tag.map_or("", |tag| tag.name));
        if self.retry == RetryPolicy::Keyed {
            operation = operation.idempotent();
        }
        Some(if self.is_deprecated { operation.deprecated() } else { operation })
    }
}

/// The table of the access check. Where sign-in is optional, it has only the endpoints that need an account anyway.
pub fn permission_table(endpoints: &[Endpoint], path: fn(&Endpoint) -> &'static str, is_open: bool) -> Table {
    let mut table = Table::default();
    for endpoint in endpoints.iter().filter(|endpoint| !is_open || endpoint.access.always_needs_account()) {
        table.add(endpoint.method.as_str(), path(endpoint), endpoint.access, endpoint.is_read_only);
    }
    table
}

/// Puts endpoints into a group of the OpenAPI document.
pub fn tagged(tag: Tag, endpoints: Vec<Endpoint>) -> Vec<Endpoint> {
    endpoints.into_iter().map(|endpoint| Endpoint { tag: Some(tag), ..endpoint }).collect()
}

/// The endpoints of each path, in the order in which the paths first appear.
pub fn group_by_path(endpoints: &[Endpoint]) -> Vec<Vec<&Endpoint>> {
    let mut groups: Vec<Vec<&Endpoint>> = Vec::new();
    for endpoint in endpoints {
        match groups.iter_mut().find(|group| group[0].path == endpoint.path) {
            Some(group) => group.push(endpoint),
            None => groups.push(vec![endpoint]),
        }
    }
    groups
}

/// The largest body that any of these endpoints takes. The router knows one limit for each path.
pub fn largest_body(endpoints: &[&Endpoint], limits: &Limits) -> usize {
    endpoints.iter().map(|endpoint| (endpoint.body_limit)(limits)).max().unwrap_or(limits.body)
}

/// Registers the routes of endpoints. Other methods of their paths are answered with 405.
pub fn register(
    config: &mut ServiceConfig,
    endpoints: &[Endpoint],
    path: fn(&Endpoint) -> &'static str,
    limits: &Limits,
) {
    for group in group_by_path(endpoints) {
        let limit = PayloadConfig::new(largest_body(&group, limits));
        let routes = group.iter().flat_map(|endpoint| &endpoint.routes);
        let one = resource(path(group[0])).app_data(limit);
        config.service(routes.fold(one, |one, make_route| one.route(make_route())));
    }
}
