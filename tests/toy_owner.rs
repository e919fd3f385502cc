//! A toy owner: all that a role with tables of its own costs. It stores toys, announces each to a webhook, and forgets those of a deleted user.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use serde_json::json;
use uuid::Uuid;
use w2meet::platform::data::{Abort, Connection, DataOwner, EventSubject, OutboxRow, Owner, RunQueryDsl};
use w2meet::platform::endpoint::{Endpoint, post};
use w2meet::platform::http::extract::JsonBody;
use w2meet::platform::http::idempotency::{IdempotencyKey, StoredResponse};
use w2meet::platform::http::problem::{BAD_REQUEST, Problem};
use w2meet::platform::jobs::{self, JobKind, JobOwner, NewJob, create_job};
use w2meet::platform::owner_service::owner_service;
use w2meet::platform::queue::event::Event;
use w2meet::platform::request_context::RequestContext;
use w2meet::platform::role::Role;
use w2meet::platform::subscriptions::Subscriber;

pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("tests/toy_owner");
pub const ROLE: Role = Role {
    name: "toy",
    migrations: Some(|| MIGRATIONS),
    subscribes: &["user.deleted"],
    calls: &[],
    endpoints,
    open: |context| owner_service(context, Toys(Owner::open(&context.settings, "toy")?), |_| (), async {}),
    ..w2meet::roles::worker::ROLE
};
const ANNOUNCE: JobKind = JobKind::new("deliver_webhook");
diesel::table! { toys (id) { id -> Text, email -> Text } }

#[derive(serde::Deserialize, utoipa::ToSchema)]
pub struct Toy {
    email: String,
    webhook: String,
}

#[derive(Clone)]
struct Toys(Owner);

fn endpoints() -> Vec<Endpoint> {
    let create = post("/api/toys", w2meet::platform::auth::permissions::Access::Open, create).idempotent();
    let create = create.describe("create_toy", "Creates a toy.", |op| op.takes::<Toy>(None).answer(201, "Created"));
    jobs::endpoints::<Toys>().into_iter().chain([create]).collect()
}

async fn create(req: HttpRequest, own: Data<Toys>, JsonBody(body): JsonBody) -> Result<HttpResponse, Problem> {
    let (key, id, case) = (IdempotencyKey::read(&req, None, &body)?, Uuid::now_v7(), RequestContext::current_id());
    let toy: Toy = serde_json::from_value(body).map_err(|why| Problem::new(BAD_REQUEST, why.to_string()))?;
    let response = StoredResponse::new(201, &[("location", format!("/api/toys/{id}"))], &json!({ "id": id }));
    let work = async |conn: &mut Connection| {
        let row = (toys::id.eq(id.to_string()), toys::email.eq(&toy.email));
        diesel::insert_into(toys::table).values(row).execute(conn).await?;
        conn.enqueue(OutboxRow::event("toy", &EventSubject { kind: "toy", id, version: 1 }, "created", json!({})));
        let secret = w2meet::platform::outbound::Secret::generate().expose();
        let payload = json!({ "url": toy.webhook, "id": id.to_string(), "body": "{}", "secret": secret });
        Ok(create_job(conn, &own.0, &NewJob::new(&ANNOUNCE, payload), id, &case).await?)
    };
    Ok(own.0.write_once(key.as_ref(), response, work).await?.respond())
}

impl DataOwner for Toys {
    fn owner(&self) -> &Owner {
        &self.0
    }
}

impl JobOwner for Toys {
    type Subject = ();
    const KINDS: &'static [JobKind] = &[ANNOUNCE];
}

impl Subscriber for Toys {
    async fn receive(&self, conn: &mut Connection, event: &Event) -> Result<(), Abort> {
        let theirs = toys::table.filter(toys::email.eq(event.data["email"].as_str().unwrap_or_default()));
        Ok(diesel::delete(theirs).execute(conn).await.map(|_| ())?)
    }
}
