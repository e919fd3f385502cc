//! Who may see a meeting, and who may change it.

use super::model::Meeting;
use super::store::unknown;
use crate::platform::auth::{Principal, forbidden};
use crate::platform::email::Email;
use crate::platform::http::problem::Problem;

/// Whoever called it, and everybody who is asked to come, may see a meeting. To others there is none.
pub fn check_sees(asker: &Principal, meeting: &Meeting) -> Result<(), Problem> {
    let comes = |email: &Email| meeting.attendees.iter().any(|one| one.email == *email);
    match asker.restricted() {
        Some(caller) if caller.email != meeting.organizer && !comes(&caller.email) => Err(unknown(meeting.id)),
        _ => Ok(()),
    }
}

/// Whoever called it may change it.
pub fn check_leads(asker: &Principal, meeting: &Meeting) -> Result<(), Problem> {
    check_sees(asker, meeting)?;
    if asker.may_act_for(&meeting.organizer) { Ok(()) } else { Err(forbidden("this is for the meeting's organizer")) }
}

/// A meeting is called in one's own name.
pub fn check_calls(asker: &Principal, organizer: &Email) -> Result<(), Problem> {
    if asker.may_act_for(organizer) {
        Ok(())
    } else {
        Err(forbidden("organizer must be the account that calls the meeting"))
    }
}

/// Answering is everybody's own, too.
pub fn check_answers(asker: &Principal, meeting: &Meeting, who: &Email) -> Result<(), Problem> {
    check_sees(asker, meeting)?;
    if asker.may_act_for(who) { Ok(()) } else { Err(forbidden("everybody answers for themselves")) }
}
