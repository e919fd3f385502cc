//! Who may do what: one row for each public path and method. `docs/ACCESS.md` shows the same rows, and a test holds the two
//! together. What is not in here does not exist for callers who must sign in.

use Access::{Admin, Attendee, Invited, Open, Organizer, Owner, Person, SignedIn, Token};

/// Who may call an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Open,
    /// Whoever has the token that was made for this: the handler asks for it.
    Token,
    /// Whoever has such a token, or is signed in and asked to come.
    Invited,
    /// Every account.
    SignedIn,
    /// Every account whose owner has signed in; not one that comes with a key.
    Person,
    /// The account whose address is in the path.
    Owner,
    /// The account that called the meeting; the handler knows it.
    Organizer,
    /// That one, and everybody who is asked to come; the handler knows them.
    Attendee,
    /// An administrator of this installation.
    Admin,
}

/// One row.
#[derive(Debug)]
pub struct Rule {
    /// The HTTP method.
    pub method: &'static str,
    /// The public path; `{x}` is one segment, `*` at the end is all that follow.
    pub path: &'static str,
    /// Who may call an endpoint.
    pub who: Access,
}

/// A row of this method and path.
pub const fn rule(method: &'static str, path: &'static str, who: Access) -> Rule {
    Rule { method, path, who }
}

/// All rows. An admin may do whatever an owner, an organizer or an attendee may.
pub const RULES: &[Rule] = &[
    rule("GET", "/", Open),
    rule("GET", "/health", Open),
    rule("GET", "/livez", Open),
    rule("GET", "/readyz", Open),
    rule("GET", "/api/health", Open),
    rule("GET", "/openapi.json", Open),
    rule("GET", "/docs", Open),
    rule("GET", "/.well-known/jwks.json", Open),
    rule("GET", "/.well-known/security.txt", Open),
    rule("POST", "/api/auth/register", Open),
    rule("POST", "/api/auth/login", Open),
    rule("POST", "/api/auth/refresh", Token),
    rule("POST", "/api/auth/logout", Token),
    rule("GET", "/api/auth/me", SignedIn),
    rule("POST", "/api/auth/verification", Person),
    rule("GET", "/api/auth/verify", Token),
    rule("POST", "/api/auth/verify", Token),
    rule("PUT", "/api/auth/password", Person),
    rule("POST", "/api/auth/password/forgot", Open),
    rule("GET", "/api/auth/password/reset", Token),
    rule("POST", "/api/auth/password/reset", Token),
    rule("GET", "/api/auth/keys", Person),
    rule("POST", "/api/auth/keys", Person),
    rule("DELETE", "/api/auth/keys/{id}", Person),
    rule("GET", "/api/auth/export", Person),
    rule("POST", "/api/users", Admin),
    rule("GET", "/api/users", Admin),
    rule("GET", "/api/users/{email}", Owner),
    rule("PATCH", "/api/users/{email}", Owner),
    rule("DELETE", "/api/users/{email}", Owner),
    rule("GET", "/api/users/{email}/availability", Owner),
    rule("PUT", "/api/users/{email}/availability", Owner),
    rule("GET", "/api/users/{email}/availability.ics", Owner),
    rule("GET", "/api/users/{email}/freebusy.ics", Owner),
    rule("GET", "/api/users/{email}/calendars", Owner),
    rule("GET", "/api/users/{email}/calendars/{name}", Owner),
    rule("PUT", "/api/users/{email}/calendars/{name}", Owner),
    rule("DELETE", "/api/users/{email}/calendars/{name}", Owner),
    rule("GET", "/api/availability", SignedIn),
    rule("POST", "/api/availability", SignedIn),
    rule("GET", "/api/suggestions", SignedIn),
    rule("POST", "/api/suggestions", SignedIn),
    rule("GET", "/api/meetings", SignedIn),
    rule("POST", "/api/meetings", SignedIn),
    rule("GET", "/api/meetings/{id}", Attendee),
    rule("PATCH", "/api/meetings/{id}", Organizer),
    rule("DELETE", "/api/meetings/{id}", Organizer),
    rule("GET", "/api/meetings/{id}/events", Attendee),
    rule("GET", "/api/meetings/{id}/invite.ics", Attendee),
    rule("GET", "/api/meetings/{id}/deliveries", Organizer),
    rule("GET", "/api/meetings/{id}/participation", Token),
    rule("POST", "/api/meetings/{id}/participation", Invited),
    rule("GET", "/api/jobs", Admin),
    rule("GET", "/api/jobs/{id}", Admin),
    rule("POST", "/api/jobs/{id}/retry", Admin),
    rule("POST", "/api/callbacks/jobs/{id}", Token),
];

/// Calls between roles that are made for somebody: the caller's token comes along, and is looked at again. What a worker asks, it
/// asks for nobody.
pub const ON_BEHALF_OF: &[Rule] = &[
    rule("POST", "/internal/answers", SignedIn),
    rule("POST", "/internal/meetings", SignedIn),
    rule("POST", "/internal/users/lookup", Invited),
];

/// What asks, although it is sent by POST: a key that only reads may send it. Paths of the gateway, and what they lead to where the
/// token is looked at again.
pub const READ_ONLY_POSTS: &[&str] =
    &["/api/availability", "/api/suggestions", "/internal/answers", "/internal/users/lookup"];

