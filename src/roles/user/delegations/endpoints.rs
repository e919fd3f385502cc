//! The endpoints of delegations.

use serde_json::json;

use super::handlers::*;
use super::model::{Delegation, Delegations, NewDelegation};
use crate::platform::auth::permissions::Access::Person;
use crate::platform::endpoint::{Endpoint, delete, get, post, tagged};
use crate::platform::http::openapi::schemas::Id;
use crate::platform::http::problem::{NOT_FOUND, UNKNOWN_USER};
use crate::roles::user::api::ACCOUNTS;

pub fn endpoints() -> Vec<Endpoint> {
    let all = vec![
        get("/api/auth/delegations", Person, list_delegations).describe(
            "list_delegations",
            "Lists the bots that may act on behalf of the account.",
            |op| op.answers::<Delegations>(200, "All delegations"),
        ),
        post("/api/auth/delegations", Person, create_delegation).describe(
            "create_delegation",
            "Lets the API keys of a bot's account act on behalf of the account.",
            |op| {
                op.about(
                    "A key with `on_behalf` sends the header `On-Behalf-Of` with the address or the id of the user.",
                )
                .takes::<NewDelegation>(Some(json!({ "actor": "bot@example.com" })))
                .answers::<Delegation>(201, "The delegation")
                .sends("Location", "The path of the delegation.")
                .leads_to("delete_delegation", "id", "$response.body#/id")
                .refuses(&[UNKNOWN_USER])
            },
        ),
        delete("/api/auth/delegations/{id}", Person, delete_delegation).describe(
            "delete_delegation",
            "Takes a delegation back, at once.",
            |op| op.path::<Id>("id", "The id of the delegation.", None).answer(204, "Taken back").refuses(&[NOT_FOUND]),
        ),
    ];
    tagged(ACCOUNTS, all)
}
