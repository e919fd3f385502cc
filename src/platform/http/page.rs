//! The frame of the small pages behind links in e-mails: readable on a phone, usable by keyboard, without any script.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, HeaderMap};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use super::problem::Problem;

const STYLE: &str = include_str!("page.css");

/// Allows this style sheet alone, and forms that post to this site.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
});

/// The page about a problem, for a person who has opened a link. Browsers name HTML among what they accept; API clients do not.
pub fn problem_page(problem: &Problem) -> HttpResponse {
    let content = html! {
        p role="alert" { (sentence(&problem.detail)) }
        p { "If a link in an e-mail has brought you here, open it there again: it may have been cut." }
    };
    page(problem.status(), problem.kind.title, &content)
}

/// Whether a request accepts HTML by name.
pub fn accepts_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let mut kinds = accepted.map(|one| one.split(';').next().unwrap_or_default().trim());
    kinds.any(|kind| kind.eq_ignore_ascii_case("text/html"))
}

/// A detail as a sentence.
fn sentence(detail: &str) -> String {
    let mut chars = detail.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", chars.as_str())
}

/// A whole HTML document, readable on a phone: its title, what else its head has, and its `body` element.
pub fn html_document(title: &str, head: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                (head)
            }
            (body)
        }
    }
}

/// The response with a page.
pub fn page(status: StatusCode, title: &str, content: &Markup) -> HttpResponse {
    let head = html! { style { (PreEscaped(STYLE)) } };
    let body = html! { body { main { h1 dir="auto" { (title) } (content) } } };
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header(("Content-Security-Policy", POLICY.as_str()))
        // the URL contains the key that opens the page
        .insert_header(("Referrer-Policy", "no-referrer"))
        .insert_header(("Cache-Control", "no-store"))
        .body(html_document(title, &head, &body).into_string())
}
