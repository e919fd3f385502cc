//! HTTP for every role: reading requests, errors, and the parts of responses.

pub mod body;
pub mod client_address;
pub mod extract;
pub mod headers;
pub mod health;
pub mod idempotency;
pub mod json;
pub mod json_members;
pub mod merge_patch;
pub mod openapi;
pub mod page;
pub mod pagination;
pub mod params;
pub mod path;
pub mod preconditions;
pub mod problem;
pub mod stream;
pub mod window;

use actix_web::HttpResponse;

/// The result of a handler.
pub type HttpResult = Result<HttpResponse, problem::Problem>;
