//! The endpoints of an account's webhooks.

use serde_json::json;

use super::handlers::*;
use super::model::{CreatedWebhook, NewWebhook, WebhookView, Webhooks};
use crate::platform::auth::permissions::Access::Owner;
use crate::platform::endpoint::{Endpoint, Tag, delete, get, post, tagged};
use crate::platform::http::openapi::ApiOperation;
use crate::platform::http::openapi::schemas::Id;
use crate::roles::reservation::api::views::Deliveries;
use crate::roles::user::api::of_user;
use crate::roles::user::api::problems::UNVERIFIED;

const WEBHOOKS: Tag =
    Tag { name: "webhooks", about: "Tells a URL of every meeting of an account, and of every reply." };

pub fn endpoints() -> Vec<Endpoint> {
    let all = vec![
        get("/api/users/{user}/webhooks", Owner, list_webhooks).describe(
            "list_webhooks",
            "Lists the account's webhooks.",
            |op| of_user(op).answers::<Webhooks<'_>>(200, "All webhooks"),
        ),
        post("/api/users/{user}/webhooks", Owner, create_webhook).idempotent().describe(
            "create_webhook",
            "Registers a webhook. Only this response contains the secret.",
            |op| {
                of_user(op)
                    .takes::<NewWebhook>(Some(json!({
                        "url": "https://hooks.example.com/w2meet",
                        "events": ["meeting.invited", "participation.declined"],
                    })))
                    .answers::<CreatedWebhook<'_>>(201, "The new webhook")
                    .sends("Location", "The path of the webhook.")
                    .refuses(&[UNVERIFIED])
            },
        ),
        get("/api/users/{user}/webhooks/{id}", Owner, find_webhook).describe(
            "find_webhook",
            "Reads a webhook.",
            |op| of_webhook(op).answers::<WebhookView<'_>>(200, "The webhook"),
        ),
        delete("/api/users/{user}/webhooks/{id}", Owner, delete_webhook).describe(
            "delete_webhook",
            "Deletes a webhook. Events that wait are not sent any more.",
            |op| of_webhook(op).answer(204, "Deleted"),
        ),
        get("/api/users/{user}/webhooks/{id}/deliveries", Owner, list_deliveries).describe(
            "list_webhook_deliveries",
            "Lists every attempt to deliver an event to a webhook.",
            |op| of_webhook(op).answers::<Deliveries<'_>>(200, "All attempts"),
        ),
    ];
    tagged(WEBHOOKS, all)
}

fn of_webhook(op: ApiOperation) -> ApiOperation {
    of_user(op).path::<Id>("id", "The id of the webhook.", None)
}
