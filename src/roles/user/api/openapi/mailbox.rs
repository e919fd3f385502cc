//! Mailboxes, passwords and keys: what an account has besides a session.

use jiff::Timestamp;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::platform::email::Email;
use crate::platform::http::openapi::schemas::{Id, Json, Text};
use crate::platform::http::openapi::{ApiOperation, delete, get, post, put};
use crate::platform::http::problem::{
    LINK_VOID, NOT_FOUND, TOO_MANY_ATTEMPTS, TOO_MANY_LETTERS, UNAVAILABLE, UNKNOWN_USER, VALIDATION, WRONG_PASSWORD,
};

/// What came with a letter.
#[derive(IntoParams)]
pub struct Link {
    /// The code in the link.
    #[param(pattern = "^[0-9a-f]{1,200}$")]
    pub token: String,
}

/// A code out of a letter.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    #[schema(pattern = "^[0-9a-f]{1,200}$")]
    token: String,
}

/// Whose password was forgotten.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Forgotten {
    email: Email,
}

/// A code out of a letter, and what it is for.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    #[schema(pattern = "^[0-9a-f]{1,200}$")]
    token: String,
    /// Nothing that is easy to guess; at most 1024 bytes.
    #[schema(format = Password, min_length = 15, max_length = 1024)]
    password: String,
}

/// Another password.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    #[schema(format = Password, max_length = 1024)]
    current_password: String,
    /// Nothing that is easy to guess; at most 1024 bytes.
    #[schema(format = Password, min_length = 15, max_length = 1024)]
    password: String,
}

/// That a letter is on its way, or would be.
#[derive(ToSchema)]
pub struct Promise {
    detail: String,
}

/// What a key may do.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum KeyScope {
    /// Ask.
    Read,
    /// What a user may.
    Write,
    /// What an admin may.
    Admin,
}

/// A key to be made.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// What its owner calls it; on one line.
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    name: String,
    /// `read` if left out; `admin` only by admins.
    scope: Option<KeyScope>,
    /// In the future; never if left out.
    #[schema(format = "future-date-time")]
    expires_at: Option<String>,
}

/// A key without its secret.
#[derive(ToSchema)]
pub struct ApiKey {
    id: Uuid,
    name: String,
    /// What it begins with.
    prefix: String,
    scope: KeyScope,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    /// Right to the hour.
    last_used_at: Option<Timestamp>,
}

/// A key as it is shown once.
#[derive(ToSchema)]
pub struct MadeApiKey {
    #[serde(flatten)]
    shown: ApiKey,
    /// The whole of it.
    key: String,
}

/// The keys of an account, the oldest first.
#[derive(ToSchema)]
pub struct ApiKeys {
    keys: Vec<ApiKey>,
}

/// A page with a form that posts the code back.
fn page(path: &'static str, id: &'static str, summary: &'static str) -> ApiOperation {
    get(path, id, summary).query::<Link>().answers_as::<Text>(200, "text/html", "The page").answers_as::<Text>(
        410,
        "text/html",
        "A page that says that the link does not work any more",
    )
}

pub fn paths() -> Vec<ApiOperation> {
    mailboxes().into_iter().chain(keys()).collect()
}

fn mailboxes() -> Vec<ApiOperation> {
    vec![
        post("/api/auth/verification", "send_verification", "Sends the letter that verifies the mailbox once more.")
            .answers::<Promise>(202, "It is on its way, or not needed")
            .refuses(&[TOO_MANY_LETTERS]),
        page("/api/auth/verify", "ask_verification", "Shows the page behind the link of that letter."),
        post("/api/auth/verify", "verify_mailbox", "Shows that the account's mailbox is read by its owner.")
            .takes::<Verification>(None)
            .takes_as::<Verification>("application/x-www-form-urlencoded", None)
            .answer(204, "It is verified")
            .answers_as::<Text>(200, "text/html", "To a form, the page")
            .shows(&[LINK_VOID]),
        put(
            "/api/auth/password",
            "change_password",
            "Sets another password, by the old one; every other session ends.",
        )
        .takes::<PasswordChange>(None)
        .answer(204, "It is set")
        .refuses(&[WRONG_PASSWORD, TOO_MANY_ATTEMPTS]),
        post("/api/auth/password/forgot", "forget_password", "Has a letter sent that sets another password.")
            .about("The same answer whether or not there is such an account.")
            .takes::<Forgotten>(Some(json!({ "email": "ana@example.com" })))
            .answers::<Promise>(202, "It is on its way, if there is such an account"),
        page("/api/auth/password/reset", "ask_password", "Shows the page behind the link of that letter."),
        post("/api/auth/password/reset", "reset_password", "Sets a password by a letter; every session ends.")
            .takes::<Reset>(None)
            .takes_as::<Reset>("application/x-www-form-urlencoded", None)
            .answer(204, "It is set")
            .answers_as::<Text>(200, "text/html", "To a form, the page")
            .shows(&[LINK_VOID, VALIDATION, UNAVAILABLE]),
        get("/api/auth/export", "export_account", "Reads all that is kept of the account.")
            .answers::<Json>(200, "One document")
            .sends("Content-Disposition", "The name of a file.")
            .refuses(&[UNKNOWN_USER]),
    ]
}

fn keys() -> Vec<ApiOperation> {
    vec![
        get("/api/auth/keys", "list_api_keys", "Lists the account's API keys.").answers::<ApiKeys>(200, "All of them"),
        post("/api/auth/keys", "create_api_key", "Makes an API key. It is shown here, and nowhere else.")
            .takes::<NewApiKey>(Some(json!({ "name": "Calendar bot", "scope": "read" })))
            .answers::<MadeApiKey>(201, "Made")
            .sends("Location", "The path of the key.")
            .leads_to("revoke_api_key", "id", "$response.body#/id"),
        delete("/api/auth/keys/{id}", "revoke_api_key", "Takes an API key back.")
            .path::<Id>("id", "Which.", None)
            .answer(204, "It is worth nothing")
            .refuses(&[NOT_FOUND]),
    ]
}
