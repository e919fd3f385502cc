//! Who may see a meeting, and who may change it.

use super::model::Meeting;
use super::store::unknown;
use crate::config::Auth;
use crate::platform::auth::{Principal, forbidden};
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;
use crate::roles::user::api::problems::UNVERIFIED;

/// Whoever called it, and everybody who is asked to come, may see a meeting. To others there is none.
pub fn check_sees(principal: &Principal, meeting: &Meeting) -> Result<(), Problem> {
    match principal.restricted() {
        Some(caller) if caller.email != meeting.organizer && !meeting.has_attendee(&caller.email) => {
            Err(unknown(meeting.id))
        }
        _ => Ok(()),
    }
}

/// Whoever called it may change it.
pub fn check_leads(principal: &Principal, meeting: &Meeting) -> Result<(), Problem> {
    check_sees(principal, meeting)?;
    if principal.may_act_for(&meeting.organizer) {
        Ok(())
    } else {
        Err(forbidden("this is for the meeting's organizer"))
    }
}

/// A meeting is called in one's own name.
pub fn check_calls(principal: &Principal, organizer: &Email) -> Result<(), Problem> {
    if principal.may_act_for(organizer) {
        Ok(())
    } else {
        Err(forbidden("organizer must be the account that calls the meeting"))
    }
}

/// Answering is everybody's own, too.
pub fn check_answers(principal: &Principal, meeting: &Meeting, who: &Email) -> Result<(), Problem> {
    check_sees(principal, meeting)?;
    if principal.may_act_for(who) { Ok(()) } else { Err(forbidden("everybody answers for themselves")) }
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
