//! The version of the data of an answer: it changes with all data that can change the answer. Pure.

use std::collections::HashMap;

use crate::calendar::Grid;
use crate::platform::email::Email;
use crate::roles::user::api::UserAvailability;

/// A hash that is the same on every machine: rotate, mix in a word, multiply.
pub struct DataVersion(u64);

impl DataVersion {
    /// The version of the availability and the busy time of these users.
    pub fn of(users: &[UserAvailability], unknown: &[Email], busy: &HashMap<Email, Grid>) -> String {
        let mut version = DataVersion(0xcbf2_9ce4_8422_2325);
        for user in users {
            version.text(user.email.as_str());
            version.word(user.version.cast_unsigned());
            // a new account with the same address starts at version 1 again
            version.words(user.availability.bits());
            version.words(user.if_needed.bits());
            version.text(user.time_zone.name());
            version.text(user.preference.name());
            for (date, runs) in user.overrides.iter() {
                version.text(&date.to_string());
                runs.for_each(|run| version.words(&[run.start as u64, run.end as u64]));
            }
            if let Some(busy) = busy.get(&user.email) {
                version.words(busy.bits());
            }
        }
        unknown.iter().for_each(|email| version.text(email.as_str()));
        format!("{:016x}", version.finish())
    }

    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn words(&mut self, words: &[u64]) {
        words.iter().for_each(|word| self.word(*word));
    }

    /// Mixes in the length too, so that different texts never give the same words.
    fn text(&mut self, text: &str) {
        self.word(text.len() as u64);
        for chunk in text.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
    }

    /// Folds the high bits down: multiplication moves bits up only.
    fn finish(self) -> u64 {
        let mixed = (self.0 ^ self.0 >> 32).wrapping_mul(0x9fb2_1c65_1e98_df25);
        mixed ^ mixed >> 29
    }
}
