//! The endpoints of API keys.

use serde_json::json;

use super::handlers::*;
use super::model::{ApiKeys, CreatedApiKey, NewApiKey};
use crate::platform::auth::permissions::Access::Person;
use crate::platform::endpoint::{Endpoint, delete, get, post, tagged};
use crate::platform::http::openapi::schemas::Id;
use crate::platform::http::problem::NOT_FOUND;
use crate::roles::user::api::ACCOUNTS;

pub fn endpoints() -> Vec<Endpoint> {
    let all = vec![
        get("/api/auth/keys", Person, list_keys).describe("list_api_keys", "Lists the account's API keys.", |op| {
            op.answers::<ApiKeys>(200, "All API keys")
        }),
        post("/api/auth/keys", Person, create_key).describe(
            "create_api_key",
            "Creates an API key. Only this response contains the secret.",
            |op| {
                op.takes::<NewApiKey>(Some(json!({ "name": "Calendar bot", "scope": "read" })))
                    .answers::<CreatedApiKey>(201, "The new API key")
                    .sends("Location", "The path of the API key.")
                    .leads_to("revoke_api_key", "id", "$response.body#/id")
            },
        ),
        delete("/api/auth/keys/{id}", Person, revoke_key).describe("revoke_api_key", "Revokes an API key.", |op| {
            op.path::<Id>("id", "The id of the API key.", None).answer(204, "Revoked").refuses(&[NOT_FOUND])
        }),
    ];
    tagged(ACCOUNTS, all)
}
