//! The problem types of accounts and imported calendars, and of the limits on e-mails.

use crate::platform::http::problem::problem_types;

problem_types! {
    USER_EXISTS          "user-exists"          409 "A user with this e-mail address exists"
    UNKNOWN_CALENDAR     "unknown-calendar"     404 "There is no such calendar"
    WRONG_PASSWORD       "wrong-password"       401 "The e-mail address or the password is wrong"
    TOO_MANY_ATTEMPTS    "too-many-attempts"    429 "Too many failed attempts to sign in"
    LINK_VOID            "link-void"            410 "The link has expired or was used"
    UNVERIFIED           "mailbox-unverified"   403 "The e-mail address is not verified"
    REGISTRATION_CLOSED  "registration-closed"  403 "This address may not be registered"
    TOO_MANY_LETTERS     "too-many-letters"     429 "Too many e-mails to this address"
}
