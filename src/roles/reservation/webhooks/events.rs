//! What a change of a meeting tells the webhooks of its people. Pure.

use serde_json::{Value, json};

use super::model::EventType;
use crate::platform::email::Email;
use crate::roles::reservation::api::meetings::{Attendee, Status};
use crate::roles::reservation::meetings::model::Meeting;

/// One thing that happened, and the people whose webhooks are told.
pub struct MeetingEvent {
    pub kind: EventType,
    pub recipients: Vec<Email>,
    pub body: Value,
}

/// What a change of a meeting tells. The organizer hears everything; an attendee nothing of a search, and of replies the own one.
pub fn events_of(before: Option<&Meeting>, meeting: &Meeting) -> Vec<MeetingEvent> {
    let emails_before = before.map(Meeting::emails).unwrap_or_default();
    let removed: Vec<Email> = emails_before.into_iter().filter(|email| !meeting.has_attendee(email)).collect();
    let replied = meeting.attendees.iter().find(|one| has_replied(before, one));
    let has_moved = before.is_none_or(|before| before.status != meeting.status);
    let main = match replied {
        _ if has_moved => {
            let is_search = matches!(meeting.status, Status::Queued | Status::Running);
            let recipients = if is_search { vec![meeting.organizer.clone()] } else { meeting.emails() };
            event(EventType::of_status(meeting.status), recipients, meeting)
        }
        Some(one) => {
            let kind = EventType::from_reply(one.participation).unwrap_or(EventType::Updated);
            let mut recipients = vec![meeting.organizer.clone(), one.email.clone()];
            recipients.dedup();
            let mut event = event(kind, recipients, meeting);
            event.body["attendee"] = json!(one);
            event
        }
        None => event(EventType::Updated, meeting.emails(), meeting),
    };
    let mut events = vec![main];
    if !removed.is_empty() {
        // the account reads the meeting no more
        let data = json!({ "id": meeting.id, "version": meeting.version });
        events.push(MeetingEvent { recipients: removed, ..with_data(EventType::Removed, meeting, data) });
    }
    events
}

/// Whether an attendee says something else than before. One who is asked anew has said nothing.
fn has_replied(before: Option<&Meeting>, attendee: &Attendee) -> bool {
    let old = before.and_then(|before| before.attendee(&attendee.email));
    let is_new = old.is_some_and(|old| old.participation != attendee.participation);
    is_new && EventType::from_reply(attendee.participation).is_some()
}

fn event(kind: EventType, recipients: Vec<Email>, meeting: &Meeting) -> MeetingEvent {
    MeetingEvent { recipients, ..with_data(kind, meeting, json!(meeting.shown(false))) }
}

fn with_data(kind: EventType, meeting: &Meeting, data: Value) -> MeetingEvent {
    let body = json!({ "type": kind, "timestamp": meeting.updated_at, "data": data });
    MeetingEvent { kind, recipients: Vec::new(), body }
}
