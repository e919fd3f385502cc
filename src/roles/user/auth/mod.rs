//! Registration, sign-in, sessions, and the keys that sign access tokens.
//!
//! - A new password: [`policy::new_password`] checks it, and [`passwords::Passwords::hash`] makes the hash to store.
//! - A password to sign in with: [`handlers::authenticate`] returns its account, and counts failed attempts. It takes the same
//!   time whether or not the account exists.
//! - Sessions: [`sessions`] opens and ends them. The access tokens of an ended session are refused within
//!   [`crate::roles::user::api::access::SESSION_FRESHNESS`].

mod account_provider;
pub mod commands;
pub mod endpoints;
pub mod handlers;
pub mod keys;
pub mod passwords;
pub mod policy;
pub mod sessions;
pub mod store;
