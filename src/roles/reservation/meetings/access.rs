//! Who may see a meeting, and who may change it.

use super::model::{Callback, Meeting};
use super::store::unknown;
use crate::config::Auth;
use crate::platform::auth::{Caller, Principal, forbidden};
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;
use crate::roles::user::api::unverified;

/// Checks that a principal may read a meeting: its organizer and its attendees may. Others get 404. An account with an unverified
/// mailbox may have been registered by another person, so it is not the attendee yet.
pub fn check_may_read(principal: &Principal, meeting: &Meeting, settings: &Auth) -> Result<(), Problem> {
    match principal.restricted() {
        None => Ok(()),
        Some(caller) if caller.email == meeting.organizer => check_verified(principal, settings),
        Some(caller) if meeting.has_attendee(&caller.email) && is_verified(caller, settings) => Ok(()),
        Some(_) => Err(unknown(meeting.id)),
    }
}

/// Whether an account has verified its mailbox, or need not.
pub fn is_verified(caller: &Caller, settings: &Auth) -> bool {
    caller.email_verified || !settings.verify_email
}

/// Checks that a principal may change a meeting: only its organizer may.
pub fn check_is_organizer(principal: &Principal, meeting: &Meeting, settings: &Auth) -> Result<(), Problem> {
    check_may_read(principal, meeting, settings)?;
    check_acts_for(principal, &meeting.organizer, "this is for the meeting's organizer")?;
    check_verified(principal, settings)
}

/// Checks that an account creates a meeting as its own organizer.
pub fn check_may_create(principal: &Principal, organizer: &Email) -> Result<(), Problem> {
    check_acts_for(principal, organizer, "organizer must be the account that creates the meeting")
}

/// Checks that a bot names no callback in a user's meeting: the callback would tell it of the meeting after the user has taken the
/// permission back. One that is there may stay.
pub fn check_may_set_callback(
    principal: &Principal,
    before: Option<&Callback>,
    after: Option<&Callback>,
) -> Result<(), Problem> {
    match after {
        Some(after) if principal.actor().is_some() && before.is_none_or(|before| before.url != after.url) => Err(
            forbidden("a bot sets no callback_url on behalf of a user: leave it out, or use the bot's own webhooks"),
        ),
        _ => Ok(()),
    }
}

/// Checks that a principal replies for itself.
pub fn check_may_reply(principal: &Principal, meeting: &Meeting, who: &Email, settings: &Auth) -> Result<(), Problem> {
    check_may_read(principal, meeting, settings)?;
    check_acts_for(principal, who, "an account replies only for itself")
}

fn check_acts_for(principal: &Principal, email: &Email, detail: &'static str) -> Result<(), Problem> {
    if principal.may_act_for(email) { Ok(()) } else { Err(forbidden(detail)) }
}

/// Only an account with a verified address arranges, changes or calls off meetings, if the settings say so.
pub fn check_verified(principal: &Principal, settings: &Auth) -> Result<(), Problem> {
    match principal {
        Principal::Account(caller) if !is_verified(caller, settings) => Err(unverified()),
        _ => Ok(()),
    }
}
