//! The version of the data of an answer: it changes with the data that the answer may show, and with nothing else. Pure.
//!
//! It is keyed by the secret of the installation, so that the data cannot be guessed from it.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::api::AttendeeAvailability;
use crate::calendar::Zone;
use crate::platform::email::Email;

/// Bytes of the version.
const LENGTH: usize = 8;

/// The version of what is known of these attendees within a search window. Every replica with the same key gives the same version.
pub fn data_version(key: &str, attendees: &[AttendeeAvailability], zones: &[Zone], unknown: &[Email]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return String::new() };
    // the length goes before each text, so that different texts never give the same bytes
    let mut add = |text: &str| {
        mac.update(&(text.len() as u64).to_le_bytes());
        mac.update(text.as_bytes());
    };
    add("data_version");
    for attendee in attendees {
        add(attendee.email.as_str());
        add(attendee.preference.name());
        add(zones.get(attendee.zone).map_or("", Zone::name));
        add(&attendee.free);
        add(attendee.if_needed.as_deref().unwrap_or_default());
    }
    unknown.iter().for_each(|email| add(email.as_str()));
    let code = mac.finalize().into_bytes();
    code.iter().take(LENGTH).map(|byte| format!("{byte:02x}")).collect()
}
