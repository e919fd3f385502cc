//! Meetings for tests: attendees, waiting for states, and mails as files.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use serde_json::{Value, json};

use super::{Cluster, Reply, eventually};

pub const ANA: &str = "ana@example.com";
pub const BEN: &str = "ben@example.com";
pub const CAT: &str = "cat@example.com";

/// A Monday that is one to two weeks ahead.
pub fn next_monday() -> Date {
    let later = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().saturating_add(7.days());
    later.nth_weekday(1, Weekday::Monday).expect("a Monday")
}

/// Every day from nine to twelve.
pub fn mornings() -> Value {
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    days.iter().map(|day| ((*day).to_owned(), json!(["09:00-12:00"]))).collect::<serde_json::Map<_, _>>().into()
}

/// Registers people who can meet every morning, in UTC.
pub async fn register_morning_people(cluster: &Cluster, emails: &[&str]) {
    for email in emails {
        cluster.register(email, mornings()).await;
    }
}

/// What Ana asks for: to meet Ben on that Monday, and what is put over it.
pub fn meeting_body(more: Value) -> Value {
    let mut body = json!({ "organizer": ANA, "attendees": [BEN], "from": next_monday(), "to": next_monday() });
    for (name, value) in more.as_object().into_iter().flatten() {
        match value.is_null() {
            true => drop(body.as_object_mut().and_then(|body| body.remove(name))),
            false => body[name] = value.clone(),
        }
    }
    body
}

/// The text of a member, for paths and comparisons.
pub fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

pub fn meeting_path(meeting: &Value) -> String {
    format!("/api/meetings/{}", text(meeting, "id"))
}

/// Asks for a meeting, which is accepted.
pub async fn create_meeting(cluster: &Cluster, more: Value) -> Value {
    cluster.post("/api/meetings", meeting_body(more)).await.expect(202).json
}

/// Waits until a meeting is in one of these states, at this version or a later one.
pub async fn wait_for_status(cluster: &Cluster, meeting: &Value, states: &[&str]) -> Value {
    eventually(&format!("meeting {} is {states:?}", text(meeting, "id")), async || {
        let now = cluster.get(&meeting_path(meeting)).await.expect(200).json;
        let later = now["version"].as_i64() >= meeting["version"].as_i64();
        (later && states.contains(&text(&now, "status"))).then_some(now)
    })
    .await
}

/// Asks for a meeting, and waits until its invitations are out.
pub async fn create_invited_meeting(cluster: &Cluster, more: Value) -> Value {
    let meeting = create_meeting(cluster, more).await;
    wait_for_status(cluster, &meeting, &["invited"]).await
}

/// `Mon 09:00` of the hour at which a meeting begins, on its own clock.
pub fn start_label(meeting: &Value) -> String {
    let start = text(meeting, "start");
    let civil: Option<jiff::civil::DateTime> = start.get(..19).and_then(|start| start.parse().ok());
    civil.map_or_else(|| "never".to_owned(), |at| at.strftime("%a %H:%M").to_string())
}

/// One letter out of the outbox folder.
#[derive(Clone, Debug)]
pub struct InvitationMail {
    pub to: String,
    pub cancel: bool,
    pub sequence: i64,
    /// With soft line breaks undone.
    pub mail: String,
    /// Without folds.
    pub ics: String,
}

impl InvitationMail {
    pub fn header(&self, name: &str) -> &str {
        let head = self.mail.split("\r\n\r\n").next().unwrap_or_default();
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value).unwrap_or_default()
    }

    /// The path behind `Yes:`, `Maybe:` or `No:`.
    pub fn link(&self, answer: &str) -> String {
        let line = self.mail.lines().find_map(|line| line.strip_prefix(&format!("{answer}:")));
        let url = line.unwrap_or_else(|| panic!("no {answer} in {}", self.mail)).trim();
        url[url.find("/api/").expect("a path of the API")..].to_owned()
    }
}

/// All letters about a meeting so far.
pub fn invitation_mails(cluster: &Cluster, meeting: &Value) -> Vec<InvitationMail> {
    let files = std::fs::read_dir(cluster.outbox()).into_iter().flatten().flatten();
    let paths = files.map(|file| file.path()).filter(|path| path.extension().is_some_and(|end| end == "eml"));
    let mine = paths.filter(|path| path.to_string_lossy().contains(text(meeting, "id")));
    // notices have no calendar object
    let mine = mine.filter(|path| path.with_extension("ics").exists());
    let mut mails: Vec<InvitationMail> = mine.map(|path| read(&path)).collect();
    mails.sort_by(|a, b| (a.sequence, a.cancel, &a.to).cmp(&(b.sequence, b.cancel, &b.to)));
    mails
}

/// The texts of all notices of this kind about a meeting so far, with soft line breaks undone.
pub fn notices(cluster: &Cluster, meeting: &Value, kind: &str) -> Vec<String> {
    let files = std::fs::read_dir(cluster.outbox()).into_iter().flatten().flatten().map(|file| file.path());
    let (begin, end) = (format!("{}.", text(meeting, "id")), format!(".{kind}.eml"));
    let is_mine = |name: &str| name.starts_with(&begin) && name.ends_with(&end);
    let mine = files.filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_mine));
    mine.map(|path| std::fs::read_to_string(path).expect("a notice").replace("=\r\n", "").replace("=3D", "=")).collect()
}

fn read(path: &std::path::Path) -> InvitationMail {
    let mail = std::fs::read_to_string(path).expect("a invitation").replace("=\r\n", "").replace("=3D", "=");
    let ics = std::fs::read_to_string(path.with_extension("ics")).expect("its calendar object").replace("\r\n ", "");
    let sequence = ics.lines().find_map(|line| line.strip_prefix("SEQUENCE:")?.parse().ok());
    let mut invitation = InvitationMail {
        to: String::new(),
        cancel: ics.contains("METHOD:CANCEL"),
        sequence: sequence.expect("a sequence"),
        mail,
        ics,
    };
    invitation.to = invitation
        .header("to")
        .rsplit_once('<')
        .map_or(invitation.header("to"), |(_, it)| it)
        .trim_end_matches('>')
        .to_owned();
    invitation
}

/// Waits until these letters and no others are there: `REQUEST 0 ana`, in the order of revisions.
pub async fn wait_for_mails(cluster: &Cluster, meeting: &Value, expected: &[&str]) -> Vec<InvitationMail> {
    let shown = |invitation: &InvitationMail| {
        let name = invitation.to.split('@').next().unwrap_or_default();
        format!("{} {} {name}", if invitation.cancel { "CANCEL" } else { "REQUEST" }, invitation.sequence)
    };
    eventually(&format!("the mails are {expected:?}"), async || {
        let mails = invitation_mails(cluster, meeting);
        let all: Vec<String> = mails.iter().map(shown).collect();
        assert!(all.len() <= expected.len(), "{all:?} are more than {expected:?}");
        (all == expected).then_some(mails)
    })
    .await
}

/// The next page, as the `Link` header has it.
pub fn next_page(reply: &Reply) -> Option<String> {
    let (path, rel) = reply.header("link")?.split_once(">; ")?;
    assert_eq!(rel, "rel=\"next\"");
    Some(path.trim_start_matches('<').to_owned())
}
