//! The pages behind the links in e-mails about an account. Opening a page changes nothing: mail scanners open links.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use maud::html;

use crate::platform::email::Email;
use crate::platform::http::page::page;
use crate::platform::http::problem::Problem;
use crate::roles::user::api::account_mail::Purpose;

/// What the form behind a link shows.
pub struct LinkForm<'a> {
    pub purpose: Purpose,
    pub email: &'a Email,
    pub code: &'a str,
    /// Whether the address was registered with a password, and not proven yet.
    pub is_registered: bool,
    /// The problem of the last attempt.
    pub wrong: Option<&'a Problem>,
}

/// Asks the owner of the address for a password. The address is there for password managers.
pub fn form(&LinkForm { purpose, email, code, is_registered, wrong }: &LinkForm<'_>) -> HttpResponse {
    let reason = wrong.map(|problem| {
        let faults: Vec<String> = problem.errors.iter().map(|fault| fault.detail.to_string()).collect();
        if faults.is_empty() { problem.detail.to_string() } else { faults.join(", and ") }
    });
    let is_first = purpose == Purpose::VerifyMailbox;
    let content = html! {
        @if let Some(reason) = &reason {
            p #wrong role="alert" { "This password " (reason) "." }
        }
        @if is_first {
            p { "Is " (email) " yours? Then set the password of the account: the one that you have chosen, or another one." }
        }
        @if is_registered {
            p {
                "Your name, week and calendars stay only with the password that was chosen at registration. With another one, the \
                 account starts empty."
            }
        }
        form method="post" {
            input type="hidden" name="token" value=(code);
            label for="email" { "Your account" }
            input #email type="email" value=(email) autocomplete="username" readonly tabindex="-1";
            label for="password" { @if is_first { "Password" } @else { "New password" } }
            input #password name="password" type="password" autocomplete="new-password" required autofocus
                aria-describedby="rule" aria-invalid=[reason.as_ref().map(|_| "true")]
                aria-errormessage=[reason.as_ref().map(|_| "wrong")];
            p #rule { "At least 15 characters. Several words are easy to remember. Spaces count." }
            button.ready { @if is_first { "Yes, confirm it" } @else { "Set it" } }
        }
        p { "You must sign in again on every device." }
        @if is_first { p { "If you have not created an account here, close this page." } }
    };
    page(wrong.map_or(StatusCode::OK, Problem::status), title(purpose), &content)
}

/// Says that the address is confirmed, or the password is set.
pub fn success(purpose: Purpose, email: &Email) -> HttpResponse {
    let content = html! {
        p role="status" {
            @if purpose == Purpose::VerifyMailbox { "Thank you, " (email) " is confirmed" } @else { "Your new password is set" }
            ". Sign in with your password. You can close this page."
        }
    };
    page(StatusCode::OK, title(purpose), &content)
}

fn title(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::VerifyMailbox => "Confirm your address",
        Purpose::ResetPassword => "Set a new password",
    }
}

/// Says why the link does not work.
pub fn refused(problem: &Problem) -> HttpResponse {
    let content = html! { p role="alert" { "That was not possible: " (problem.detail) "." } };
    page(problem.status(), problem.kind.title, &content)
}
