//! The checker of the soak tests: it accepts a correct history, and finds each kind of error.

use serde_json::{Value, json};

use crate::support::invariants::Evidence;

const FOUND: &str = "0197f0c2-0000-7000-8000-000000000001";
const NONE: &str = "0197f0c2-0000-7000-8000-000000000002";

fn meeting(id: &str, passed: &[&str]) -> Value {
    let history: Vec<Value> = passed.iter().map(|status| json!({ "status": status })).collect();
    json!({ "id": id, "status": passed.last(), "history": history, "attendees": [{}, {}] })
}

fn hook(id: &str, what: &str) -> String {
    json!({ "type": format!("meeting.{what}"), "data": { "id": id } }).to_string()
}

/// Two meetings, one found and one not, as they should be.
fn good() -> Evidence {
    let meetings = [
        (FOUND.to_owned(), meeting(FOUND, &["queued", "running", "suggested", "invited"])),
        (NONE.to_owned(), meeting(NONE, &["queued", "running", "no_common_time"])),
    ];
    let hooks = [("1", FOUND, "suggested"), ("2", FOUND, "invited"), ("3", NONE, "no_common_time")];
    let hooks = hooks.map(|(name, id, what)| (name.to_owned(), [hook(id, what)].into()));
    let mails = ["a", "b"].map(|who| format!("{FOUND}.0.request.{who}.eml"));
    let mails = mails.into_iter().chain([format!("{NONE}.0.notice.a.eml")]).collect();
    Evidence { meetings: meetings.into(), hooks: hooks.into(), mails, dead: Vec::new() }
}

fn faults(change: impl Fn(&mut Evidence)) -> Vec<String> {
    let mut evidence = good();
    change(&mut evidence);
    evidence.faults(&[FOUND.to_owned(), NONE.to_owned()])
}

#[test]
fn a_good_history_passes() {
    assert_eq!(faults(|_| {}), Vec::<String>::new());
}

/// What spoils a good history.
type Change = fn(&mut Evidence);

#[test]
fn everything_that_may_be_wrong_is_found() {
    let bad: [(&str, Change); 10] = [
        ("lost", |it| drop(it.meetings.remove(NONE))),
        ("never ended", |it| it.meetings.get_mut(FOUND).expect("it")["status"] = "running".into()),
        ("2 states suggested", |it| {
            let twice = meeting(FOUND, &["queued", "suggested", "running", "suggested", "invited"]);
            it.meetings.insert(FOUND.to_owned(), twice);
        }),
        ("0 webhooks meeting.no_common_time", |it| drop(it.hooks.remove("3"))),
        ("2 webhooks meeting.suggested", |it| {
            it.hooks.insert("4".to_owned(), [hook(FOUND, "suggested")].into());
        }),
        ("2 bodies", |it| {
            it.hooks.get_mut("2").expect("it").insert("{}".to_owned());
        }),
        ("0 mails", |it| drop(it.mails.pop_last())),
        ("1 mails", |it| drop(it.mails.pop_first())),
        ("3 mails", |it| {
            it.mails.insert(format!("{FOUND}.1.request.a.eml"));
        }),
        ("dead", |it| it.dead.push(json!({ "kind": "deliver_webhook" }))),
    ];
    for (expected, change) in bad {
        let found = faults(change);
        assert!(found.len() == 1 && found[0].contains(expected), "{expected}: {found:?}");
    }
}