/// What a table says of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Match {
    /// This, and which segment of the path is the owner's address.
    Rule(Access, Option<usize>),
    /// There is such a path, but not this method: its handler says which.
    OtherMethod,
    /// There is no such path.
    Nothing,
}

/// Rows, taken apart once, so that a request is found among them in a fraction of a microsecond.
pub struct Table(Vec<Row>);

struct Row {
    method: &'static str,
    /// `None` is any.
    segments: Vec<Option<&'static str>>,
    /// Whether any number of segments may follow.
    more: bool,
    who: Access,
    owner: Option<usize>,
}

/// Segments of the longest path that is looked up.
const DEEPEST: usize = 12;

impl Table {
    /// Of these rows. `prefix` is what a role's own paths lack of the public ones.
    pub fn new<'a>(rules: impl IntoIterator<Item = &'a Rule>, prefix: &str) -> Table {
        let row = |rule: &Rule| {
            let pattern = rule.path.strip_prefix(prefix).unwrap_or(rule.path);
            let mut segments: Vec<&str> = pattern.split('/').skip(1).collect();
            let more = segments.last() == Some(&"*");
            segments.truncate(segments.len() - usize::from(more));
            let owner = segments.iter().position(|segment| *segment == "{email}");
            let segments = segments.into_iter().map(|one| (!one.starts_with('{')).then_some(one)).collect();
            Row { method: rule.method, segments, more, who: rule.who, owner }
        };
        Table(rules.into_iter().map(row).collect())
    }

    /// Looks a request up by its path as it is written; the first row counts.
    pub fn find(&self, method: &str, path: &str) -> Match {
        let mut segments = [""; DEEPEST];
        let mut count = 0;
        for segment in path.split('/').skip(1) {
            if count == DEEPEST {
                return Match::Nothing;
            }
            segments[count] = segment;
            count += 1;
        }
        let mut found = Match::Nothing;
        for row in self.0.iter().filter(|row| row.matches(&segments[..count])) {
            if row.method == method {
                return Match::Rule(row.who, row.owner);
            }
            found = Match::OtherMethod;
        }
        found
    }
}

impl Row {
    fn matches(&self, given: &[&str]) -> bool {
        let long_enough =
            if self.more { given.len() > self.segments.len() } else { given.len() == self.segments.len() };
        let same = |(wanted, given): (&Option<&str>, &&str)| match wanted {
            None => !given.is_empty(),
            Some(wanted) => wanted == given,
        };
        // from behind: they all begin alike
        long_enough && self.segments.iter().zip(given).rev().all(same)
    }
}

impl Access {
    /// As the docs say it.
    pub const fn name(self) -> &'static str {
        match self {
            Open => "everybody",
            Token => "token",
            Invited => "token or attendee",
            SignedIn => "signed in",
            Person => "signed in, not by key",
            Owner => "owner",
            Organizer => "organizer",
            Attendee => "organizer or attendee",
            Admin => "admin",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Access, Match, RULES, Table};

    #[test]
    fn the_manual_shows_every_row_and_no_other() {
        let manual = include_str!("../../../docs/ACCESS.md");
        let mut rows: Vec<&str> = manual.lines().filter(|line| line.starts_with("| `")).collect();
        rows.retain(|line| !line.contains("older"));
        let expected: Vec<String> =
            RULES.iter().map(|rule| format!("| `{}` | `{}` | {} |", rule.method, rule.path, rule.who.name())).collect();
        for row in &expected {
            assert!(rows.iter().any(|line| line.starts_with(row)), "docs/ACCESS.md has no row {row}");
        }
        assert_eq!(rows.len(), expected.len(), "docs/ACCESS.md has rows that the code does not know: {rows:#?}");
    }

    #[test]
    fn only_paths_as_they_are_written_are_found() {
        let table = Table::new(RULES, "");
        let at = |method: &str, path: &str| table.find(method, path);
        assert_eq!(at("GET", "/"), Match::Rule(Access::Open, None));
        assert_eq!(at("GET", "/api/users/a@b.co"), Match::Rule(Access::Owner, Some(2)));
        assert_eq!(at("PUT", "/api/users/a@b.co"), Match::OtherMethod);
        assert_eq!(at("GET", "/api/meetings/7/events"), Match::Rule(Access::Attendee, None));
        let deep = "/x".repeat(50);
        for path in [
            "",
            "//",
            "/api",
            "/api/",
            "/api/users/",
            "/api//users",
            "/api/%75sers",
            "/API/users",
            "/internal/x",
            &deep,
        ] {
            assert_eq!(at("GET", path), Match::Nothing, "{path}");
        }
        let inner = Table::new(RULES, "/api");
        assert_eq!(inner.find("GET", "/users/a@b.co"), Match::Rule(Access::Owner, Some(1)));
        assert_eq!(inner.find("GET", "/.well-known/jwks.json"), Match::Rule(Access::Open, None));
        let more = Table::new(&[super::rule("GET", "/x/*", Access::Admin)], "");
        let found = ["/x/y", "/x/y/z", "/x/", "/x", "/xy"].map(|path| more.find("GET", path));
        let rule = || Match::Rule(Access::Admin, None);
        assert_eq!(found, [rule(), rule(), rule(), Match::Nothing, Match::Nothing]);
    }
}
