//! What the worker does for each kind of job: one file per kind.

pub mod deliver_webhook;
pub mod refresh_calendar;
pub mod schedule_meeting;
pub mod send_invitations;
pub mod send_letter;
