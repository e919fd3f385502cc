//! Checks of every problem document, and of the logs after a test.

use awc::http::Method;
use serde_json::Value;

use super::{Cluster, Reply};

impl Reply {
    /// Fails unless this is a complete problem document: `kind` is its status and slug, `instance` the public path.
    #[track_caller]
    pub fn expect_problem(&self, kind: &str, instance: &str, row: &str) {
        if let Err(why) = self.check_problem(kind, instance) {
            panic!("{row}: {why}");
        }
    }

    /// [`Reply::expect_problem`] for tables that report all failing rows.
    pub fn check_problem(&self, kind: &str, instance: &str) -> Result<(), String> {
        let (status, slug) = kind.split_once(' ').unwrap_or((kind, ""));
        let document = &self.json;
        let is = |member: &str, value: Value| document[member] == value;
        let says = |member: &str| document[member].as_str().is_some_and(|text| !text.is_empty());
        let whole = self.status.to_string() == status
            && self.header("content-type") == Some("application/problem+json")
            && is("type", format!("/problems/{slug}").into())
            && is("status", self.status.into())
            && is("instance", instance.into())
            && is("case_id", self.header("case-id").into())
            && says("case_id")
            && says("title")
            && says("detail");
        match whole {
            true => Ok(()),
            false => Err(format!("no {kind} about {instance}, but {} {:.1000}", self.status, self.text)),
        }
    }

    /// The JSON pointers of the errors, in order.
    pub fn pointers(&self) -> Vec<&str> {
        let faults = self.json["errors"].as_array();
        faults.map_or_else(Vec::new, |faults| faults.iter().filter_map(|fault| fault["pointer"].as_str()).collect())
    }
}

impl Cluster {
    /// Fails if a process has logged an error, or panicked.
    pub async fn expect_calm(&self) {
        let alarming = |line: &&str| line.contains(r#""level":"ERROR""#) || line.contains("panicked");
        for node in &self.nodes {
            let role = if node.roles == "all" { "gateway" } else { &node.roles };
            // log lines are in order: once this one is there, all earlier ones are
            let last = [("case-id", "the-last-line")];
            let reply = node.client(role).send(Method::GET, "/livez", &last, None).await;
            assert_eq!(reply.status, 200, "{role} still answers");
            node.wait_for("the last line", |line| {
                line["case_id"] == "the-last-line" && line["message"] == "request completed"
            });
            let output = node.log_text();
            let lines: Vec<&str> = output.lines().filter(alarming).collect();
            assert!(lines.is_empty(), "{} said:\n{}", node.roles, lines.join("\n"));
        }
    }
}
