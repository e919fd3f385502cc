//! What is to be published: written in the transaction of the fact itself, so that neither is there without the other.

use diesel::prelude::*;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::api;
use super::api::jobs::JobMessage;
use super::schema::outbox;
use crate::platform::data::{Connection, Error, RunQueryDsl};
use crate::platform::queue::event::Event;
use crate::platform::request_context::RequestContext;

/// One message to be.
#[derive(Clone, Debug, Queryable, QueryableByName, Selectable, Insertable)]
#[diesel(table_name = outbox)]
pub struct Row {
    pub id: String,
    /// Messages of one aggregate are published in the order of their positions.
    pub aggregate: String,
    pub position: i64,
    pub routing_key: String,
    /// Set for a job, which goes to one worker; an event goes to all who listen.
    pub job_id: Option<String>,
    pub case_id: String,
    pub traceparent: String,
    pub body: String,
}

impl Row {
    /// An event: what happened to a subject, at this version.
    pub fn event(kind: &str, what: &str, id: Uuid, version: i64, case_id: &str, now: Timestamp, data: Value) -> Row {
        let event_id = Uuid::now_v7().to_string();
        let (name, subject) = (format!("{kind}.{what}"), format!("{kind}/{id}"));
        let traceparent = RequestContext::current_trace();
        let event = Event::new(api::ROLE, event_id.clone(), &name, subject.clone(), now, data).traced(&traceparent);
        Row {
            id: event_id,
            aggregate: subject,
            position: version,
            routing_key: name,
            job_id: None,
            case_id: case_id.to_owned(),
            traceparent,
            body: event.text(),
        }
    }

    /// A job to be done, which was published so often before. `origin`: the case and the trace that it goes back to.
    pub fn job(id: Uuid, kind: &str, origin: (&str, &str), sent: i32, now: Timestamp) -> Row {
        let message_id = Uuid::now_v7().to_string();
        let (name, subject) = (format!("job.{kind}"), format!("job/{id}"));
        let data = json!(JobMessage { job_id: id, owner: api::ROLE.to_owned() });
        let (case_id, traceparent) = origin;
        let event = Event::new(api::ROLE, message_id.clone(), &name, subject.clone(), now, data).traced(traceparent);
        Row {
            id: message_id,
            aggregate: subject,
            position: i64::from(sent),
            routing_key: name,
            job_id: Some(id.to_string()),
            case_id: case_id.to_owned(),
            traceparent: traceparent.to_owned(),
            body: event.text(),
        }
    }
}

/// Puts messages into the outbox, in the transaction of what they tell of.
///
/// # Errors
/// A database that does not answer.
pub async fn enqueue(conn: &mut Connection, rows: &[Row]) -> Result<(), Error> {
    for row in rows {
        diesel::insert_into(outbox::table).values(row).execute(conn).await?;
    }
    Ok(())
}
