//! The endpoints of registration, sign-in and sessions.

use serde_json::json;

use super::handlers::*;
use super::store::Account as OwnAccount;
use crate::platform::auth::permissions::Access::{Account, Capability, Open, Service};
use crate::platform::endpoint::{Endpoint, get, post, tagged};
use crate::platform::http::openapi::schemas::Json;
use crate::platform::http::problem::INVALID_TOKEN;
use crate::roles::user::api::ACCOUNTS;
use crate::roles::user::api::openapi::{Refreshing, Registration, SignIn};
use crate::roles::user::api::problems::{REGISTRATION_CLOSED, TOO_MANY_ATTEMPTS, USER_EXISTS, WRONG_PASSWORD};

pub fn endpoints() -> Vec<Endpoint> {
    let mut all = tagged(ACCOUNTS, public());
    all.push(post("/internal/keys/exchange", Service, exchange_key));
    all.push(post("/internal/sessions/check", Service, check_session).read_only());
    all
}

fn public() -> Vec<Endpoint> {
    vec![
        get("/.well-known/jwks.json", Open, find_keys).describe(
            "find_keys",
            "Reads the keys that verify access tokens (RFC 7517).",
            |op| op.answers::<Json>(200, "A JWK set"),
        ),
        post("/api/auth/register", Open, register).describe("register", "Creates an account and signs it in.", |op| {
            let person = json!({
                "email": "mia.lund@example.com", "password": "the train to Lisbon was empty", "name": "Mia Lund",
            });
            op.takes::<Registration>(Some(person))
                .answers::<SignedIn>(201, "The new account")
                .sends("Location", "The path of the user.")
                .refuses(&[USER_EXISTS, REGISTRATION_CLOSED])
        }),
        post("/api/auth/login", Open, login).describe("login", "Signs an account in.", |op| {
            op.takes::<SignIn>(None).answers::<SignedIn>(200, "Signed in").refuses(&[WRONG_PASSWORD, TOO_MANY_ATTEMPTS])
        }),
        post("/api/auth/refresh", Capability, refresh).describe(
            "refresh",
            "Exchanges a refresh token for new tokens. A refresh token can be used once.",
            |op| op.takes::<Refreshing>(None).answers::<Tokens>(200, "The new tokens").refuses(&[INVALID_TOKEN]),
        ),
        post("/api/auth/logout", Capability, logout).describe("logout", "Ends the session of a refresh token.", |op| {
            op.takes::<Refreshing>(None).answer(204, "The session has ended")
        }),
        get("/api/auth/me", Account, me).describe("find_account", "Reads the caller's own account.", |op| {
            op.answers::<OwnAccount>(200, "The account")
        }),
    ]
}
