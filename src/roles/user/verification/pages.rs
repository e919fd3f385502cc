//! The pages behind the links in e-mails about an account. Opening a page changes nothing: mail scanners open links.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use maud::html;

use crate::platform::email::Email;
use crate::platform::http::page::page;
use crate::platform::http::problem::Problem;

const VERIFY: &str = "Confirm your address";
const RESET: &str = "Set a new password";

/// Asks the owner of the address to confirm it.
pub fn verify(email: &Email, token: &str) -> HttpResponse {
    let content = html! {
        p { "Is " (email) " yours?" }
        form method="post" {
            input type="hidden" name="token" value=(token);
            button.ready autofocus { "Yes, confirm it" }
        }
        p { "If you have not created an account here, close this page." }
    };
    page(StatusCode::OK, VERIFY, &content)
}

/// Says that the address is confirmed.
pub fn verified(email: &Email) -> HttpResponse {
    let content = html! { p role="status" { "Thank you, " (email) " is confirmed. You can close this page." } };
    page(StatusCode::OK, VERIFY, &content)
}

/// Asks for a new password; `wrong` is the problem of the last attempt. The address is there for password managers.
pub fn reset(email: &Email, token: &str, wrong: Option<&Problem>) -> HttpResponse {
    let reason = wrong.map(|problem| {
        let faults: Vec<String> = problem.errors.iter().map(|fault| fault.detail.to_string()).collect();
        if faults.is_empty() { problem.detail.to_string() } else { faults.join(", and ") }
    });
    let content = html! {
        @if let Some(reason) = &reason {
            p #wrong role="alert" { "This password " (reason) "." }
        }
        form method="post" {
            input type="hidden" name="token" value=(token);
            label for="email" { "Your account" }
            input #email type="email" value=(email) autocomplete="username" readonly tabindex="-1";
            label for="password" { "New password" }
            input #password name="password" type="password" autocomplete="new-password" required autofocus
                aria-describedby="rule" aria-invalid=[reason.as_ref().map(|_| "true")]
                aria-errormessage=[reason.as_ref().map(|_| "wrong")];
            p #rule { "At least 15 characters. Several words are easy to remember. Spaces count." }
            button.ready { "Set it" }
        }
        p { "You must sign in again on every device." }
    };
    page(wrong.map_or(StatusCode::OK, Problem::status), RESET, &content)
}

/// Says that the password is set.
pub fn was_reset() -> HttpResponse {
    let content = html! {
        p role="status" { "Your new password is set. Sign in with it. You can close this page." }
    };
    page(StatusCode::OK, RESET, &content)
}

/// Says why the link does not work.
pub fn refused(problem: &Problem) -> HttpResponse {
    let content = html! { p role="alert" { "That was not possible: " (problem.detail) "." } };
    page(problem.status(), problem.kind.title, &content)
}
