//! Replaces a deleted user in a meeting by a name that means nothing: the others still read that a person was there. Pure.

use jiff::Timestamp;

use super::model::Meeting;
use crate::platform::email::Email;
use crate::roles::reservation::api::meetings::Status;

impl Meeting {
    /// Whether it is called off, or has been.
    pub fn is_past(&self, now: Timestamp) -> bool {
        self.status == Status::Cancelled || self.status.holds() && self.period.is_some_and(|period| period.end <= now)
    }

    /// Replaces an address by a placeholder, wherever it stands. Also returns whether the meeting still has a real person.
    pub fn anonymized(mut self, email: &Email, placeholder: &Email) -> (Meeting, bool) {
        let hide = |text: &mut Option<String>| {
            if let Some(text) = text {
                *text = without(text, email.as_str(), placeholder.as_str());
            }
        };
        if self.organizer == *email {
            self.organizer = placeholder.clone();
            // the callback belonged to the organizer
            self.callback = None;
        }
        for attendee in self.attendees.iter_mut().filter(|one| one.email == *email) {
            attendee.email = placeholder.clone();
        }
        self.held_on_acceptance.retain(|one| one != email);
        self.reported_declines.retain(|one| one != email);
        self.standing = self.standing.map(|stood| Box::new(stood.anonymized(email, placeholder).0));
        let actors = self.history.iter_mut().map(|passed| &mut passed.actor).chain([&mut self.actor]);
        for actor in actors.flatten() {
            if actor.email == *email {
                (actor.email, actor.key) = (placeholder.clone(), String::new());
            }
            if actor.on_behalf_of == *email {
                actor.on_behalf_of = placeholder.clone();
            }
        }
        hide(&mut self.reason);
        self.history.iter_mut().for_each(|passed| hide(&mut passed.reason));
        let remains = !self.organizer.is_placeholder() || self.attendees.iter().any(|one| !one.email.is_placeholder());
        (self, remains)
    }
}

/// A text with another address in the place of this one; addresses that only contain it stay.
pub fn without(text: &str, address: &str, other: &str) -> String {
    let inside = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.@".contains(c);
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(address) {
        let (before, after) = (&rest[..at], &rest[at + address.len()..]);
        let longer = before.chars().next_back().or_else(|| result.chars().next_back()).is_some_and(inside)
            // a full stop may end the sentence
            || after.chars().next().is_some_and(|c| inside(c) && c != '.')
            || after.strip_prefix('.').is_some_and(|more| more.starts_with(char::is_alphanumeric));
        result.push_str(before);
        result.push_str(if longer { address } else { other });
        rest = after;
    }
    result + rest
}

#[cfg(test)]
mod tests {
    use super::without;

    #[test]
    fn only_the_whole_address_is_replaced() {
        let cases = [
            ("ana@x.org cannot", "N cannot"),
            ("ana@x.org, diana@x.org and ana@x.org.", "N, diana@x.org and N."),
            ("ana@x.org.uk and b-ana@x.org", "ana@x.org.uk and b-ana@x.org"),
            ("no address", "no address"),
        ];
        for (text, expected) in cases {
            assert_eq!(without(text, "ana@x.org", "N"), expected);
        }
    }
}
