//! E-mails about an account: their purposes, and what a worker must know to write one.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::platform::email::Email;

/// What the code in an e-mail allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Proves that the creator of the account reads this mailbox.
    VerifyMailbox,
    /// Sets a password, without the old one or for the first time.
    ResetPassword,
}

impl Purpose {
    /// The name, as JSON and the database have it.
    pub const fn name(self) -> &'static str {
        match self {
            Purpose::VerifyMailbox => "verify_mailbox",
            Purpose::ResetPassword => "reset_password",
        }
    }

    /// The public path, with query, that takes a code, and shows a page for it.
    pub fn link(self, code: &str) -> String {
        match self {
            Purpose::VerifyMailbox => format!("/api/auth/verify?token={code}"),
            Purpose::ResetPassword => format!("/api/auth/password/reset?token={code}"),
        }
    }
}

/// One e-mail.
#[derive(Debug, Serialize, Deserialize)]
pub struct AccountMail {
    /// What its code allows.
    pub purpose: Purpose,
    /// The recipient.
    pub email: Email,
    /// The address as typed.
    pub typed_email: String,
    /// The public path, with query, that its link leads to. It holds the code.
    pub path: String,
    /// The minutes until the link expires.
    pub minutes: u32,
    /// The instant of the request.
    pub stamp: Timestamp,
}
