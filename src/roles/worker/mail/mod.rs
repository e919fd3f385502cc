//! Writes mails, invitations and mails about accounts, and sends them.
//!
//! Nothing here reads a clock or a random number: a mail that is sent again has the same bytes and the same Message-ID, so that mail
//! programs show only one of them.

mod account_mail;
mod file_transport;
mod mailer;
mod message;
mod smtp;
mod templates;
#[cfg(test)]
mod tests;

pub use account_mail::AccountMessage;
pub use mailer::{Mailer, SendOutcome};
pub use message::{Links, MailMessage, Recipient};
