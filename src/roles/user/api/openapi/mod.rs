//! The OpenAPI schemas of the user role.

#[expect(dead_code, reason = "types of the API, which are read and written by hand")]
pub mod accounts;
#[expect(dead_code, reason = "types of the API, which are read and written by hand")]
pub mod auth;
#[expect(dead_code, reason = "types of the API, which are read and written by hand")]
pub mod calendars;
#[expect(dead_code, reason = "types of the API, which are read and written by hand")]
pub mod credentials;
#[expect(dead_code, reason = "types of the API, which are read and written by hand")]
pub mod jobs;
