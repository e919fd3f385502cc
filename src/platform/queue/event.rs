//! The messages: events and job messages, as CloudEvents 1.0 in structured JSON mode.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

const SPEC: &str = "1.0";
const TYPES: &str = "dev.w2meet.";

/// One event (CloudEvents 1.0, section 3.1).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    specversion: String,
    /// The unique id; a subscriber ignores an event whose id it has seen.
    pub id: String,
    source: String,
    r#type: String,
    /// The subject, such as `meeting/0198…`.
    pub subject: String,
    /// The time of the event.
    pub time: Timestamp,
    datacontenttype: String,
    /// The span that caused the event (the extension for distributed tracing).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub traceparent: String,
    /// The data.
    pub data: Value,
}

impl Event {
    /// An event of `role`; `name` is the routing key, such as `meeting.suggested`.
    pub fn new(role: &str, id: String, name: &str, subject: String, time: Timestamp, data: Value) -> Event {
        Event {
            specversion: SPEC.to_owned(),
            id,
            source: format!("/w2meet/{role}"),
            r#type: format!("{TYPES}{name}"),
            subject,
            time,
            datacontenttype: "application/json".to_owned(),
            traceparent: String::new(),
            data,
        }
    }

    /// The event as part of this trace.
    pub fn traced(mut self, traceparent: &str) -> Event {
        traceparent.clone_into(&mut self.traceparent);
        self
    }

    /// The type without the prefix of this product.
    pub fn name(&self) -> &str {
        self.r#type.strip_prefix(TYPES).unwrap_or(&self.r#type)
    }

    /// The JSON text.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
