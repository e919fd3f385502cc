//! What a meeting keeps of somebody who is no user any more: that somebody was there, and not who. Pure.

use jiff::Timestamp;

use super::model::Meeting;
use crate::platform::email::Email;
use crate::roles::user::api::meetings::Status;

/// Where nobody has a mailbox (RFC 2606).
pub const ANONYMOUS_DOMAIN: &str = "deleted.invalid";

impl Meeting {
    /// Whether it is called off, or has been.
    pub fn is_past(&self, now: Timestamp) -> bool {
        self.status == Status::Cancelled || self.status.holds() && self.period.is_some_and(|period| period.end <= now)
    }

    /// Puts a name that means nothing in the place of an address, wherever it stands; another one in each meeting. Says
    /// whether there is anybody left whose meeting it is.
    pub fn anonymized(mut self, email: &Email) -> (Meeting, bool) {
        let drawn = format!("nobody-{:08x}@{ANONYMOUS_DOMAIN}", rand::random::<u32>());
        let Ok(nobody) = Email::parse(&drawn) else { return (self, true) };
        let hide = |text: &mut Option<String>| {
            if let Some(text) = text {
                *text = without(text, email.as_str(), nobody.as_str());
            }
        };
        if self.organizer == *email {
            self.organizer = nobody.clone();
            // it was theirs to ask for
            self.callback = None;
        }
        for attendee in self.attendees.iter_mut().filter(|one| one.email == *email) {
            attendee.email = nobody.clone();
        }
        hide(&mut self.reason);
        self.history.iter_mut().for_each(|passed| hide(&mut passed.reason));
        let gone = |email: &Email| email.as_str().ends_with(&format!("@{ANONYMOUS_DOMAIN}"));
        let somebody = !gone(&self.organizer) || self.attendees.iter().any(|one| !gone(&one.email));
        (self, somebody)
    }
}

/// A text with another address in the place of this one; addresses that only contain it stay.
fn without(text: &str, address: &str, other: &str) -> String {
    let inside = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.@".contains(c);
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(address) {
        let (before, after) = (&rest[..at], &rest[at + address.len()..]);
        let longer = before.chars().next_back().or_else(|| said.chars().next_back()).is_some_and(inside)
            // a full stop may end the sentence
            || after.chars().next().is_some_and(|c| inside(c) && c != '.')
            || after.strip_prefix('.').is_some_and(|more| more.starts_with(char::is_alphanumeric));
        said.push_str(before);
        said.push_str(if longer { address } else { other });
        rest = after;
    }
    said + rest
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
            ("nobody", "nobody"),
        ];
        for (text, expected) in cases {
            assert_eq!(without(text, "ana@x.org", "N"), expected);
        }
    }
}
