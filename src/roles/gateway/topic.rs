//! What a live stream is about, and the states that it sends.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::handlers::Peers;
use crate::platform::http::problem::Problem;
use crate::platform::rpc::request::RpcRequest;

/// What a stream is about. The endpoint of the stream says it, so that the streams know no type of subject.
#[derive(Clone, Debug)]
pub struct Topic {
    /// `<type>/<id>`, as in events.
    pub subject: String,
    /// The role that knows the subject.
    pub role: &'static str,
    /// The path of the present state at that role, for the gateway itself.
    pub path: String,
    /// Removes what not everybody who may read the subject may see: all its streams send the same text.
    pub redact: fn(&mut Value),
    /// The addresses of those who may read a state. A stream of another account ends with the change that takes it out.
    pub readers: fn(&Value) -> Vec<String>,
}

impl Topic {
    /// Reads the present state from `path`, which decides about the rights of the caller.
    ///
    /// # Errors
    /// 404 if there is none, or none for this caller, and what a call to the role says.
    pub async fn read(&self, peers: &Peers, path: &str) -> Result<Update, Problem> {
        let state = peers.get(self.role)?.call(RpcRequest::get(path)).await?;
        let name = self.subject.split('/').next().unwrap_or_default();
        self.update(name, state).ok_or_else(|| Problem::internal("a state without a version"))
    }

    /// The update to a state; `None` for JSON without a version.
    pub fn update(&self, name: &str, mut state: Value) -> Option<Update> {
        let version = state["version"].as_i64()?;
        (self.redact)(&mut state);
        // JSON without spaces has no line breaks, so it is one line of an event
        let text = format!("id: {version}\nevent: {name}\ndata: {state}\n\n");
        Some(Update { version, text: text.into(), readers: (self.readers)(&state).into() })
    }
}

/// One state of a subject, as all its streams send it.
#[derive(Clone)]
pub struct Update {
    pub version: i64,
    pub text: Bytes,
    pub readers: Arc<[String]>,
}
