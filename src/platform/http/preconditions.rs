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
        let mut tags = EntityTags::default();
        for value in req.headers().get_all(name) {
            for tag in value.to_str().unwrap_or("?").split(',').map(str::trim) {
                let (weak, tag) = tag.strip_prefix("W/").map_or((false, tag), |rest| (true, rest));
                let opaque = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
                match opaque.filter(|opaque| !opaque.contains('"')) {
                    Some(version) if weak => tags.weak.extend(version.parse::<i64>()),
                    Some(version) => tags.strong.extend(version.parse::<i64>()),
                    None if tag == "*" && !weak => tags.any = true,
                    None => {
                        let detail = format!("{name} must be * or entity tags such as \"3\"");
                        return Err(Problem::new(BAD_REQUEST, detail));
                    }
                }
            }
        }
        Ok(Some(tags))
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
