//! Callbacks to addresses that clients name: Standard Webhooks, sent only where a stranger may make us send something.
//!
//! A URL passes [`Guard::parse`] when it is given to us, and every connection passes the guard again when it is opened:
//! a name may mean another address by then.

pub mod answer;
pub mod fetch;
pub mod guard;
pub mod hosts;
pub mod internet;
pub mod names;
pub mod send;
pub mod sign;

pub use answer::Answer;
pub use fetch::Subscription;
pub use guard::{CallbackUrl, Guard, Refused};
pub use hosts::{Hosts, Seat};
pub use names::Names;
pub use send::{Outgoing, Sender};
pub use sign::Secret;
