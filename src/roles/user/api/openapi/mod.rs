//! The public paths of the user role, in OpenAPI; `platform::http::openapi` says how.

#[expect(dead_code, reason = "types of the API, which are read and written by hand")]
mod accounts;
#[expect(dead_code, reason = "types of the API, which are read and written by hand")]
mod auth;
#[expect(dead_code, reason = "types of the API, which are read and written by hand")]
mod calendars;
#[expect(dead_code, reason = "types of the API, which are read and written by hand")]
mod jobs;
#[expect(dead_code, reason = "types of the API, which are read and written by hand")]
mod mailbox;
#[expect(dead_code, reason = "types of the API, which are read and written by hand")]
mod meetings;

pub use self::meetings::Meeting;
use crate::platform::http::openapi::ApiOperation;

/// All of them.
pub fn paths() -> Vec<ApiOperation> {
    let tagged = |tag, ops: Vec<ApiOperation>| ops.into_iter().map(move |op| op.tagged(tag));
    tagged("accounts", auth::paths())
        .chain(tagged("accounts", mailbox::paths()))
        .chain(tagged("users", accounts::paths()))
        .chain(tagged("calendars", calendars::paths()))
        .chain(tagged("meetings", meetings::paths()))
        .chain(tagged("jobs", jobs::paths()))
        .collect()
}
