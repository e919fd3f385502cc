//! The transactional outbox: a message is written in the transaction of what it tells of, so that neither exists without the other.

use diesel::prelude::*;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::instant::now;
use super::schema::outbox;
use crate::platform::queue::event::Event;
use crate::platform::request_context::RequestContext;

/// A message that is to be published.
#[derive(Clone, Debug, Queryable, QueryableByName, Selectable, Insertable)]
#[diesel(table_name = outbox, treat_none_as_default_value = false)]
pub struct OutboxRow {
    /// The id of the message, and of its event.
    pub id: String,
    /// Messages of one aggregate are published in the order of their positions.
    pub aggregate: String,
    /// See [`OutboxRow::aggregate`].
    pub position: i64,
    /// Where it goes.
    pub routing_key: String,
    /// Set for a job, which goes to one worker; an event goes to every subscriber.
    pub job_id: Option<String>,
    /// The request that it goes back to.
    pub case_id: String,
    /// The span that it goes back to.
    pub traceparent: String,
    /// The CloudEvent.
    pub body: String,
}

/// What an event is about: a subject at a version.
pub struct EventSubject<'a> {
    /// What it is, such as `meeting`.
    pub kind: &'a str,
    /// Which one.
    pub id: Uuid,
    /// Its version, which orders its events.
    pub version: i64,
}

impl OutboxRow {
    /// An event of the role `source` that the current request has caused, such as `meeting.suggested`.
    pub fn event(source: &str, about: &EventSubject<'_>, what: &str, data: Value) -> OutboxRow {
        let id = Uuid::now_v7().to_string();
        let (name, subject) = (format!("{}.{what}", about.kind), format!("{}/{}", about.kind, about.id));
        let traceparent = RequestContext::current_trace();
        let event = Event::new(source, id.clone(), &name, subject.clone(), now(), data).traced(&traceparent);
        OutboxRow {
            id,
            aggregate: subject,
            position: about.version,
            routing_key: name,
            job_id: None,
            case_id: RequestContext::current_id(),
            traceparent,
            body: event.text(),
        }
    }

    /// A job of the role `source`, which was published so often before. `origin`: the request and the span that it goes back to.
    pub fn job(source: &str, id: Uuid, kind: &str, origin: (&str, &str), sent: i32, now: Timestamp) -> OutboxRow {
        let message_id = Uuid::now_v7().to_string();
        let (name, subject) = (format!("job.{kind}"), format!("job/{id}"));
        let data = json!({ "job_id": id, "owner": source });
        let (case_id, traceparent) = origin;
        let event = Event::new(source, message_id.clone(), &name, subject.clone(), now, data).traced(traceparent);
        OutboxRow {
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
