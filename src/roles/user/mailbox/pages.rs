//! The pages behind the links in letters about an account. Opening one changes nothing: mail scanners open links.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::platform::email::Email;
use crate::platform::http::html::escaped;
use crate::platform::http::problem::Problem;
use crate::roles::user::page::page;

const VERIFY: &str = "Confirm your address";
const RESET: &str = "Set a new password";

/// Asks for the press of a button.
pub fn verify(email: &Email, token: &str) -> HttpResponse {
    let content = format!(
        "<p>Is {} yours?</p>\n<form method=\"post\">\n<input type=\"hidden\" name=\"token\" value=\"{}\">\n\
         <button class=\"ready\" autofocus>Yes, confirm it</button>\n</form>\n\
         <p>If you have not made an account here, close this page.</p>",
        escaped(email.as_str()),
        escaped(token)
    );
    page(StatusCode::OK, VERIFY, &content)
}

/// The address is confirmed.
pub fn verified(email: &Email) -> HttpResponse {
    let said =
        format!("<p role=\"status\">Thank you, {} is confirmed. You can close this page.</p>", escaped(email.as_str()));
    page(StatusCode::OK, VERIFY, &said)
}

/// Asks for a password; again, if there was something wrong with the first one. The address is there for password managers.
pub fn reset(email: &Email, token: &str, wrong: Option<&Problem>) -> HttpResponse {
    let (status, said, mark) = match wrong {
        None => (StatusCode::OK, String::new(), ""),
        Some(problem) => {
            let faults: Vec<String> = problem.errors.iter().map(|fault| fault.detail.to_string()).collect();
            let why = if faults.is_empty() { problem.detail.to_string() } else { faults.join(", and ") };
            let said = format!("<p role=\"alert\" id=\"wrong\">This password {}.</p>\n", escaped(&why));
            (problem.status(), said, " aria-invalid=\"true\" aria-errormessage=\"wrong\"")
        }
    };
    let content = format!(
        "{said}<form method=\"post\">\n<input type=\"hidden\" name=\"token\" value=\"{token}\">\n\
         <label for=\"email\">Your account</label>\n\
         <input id=\"email\" type=\"email\" value=\"{email}\" autocomplete=\"username\" readonly tabindex=\"-1\">\n\
         <label for=\"password\">New password</label>\n\
         <input id=\"password\" name=\"password\" type=\"password\" autocomplete=\"new-password\" required autofocus \
         aria-describedby=\"rule\"{mark}>\n\
         <p id=\"rule\">At least 15 characters; several words are easy to keep in mind. Spaces count.</p>\n\
         <button class=\"ready\">Set it</button>\n</form>\n<p>You will have to sign in anew on every device.</p>",
        token = escaped(token),
        email = escaped(email.as_str()),
    );
    page(status, RESET, &content)
}

/// The password is set.
pub fn was_reset() -> HttpResponse {
    let said = "<p role=\"status\">Your new password is set. Sign in with it; you can close this page.</p>";
    page(StatusCode::OK, RESET, said)
}

/// Neither of it was possible.
pub fn refused(problem: &Problem) -> HttpResponse {
    let said = format!("<p role=\"alert\">That was not possible: {}.</p>", escaped(&problem.detail));
    page(problem.status(), problem.kind.title, &said)
}
