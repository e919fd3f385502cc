//! The invariants of accepted meetings: each one is finished, and every notification is sent exactly once.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use serde_json::Value;

use super::Client;
use super::receiver::{Receiver, WebhooksById, read_hook};

/// The final states of an accepted meeting.
const FINISHED: [&str; 3] = ["invited", "suggested", "no_common_time"];
/// Faults that a failure prints.
const SHOWN: usize = 10;

/// The observable outcome of all meetings.
#[derive(Clone, Default)]
pub struct Evidence {
    pub meetings: HashMap<String, Value>,
    pub hooks: WebhooksById,
    /// The names of the mails: meeting, revision, method and recipient.
    pub mails: BTreeSet<String>,
    pub dead: Vec<Value>,
}

impl Evidence {
    /// Reads meetings and dead jobs from the API, webhooks from the receiver, and mails from the outbox folder.
    pub async fn collect(client: &Client, receiver: &Receiver, outbox: &Path) -> Evidence {
        let meetings = fetch_all_pages(client, "/api/meetings?limit=200", "meetings").await;
        let by_id = |meeting: Value| (meeting["id"].as_str().expect("an id").to_owned(), meeting);
        Evidence {
            meetings: meetings.into_iter().map(by_id).collect(),
            hooks: receiver.hooks(),
            mails: invitation_names(outbox),
            dead: fetch_all_pages(client, "/api/jobs?state=dead&limit=200", "jobs").await,
        }
    }

    /// Every violated promise for these meetings.
    pub fn faults(&self, accepted: &[String]) -> Vec<String> {
        let response = self.response();
        let mut faults: Vec<String> = accepted.iter().flat_map(|id| self.faults_of(id, &response)).collect();
        let many = self.hooks.iter().filter(|(_, bodies)| bodies.len() != 1);
        faults.extend(many.map(|(id, bodies)| format!("webhook {id} has {} bodies", bodies.len())));
        faults.extend(self.dead.iter().map(|job| format!("a dead job: {job}")));
        faults
    }

    /// Fails, with some of the faults.
    #[track_caller]
    pub fn expect_all(&self, accepted: &[String]) {
        let faults = self.faults(accepted);
        let some: Vec<&str> = faults.iter().take(SHOWN).map(String::as_str).collect();
        assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), accepted.len(), some.join("\n"));
    }

    /// Counts the distinct webhooks of each event of each meeting.
    fn response(&self) -> HashMap<(String, String), usize> {
        let mut response = HashMap::new();
        for what in self.hooks.values().flatten().filter_map(|body| read_hook(body)) {
            *response.entry(what).or_default() += 1;
        }
        response
    }

    fn faults_of(&self, id: &str, response: &HashMap<(String, String), usize>) -> Vec<String> {
        let Some(meeting) = self.meetings.get(id) else { return vec![format!("{id} was accepted, and is lost")] };
        let status = meeting["status"].as_str().unwrap_or_default();
        if !FINISHED.contains(&status) {
            return vec![format!("{id} never ended: it is {status}: {}", meeting["reason"])];
        }
        let found = usize::from(status != "no_common_time");
        let history = meeting["history"].as_array().map(Vec::as_slice).unwrap_or_default();
        let passed = |name: &str| history.iter().filter(|it| it["status"] == name).count();
        let hooks = |name: &str| response.get(&(format!("meeting.{name}"), id.to_owned())).copied().unwrap_or(0);
        let mails = self.mails.range(format!("{id}.")..format!("{id}/")).count();
        let people = meeting["attendees"].as_array().map_or(0, Vec::len);
        let counts = [
            ("states suggested", passed("suggested"), found),
            ("webhooks meeting.suggested", hooks("suggested"), found),
            ("webhooks meeting.invited", hooks("invited"), usize::from(status == "invited")),
            ("webhooks meeting.no_common_time", hooks("no_common_time"), 1 - found),
            // without a time, the organizer alone hears of it
            ("mails", mails, if found == 1 { people } else { 1 }),
        ];
        let wrong = counts.iter().filter(|(_, is, should)| is != should);
        wrong.map(|(what, is, should)| format!("{id} ({status}) has {is} {what}, not {should}")).collect()
    }
}

/// Every page of a list.
async fn fetch_all_pages(client: &Client, path: &str, name: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let mut page = client.get(&path).await.expect(200);
        found.append(page.json[name].as_array_mut().expect("a list"));
        next = page.header("link").and_then(|link| Some(link.split_once('<')?.1.split_once('>')?.0.to_owned()));
    }
    found
}

/// The file names of the mails in the folder.
fn invitation_names(outbox: &Path) -> BTreeSet<String> {
    let files = std::fs::read_dir(outbox).into_iter().flatten().flatten();
    let names = files.filter_map(|file| file.file_name().into_string().ok());
    names.filter(|name| name.ends_with(".eml") && !name.starts_with('.')).collect()
}
