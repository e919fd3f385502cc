//! Letters by mail: invitations, and what an account needs; and the way they take.
//!
//! Nothing here looks at a clock or draws a number: a letter sent again is the same letter, byte for byte, with the same
//! Message-ID, so that mail programs show one of two.

mod account_mail;
mod file_transport;
mod mailer;
mod message;
mod smtp;
mod templates;
#[cfg(test)]
mod tests;

pub use account_mail::AccountMessage;
pub use mailer::{Mailer, Outcome};
pub use message::{InvitationMessage, Links, Recipient};
