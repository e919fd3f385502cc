//! Writes mails, invitations and mails about accounts, and sends them.
//!
//! Nothing here reads a clock or a random number: a mail that is sent again has the same bytes and the same Message-ID, so that mail
//! programs show only one of them.

mod account_mail;
mod content;
mod file_transport;
mod invitation_mail;
mod mailer;
mod message;
mod notice_mail;
mod smtp;
#[cfg(test)]
mod tests;

pub use mailer::Mailer;
pub use message::MailMessage;
