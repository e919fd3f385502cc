//! Who may see a meeting, and who may change it.

use super::model::Meeting;
use super::store::unknown;
use crate::config::Auth;
use crate::platform::auth::{Principal, forbidden};
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;
use crate::roles::user::api::problems::UNVERIFIED;

/// Checks that a principal may read a meeting: its organizer and its attendees may. Others get 404.
pub fn check_may_read(principal: &Principal, meeting: &Meeting) -> Result<(), Problem> {
    match principal.restricted() {
        Some(caller) if caller.email != meeting.organizer && !meeting.has_attendee(&caller.email) => {
            Err(unknown(meeting.id))
        }
        _ => Ok(()),
    }
}

/// Checks that a principal may change a meeting: only its organizer may.
pub fn check_is_organizer(principal: &Principal, meeting: &Meeting) -> Result<(), Problem> {
    check_may_read(principal, meeting)?;
    check_acts_for(principal, &meeting.organizer, "this is for the meeting's organizer")
}

/// Checks that an account creates a meeting as its own organizer.
pub fn check_may_create(principal: &Principal, organizer: &Email) -> Result<(), Problem> {
    check_acts_for(principal, organizer, "organizer must be the account that creates the meeting")
}

/// Checks that a principal replies for itself.
pub fn check_may_reply(principal: &Principal, meeting: &Meeting, who: &Email) -> Result<(), Problem> {
    check_may_read(principal, meeting)?;
    check_acts_for(principal, who, "an account replies only for itself")
}

fn check_acts_for(principal: &Principal, email: &Email, detail: &'static str) -> Result<(), Problem> {
    if principal.may_act_for(email) { Ok(()) } else { Err(forbidden(detail)) }
}

/// Only an account with a verified address arranges meetings, if the settings say so.
pub fn check_verified(principal: &Principal, settings: &Auth) -> Result<(), Problem> {
    match principal {
        Principal::Account(caller) if settings.verify_email && !caller.email_verified => {
            let detail = "follow the link in the mail that came when you registered; \
                          POST /api/auth/verification sends another one";
            Err(Problem::new(UNVERIFIED, detail))
        }
        _ => Ok(()),
    }
}
