//! The endpoints of e-mail verification and passwords.

use serde_json::json;
use utoipa::ToSchema;

use super::handlers::*;
use crate::platform::auth::permissions::Access::{Capability, Open, Person};
use crate::platform::endpoint::{Endpoint, get, post, put, tagged};
use crate::platform::http::openapi::ApiOperation;
use crate::platform::http::openapi::schemas::Text;
use crate::platform::http::problem::{UNAVAILABLE, VALIDATION};
use crate::roles::user::api::ACCOUNTS;
use crate::roles::user::api::openapi::{Forgotten, Link, PasswordChange, Reset, Verification};
use crate::roles::user::api::problems::{LINK_VOID, TOO_MANY_ATTEMPTS, TOO_MANY_LETTERS, WRONG_PASSWORD};

const STARTS_EMPTY: &str = "The first proof of a mailbox keeps name, week and calendars only with the password of registration; with another one, the \
     account starts empty.";

pub fn endpoints() -> Vec<Endpoint> {
    tagged(ACCOUNTS, [verification(), passwords()].concat())
}

/// A page with a form that posts the code back.
fn page(op: ApiOperation) -> ApiOperation {
    op.query::<Link>().answers_as::<Text>(200, "text/html", "The page").answers_as::<Text>(
        410,
        "text/html",
        "A page that says that the link is no longer valid",
    )
}

/// JSON, or a form whose client gets a page.
fn takes_form<T: ToSchema>(op: ApiOperation) -> ApiOperation {
    let op = op.takes::<T>(None).takes_as::<T>("application/x-www-form-urlencoded", None);
    op.answers_as::<Text>(200, "text/html", "The page for a client that has sent a form")
}

fn verification() -> Vec<Endpoint> {
    vec![
        post("/api/auth/verification", Person, send_verification).describe(
            "send_verification",
            "Sends the verification e-mail again.",
            |op| op.answers::<Promise>(202, "It will be sent, or is not needed").refuses(&[TOO_MANY_LETTERS]),
        ),
        get("/api/auth/verify", Capability, verify_page).describe(
            "ask_verification",
            "Shows the page behind the link of the verification e-mail.",
            page,
        ),
        post("/api/auth/verify", Capability, verify).describe(
            "verify_mailbox",
            "Verifies the mailbox of an account by the code of the e-mail, and sets the password. Sessions and API keys end.",
            |op| {
                takes_form::<Verification>(op.about(STARTS_EMPTY)).answer(204, "The mailbox is verified").shows(&[
                    LINK_VOID,
                    VALIDATION,
                    UNAVAILABLE,
                ])
            },
        ),
    ]
}

fn passwords() -> Vec<Endpoint> {
    vec![
        put("/api/auth/password", Person, change_password).describe(
            "change_password",
            "Changes the password. All other sessions end.",
            |op| {
                op.takes::<PasswordChange>(None)
                    .answer(204, "The password is changed")
                    .refuses(&[WRONG_PASSWORD, TOO_MANY_ATTEMPTS])
            },
        ),
        post("/api/auth/password/forgot", Open, forgot_password).describe(
            "forget_password",
            "Sends an e-mail with a link that sets a new password.",
            |op| {
                op.about("The response is the same whether or not the account exists.")
                    .takes::<Forgotten>(Some(json!({ "email": "ana@example.com" })))
                    .answers::<Promise>(202, "It will be sent if the account exists")
            },
        ),
        get("/api/auth/password/reset", Capability, reset_page).describe(
            "ask_password",
            "Shows the page behind the link of the password e-mail.",
            page,
        ),
        post("/api/auth/password/reset", Capability, reset_password).describe(
            "reset_password",
            "Sets a new password by the code of the e-mail. All sessions end.",
            |op| {
                takes_form::<Reset>(op.about(STARTS_EMPTY)).answer(204, "The password is changed").shows(&[
                    LINK_VOID,
                    VALIDATION,
                    UNAVAILABLE,
                ])
            },
        ),
    ]
}
