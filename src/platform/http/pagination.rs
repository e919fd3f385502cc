//! The pages of a list, in the order of creation: `limit` and `cursor` in the query, and the next page in the `Link` header.

use actix_web::HttpResponse;
use actix_web::http::header::LINK;
use serde::Serialize;
use uuid::Uuid;

use crate::platform::http::extract::{Params, parsed};

/// Items of a page, and the most that a request may ask for.
const LIMIT: u64 = 50;
const MAX_LIMIT: u64 = 200;

/// The page that a request asks for.
#[derive(Clone, Copy)]
pub struct PageRequest {
    /// The most items of the page.
    pub limit: u64,
    /// The id of the last item of the page before; `None` for the first page.
    pub after: Option<Uuid>,
}
