//! Preconditions (RFC 9110, section 13). The entity tag of a resource is its version.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, IF_MATCH};

use crate::platform::http::problem::{BAD_REQUEST, PRECONDITION_FAILED, Problem};

/// `If-Match` (RFC 9110, 13.1.1).
pub struct IfMatch(Option<EntityTags>);

impl IfMatch {
    /// Reads the header. Without a header, and with `*`, every version matches.
    ///
    /// # Errors
    /// 400 for a header that is no list of entity tags.
    pub fn read(req: &HttpRequest) -> Result<IfMatch, Problem> {
        EntityTags::read(req, &IF_MATCH).map(IfMatch)
    }

    /// Checks that a resource at this version may be changed.
    ///
    /// # Errors
    /// 412 if the version does not match.
    pub fn check(&self, version: i64) -> Result<(), Problem> {
        match &self.0 {
            Some(tags) if !tags.match_strongly(version) => Err(Problem::new(
                PRECONDITION_FAILED,
                format!("the current version is {version}; read the resource again and repeat the change"),
            )),
            _ => Ok(()),
        }
    }
}

/// The entity tags of a header (RFC 9110, 8.8.3). A tag that is no version matches nothing.
#[derive(Default)]
pub struct EntityTags {
    any: bool,
    strong: Vec<i64>,
    weak: Vec<i64>,
}

impl EntityTags {
    /// Reads the header; `None` if there is none.
    ///
    /// # Errors
    /// 400 for a header that is no list of entity tags.
    pub fn read(req: &HttpRequest, name: &HeaderName) -> Result<Option<EntityTags>, Problem> {
        if !req.headers().contains_key(name) {
            return Ok(None);
        }
        let lists = req.headers().get_all(name).map(|value| value.as_bytes());
        let tags = EntityTags::parse(&lists.collect::<Vec<_>>().join(&b',')).ok_or_else(|| {
            let detail = format!("{name} must be * or entity tags such as \"3\"; send the ETag of your last read");
            Problem::new(BAD_REQUEST, detail)
        })?;
        Ok(Some(tags))
    }

    /// Parses `"*" / #entity-tag`. A tag may contain commas; an element of the list may be empty (RFC 9110, 5.6.1).
    fn parse(list: &[u8]) -> Option<EntityTags> {
        let mut tags = EntityTags::default();
        let mut rest = list.trim_ascii();
        if rest == b"*" {
            return Some(EntityTags { any: true, ..tags });
        }
        let mut is_empty = true;
        while !rest.is_empty() {
            if let Some(behind) = rest.strip_prefix(b",") {
                rest = behind.trim_ascii_start();
                continue;
            }
            let (is_weak, quoted) = rest.strip_prefix(b"W/").map_or((false, rest), |tag| (true, tag));
            let quoted = quoted.strip_prefix(b"\"")?;
            let end = quoted.iter().position(|byte| *byte == b'"')?;
            let (opaque, behind) = quoted.split_at(end);
            // visible characters, and all bytes beyond ASCII
            if !opaque.iter().all(|byte| *byte > b' ' && *byte != 0x7f) {
                return None;
            }
            let version = std::str::from_utf8(opaque).ok().and_then(|text| text.parse::<i64>().ok());
            if is_weak { &mut tags.weak } else { &mut tags.strong }.extend(version);
            is_empty = false;
            rest = behind.strip_prefix(b"\"")?.trim_ascii_start();
            if !rest.is_empty() && !rest.starts_with(b",") {
                return None;
            }
        }
        (!is_empty).then_some(tags)
    }

    /// The strong comparison, for `If-Match`: a weak tag does not match.
    pub fn match_strongly(&self, version: i64) -> bool {
        self.any || self.strong.contains(&version)
    }

    /// The weak comparison, for `If-None-Match`.
    pub fn match_weakly(&self, version: i64) -> bool {
        self.match_strongly(version) || self.weak.contains(&version)
    }
}

#[cfg(test)]
mod tests {
    use super::EntityTags;

    #[test]
    fn a_list_of_entity_tags_is_read_by_its_grammar() {
        let read =
            |list: &str| EntityTags::parse(list.as_bytes()).map(|tags| (tags.match_strongly(3), tags.match_weakly(3)));
        for (list, expected) in [
            ("*", Some((true, true))),
            (" * ", Some((true, true))),
            ("\"3\"", Some((true, true))),
            ("W/\"3\"", Some((false, true))),
            ("\"a,b\", \"3\"", Some((true, true))),
            ("\"a,3\"", Some((false, false))),
            (", ,\"2\" ,, \"3\",", Some((true, true))),
            ("\"\"", Some((false, false))),
            ("\"\u{e9}\",W/\"3\"", Some((false, true))),
            ("", None),
            (",", None),
            ("3", None),
            ("\"3", None),
            ("\"3\"x", None),
            ("\"3\" \"4\"", None),
            ("w/\"3\"", None),
            ("W/ \"3\"", None),
            ("\"a b\"", None),
            ("*, \"3\"", None),
            ("\"3\", *", None),
            ("\"3\"; x", None),
        ] {
            assert_eq!(read(list), expected, "{list}");
        }
    }
}
