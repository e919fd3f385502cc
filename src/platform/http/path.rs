//! The variables of paths: `{id}`, and `{user}`, which is an address or the id of an account.

use std::fmt;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use percent_encoding::percent_decode_str;
use uuid::Uuid;

use crate::calendar::Fault;
use crate::platform::email::Email;
use crate::platform::http::problem::{BAD_REQUEST, NOT_FOUND, Problem};

/// The segment of a path template that names a user.
pub const USER: &str = "{user}";

/// The id in the variable `{id}` of a path.
#[derive(Clone, Copy, Debug)]
pub struct PathId(pub Uuid);

/// The user in the variable `{user}` of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserKey {
    /// By the address.
    Email(Email),
    /// By the id of the account.
    Id(Uuid),
}

impl PathId {
    /// Reads the id.
    ///
    /// # Errors
    /// 404 for a text that is no UUID.
    pub fn read(req: &HttpRequest) -> Result<Uuid, Problem> {
        let text = req.match_info().get("id").unwrap_or_default();
        Uuid::parse_str(text)
            .map_err(|_| Problem::new(NOT_FOUND, "the path has no valid id: ids are UUIDs, as the responses have them"))
    }
}

impl FromRequest for PathId {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(PathId::read(req).map(PathId))
    }
}

impl UserKey {
    /// Reads the variable of the path.
    ///
    /// # Errors
    /// As for [`UserKey::in_segment`]; 404 for a path without the variable.
    pub fn read(req: &HttpRequest) -> Result<UserKey, Problem> {
        let pattern = req.match_pattern().unwrap_or_default();
        let index = pattern.split('/').skip(1).position(|segment| segment == USER);
        UserKey::in_segment(req.uri().path(), index.ok_or_else(Problem::no_such_path)?)
    }

    /// Reads the segment with this index of a path, as the client wrote it. A segment with `@` is an address.
    ///
    /// # Errors
    /// 400 for a segment that cannot be decoded, 404 for `.` and `..`, 422 for what is neither an address nor an id.
    pub fn in_segment(path: &str, index: usize) -> Result<UserKey, Problem> {
        let raw = path.split('/').nth(index + 1).unwrap_or_default();
        let bad = |detail: &'static str| Problem::new(BAD_REQUEST, detail);
        let mut escapes = raw.split('%').skip(1);
        if !escapes.all(|rest| rest.len() >= 2 && rest.bytes().take(2).all(|b| b.is_ascii_hexdigit())) {
            return Err(bad("a % in the path must be followed by two hexadecimal digits"));
        }
        let decoded = percent_decode_str(raw).decode_utf8().map_err(|_| bad("the path is not UTF-8"))?;
        if decoded.chars().any(char::is_control) {
            return Err(bad("the path contains control characters"));
        }
        if matches!(decoded.as_ref(), "." | "..") {
            return Err(Problem::no_such_path());
        }
        let is_hyphenated = decoded.len() == 36;
        if let Some(id) = Uuid::try_parse(&decoded).ok().filter(|_| is_hyphenated) {
            return Ok(UserKey::Id(id));
        }
        let refused = |why: String| Problem::validation(vec![Fault::new("#/user", "not_a_user", why)]);
        match decoded.contains('@') {
            true => Email::parse(&decoded).map(UserKey::Email).map_err(|why| refused(why.to_string())),
            false => Err(refused("is neither an e-mail address nor the id of an account".to_owned())),
        }
    }

    /// Encodes the key for a segment of a path.
    pub fn path_segment(&self) -> String {
        match self {
            UserKey::Email(email) => email.path_segment(),
            UserKey::Id(id) => id.to_string(),
        }
    }
}

impl FromRequest for UserKey {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(UserKey::read(req))
    }
}

impl fmt::Display for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UserKey::Email(email) => email.fmt(f),
            UserKey::Id(id) => id.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::UserKey;

    #[test]
    fn a_segment_is_an_address_or_an_id() {
        let read = |segment: &str| UserKey::in_segment(&format!("/users/{segment}"), 1).ok().map(|key| key.to_string());
        let id = "01980000-0000-7000-8000-000000000000";
        for (segment, expected) in [
            ("Ana%40Example.com", Some("ana@example.com")),
            ("ana@example.com", Some("ana@example.com")),
            (id, Some(id)),
            ("019800000000700080000000000000000", None),
            ("ana", None),
            ("", None),
            ("..", None),
            ("a%4", None),
            ("a%00@example.com", None),
        ] {
            assert_eq!(read(segment).as_deref(), expected, "{segment}");
        }
    }
}
