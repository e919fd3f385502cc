//! Accounts: registering, signing in and out, and the keys that say so to everybody else.
//!
//! How the rest of the role uses it:
//! - Who calls: a handler takes a `platform::auth::Caller` (an account, or 401) or an `Asker` (an account, or anybody where
//!   access is open) among its arguments. What a path and an account alone decide is the `Access` of the endpoint; what hangs
//!   on a meeting is asked of the `Asker` in the handler.
//! - A new password: read it with [`policy::new_password`] (422 with its reason), then [`passwords::Passwords::make`] gives the
//!   hash to store. It runs on a small pool, and answers 503 when too many wait. `Data<Passwords>` is among the app's data.
//! - A typed password: read it with [`policy::typed_password`]; [`handlers::prove`] gives the account whose it is, counts failed
//!   attempts, and takes as long for nobody as for somebody.
//! - Sessions: [`sessions`] opens them ([`handlers::signed_in`] answers with the tokens), and `end_sessions!(conn, user_id)` ends
//!   all of an account's within a transaction; access tokens of an ended session are refused here within
//!   [`issuer::FRESH`].
//! - A new endpoint: a row in [`endpoints`], and a line in `docs/ACCESS.md`.

pub mod api_keys;
pub mod commands;
pub mod endpoints;
pub mod handlers;
pub mod issuer;
pub mod keys;
pub mod passwords;
pub mod policy;
pub mod sessions;
pub mod store;
