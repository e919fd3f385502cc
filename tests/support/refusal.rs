//! Tables of requests that are to be refused.

use std::cell::RefCell;

use awc::http::Method;
use serde_json::{Value, json};

use super::{Cluster, Reply};

const USERS: &str = "/api/users";

/// A user that no refused request may change.
pub struct RefusalTable<'a> {
    cluster: &'a Cluster,
    before: String,
    /// The rows that were not refused as they should.
    wrong: RefCell<Vec<String>>,
}

impl<'a> RefusalTable<'a> {
    pub async fn new(cluster: &'a Cluster) -> RefusalTable<'a> {
        let body = json!({
            "email": "ana@example.com", "name": "Ana", "time_zone": "Europe/Paris", "preference": "last",
            "availability": { "monday": [9] }, "if_needed": { "friday": [12] },
        });
        cluster.post(USERS, body).await.expect(201);
        RefusalTable { cluster, before: cluster.get(USERS).await.expect(200).text, wrong: RefCell::default() }
    }

    /// Sends a body that is refused, and looks whether all users are as before.
    pub async fn expect_refused(&self, method: Method, path: &str, body: &[u8], kind: &str) -> Reply {
        let headers = [("content-type", "application/json")];
        let row = format!("{method} {path} {:.300}", String::from_utf8_lossy(body));
        let reply = self.cluster.send(method, path, &headers, Some(body.to_vec())).await;
        if let Err(why) = reply.check_problem(kind, path.split('?').next().unwrap_or(path)) {
            self.wrong.borrow_mut().push(format!("{row}: {why}"));
        }
        if self.cluster.get(USERS).await.expect(200).text != self.before {
            self.wrong.borrow_mut().push(format!("{row}: something is stored"));
        }
        reply
    }

    /// [`RefusalTable::expect_refused`] a value that is JSON; these are the places of its faults, in any order.
    pub async fn expect_faults<S: AsRef<str>>(&self, method: Method, path: &str, body: Value, places: &[S]) {
        let text = body.to_string();
        let reply = self.expect_refused(method, path, text.as_bytes(), "422 validation").await;
        let mut found = reply.pointers();
        let mut expected: Vec<&str> = places.iter().map(AsRef::as_ref).collect();
        found.sort_unstable();
        expected.sort_unstable();
        let output = |fault: &Value, member: &str| fault[member].as_str().is_some_and(|text| !text.is_empty());
        let faults = reply.json["errors"].as_array().map_or(&[][..], Vec::as_slice);
        let explained = faults.iter().all(|fault| output(fault, "code") && output(fault, "detail"));
        if found != expected || !explained {
            let row = format!("{path} {text:.300}: no fault at {expected:?}, but {:.1000}", reply.text);
            self.wrong.borrow_mut().push(row);
        }
    }

    /// Everything was refused as it should, and the server is well.
    pub async fn expect_none(self) {
        let wrong = self.wrong.into_inner();
        assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
        self.cluster.expect_calm().await;
    }
}
