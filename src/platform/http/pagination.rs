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

impl PageRequest {
    /// Takes `limit` and `cursor`.
    pub fn read(params: &mut Params) -> PageRequest {
        let limit = params.number("limit", 1..=MAX_LIMIT).unwrap_or(LIMIT);
        let id = |text: &str| Uuid::parse_str(text).map_err(|_| "is invalid: take it from the Link header");
        PageRequest { limit, after: params.optional("cursor", parsed("not_a_cursor", id)) }
    }

    /// The most rows that a query reads for the page.
    pub fn rows(self) -> i64 {
        self.limit.cast_signed()
    }

    /// The cursor of the next page, from the id of the last item; `None` if this page is not full.
    pub fn next_cursor<T>(self, found: &[T], id: impl FnOnce(&T) -> String) -> Option<String> {
        found.last().filter(|_| found.len() as u64 == self.limit).map(id)
    }

    /// The response. `Link` leads to the next page: `list` is the public path, and `filter` the other parameters, each after a `&`.
    pub fn respond(self, next: Option<String>, list: &str, filter: &str, body: impl Serialize) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        if let Some(cursor) = next {
            let link = format!("<{list}?limit={}{filter}&cursor={cursor}>; rel=\"next\"", self.limit);
            response.insert_header((LINK, link));
        }
        response.json(body)
    }
}
