//! The access check of a request: which endpoint it is for, and who may call that endpoint. A request for an endpoint that is not
//! in the table is refused before any handler sees it.

use Access::{Account, Admin, Attendee, Capability, Invited, Open, Organizer, Owner, Person, Service, SignedIn};

use crate::platform::http::path::USER;

/// Who may call an endpoint. An admin may do whatever an owner, an organizer or an attendee may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Every caller.
    Open,
    /// Every role of this installation: the service credential is all that is needed.
    Service,
    /// A caller with the token that was made for this request; the handler checks it.
    Capability,
    /// A caller with such a token, or an account that is invited.
    Invited,
    /// Every account, if callers must sign in.
    SignedIn,
    /// Every account. The request is about the account itself, so it needs one in every mode.
    Account,
    /// Every account that signed in with its password, in every mode. API keys are refused.
    Person,
    /// The account whose address is in the path.
    Owner,
    /// The organizer of the meeting; the handler checks it.
    Organizer,
    /// The organizer and the attendees of the meeting; the handler checks it.
    Attendee,
    /// An administrator of this installation.
    Admin,
}

impl Access {
    /// The name in `docs/ACCESS.md`.
    pub const fn name(self) -> &'static str {
        match self {
            Open => "every caller",
            Service => "other roles",
            Capability => "token",
            Invited => "token or attendee",
            SignedIn | Account => "signed in",
            Person => "signed in, not by key",
            Owner => "owner",
            Organizer => "organizer",
            Attendee => "organizer or attendee",
            Admin => "admin",
        }
    }

    /// Who may call it, as a sentence for people; `is_open` if callers need not sign in.
    pub const fn sentence(self, is_open: bool) -> &'static str {
        match self {
            Open => "Every caller may do this.",
            Service => "Only other roles may do this.",
            Capability => "Needs the token that was made for this, from a link or a job.",
            Account => "Needs a signed-in account, on every server.",
            Person => "Needs an account that signed in with its password, on every server. An API key is not enough.",
            _ if is_open => "Every caller may do this: this server does not require sign-in.",
            Invited => "Needs the token of a link, or the account of an attendee.",
            SignedIn => "Needs a signed-in account.",
            Owner => "Needs the account whose address is in the path, or an administrator.",
            Organizer => "Needs the organizer of the meeting, or an administrator.",
            Attendee => "Needs the organizer or an attendee of the meeting, or an administrator.",
            Admin => "Needs an administrator.",
        }
    }

    /// Whether the request needs an account even where callers need not sign in.
    pub const fn always_needs_account(self) -> bool {
        matches!(self, Account | Person)
    }
}

/// What the table says of one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission {
    /// Who may call it.
    pub access: Access,
    /// Whether a read-only API key may call it.
    pub is_read_only: bool,
    /// The index of the path segment that names the owner.
    pub owner_segment: Option<usize>,
}

/// The result of a look-up.
#[derive(Debug, PartialEq, Eq)]
pub enum Match {
    /// The endpoint.
    Endpoint(Permission),
    /// The path exists, but not with this method: the router answers 405.
    OtherMethod,
    /// The path does not exist.
    Nothing,
}

/// The endpoints of a role, prepared for fast look-up.
#[derive(Default)]
pub struct Table(Vec<Row>);

struct Row {
    method: String,
    /// `None` matches any text.
    segments: Vec<Option<&'static str>>,
    permission: Permission,
}

/// The number of segments of the longest path that is looked up.
const MAX_SEGMENTS: usize = 12;

impl Table {
    /// Adds an endpoint. Rows that are added first are found faster.
    pub fn add(&mut self, method: &str, path: &'static str, access: Access, is_read_only: bool) {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let owner_segment = segments.iter().position(|segment| *segment == USER);
        let segments = segments.into_iter().map(|segment| (!segment.starts_with('{')).then_some(segment)).collect();
        let permission = Permission { access, is_read_only, owner_segment };
        self.0.push(Row { method: method.to_owned(), segments, permission });
    }

    /// Looks a request up by its path as the client wrote it. The first row that matches counts.
    pub fn find(&self, method: &str, path: &str) -> Match {
        let mut segments = [""; MAX_SEGMENTS];
        let mut count = 0;
        for segment in path.split('/').skip(1) {
            if count == MAX_SEGMENTS {
                return Match::Nothing;
            }
            segments[count] = segment;
            count += 1;
        }
        let mut found = Match::Nothing;
        for row in self.0.iter().filter(|row| row.matches(&segments[..count])) {
            if row.method == method {
                return Match::Endpoint(row.permission);
            }
            found = Match::OtherMethod;
        }
        found
    }
}

impl Row {
    fn matches(&self, given: &[&str]) -> bool {
        let matches = |(expected, given): (&Option<&str>, &&str)| match expected {
            None => !given.is_empty(),
            Some(expected) => expected == given,
        };
        // from the end, because most paths begin alike
        given.len() == self.segments.len() && self.segments.iter().zip(given).rev().all(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, Match, Permission, Table};

    #[test]
    fn a_path_matches_only_as_it_is_written() {
        let mut table = Table::default();
        table.add("GET", "/", Access::Open, false);
        table.add("GET", "/api/users", Access::Admin, false);
        table.add("GET", "/api/users/{user}", Access::Owner, false);
        table.add("GET", "/api/meetings/{id}/events", Access::Attendee, false);
        table.add("POST", "/api/availability", Access::SignedIn, true);
        let at = |method: &str, path: &str| match table.find(method, path) {
            Match::Endpoint(Permission { access, is_read_only, owner_segment }) => {
                Some((access, is_read_only, owner_segment))
            }
            _ => None,
        };
        assert_eq!(at("GET", "/"), Some((Access::Open, false, None)));
        assert_eq!(at("GET", "/api/users/a@b.co"), Some((Access::Owner, false, Some(2))));
        assert_eq!(at("GET", "/api/meetings/7/events"), Some((Access::Attendee, false, None)));
        assert_eq!(at("POST", "/api/availability"), Some((Access::SignedIn, true, None)));
        assert_eq!(table.find("PUT", "/api/users/a@b.co"), Match::OtherMethod);
        let deep = "/x".repeat(50);
        for path in ["", "//", "/api", "/api/", "/api/users/", "/api//users", "/api/%75sers", "/API/users", &deep] {
            assert_eq!(table.find("GET", path), Match::Nothing, "{path}");
        }
    }
}
