//! The version of what an answer is made from: it changes with everything that can change the answer. Pure.

use std::collections::HashMap;

use crate::calendar::Grid;
use crate::platform::email::Email;
use crate::roles::user::api::UserAvailability;

/// A hash that is the same on every machine, fed with words: rotate, mix in, multiply.
pub struct Version(u64);

impl Version {
    /// Of these people, and what is taken of their time.
    pub fn of(cards: &[UserAvailability], unknown: &[Email], taken: &HashMap<Email, Grid>) -> String {
        let mut version = Version(0xcbf2_9ce4_8422_2325);
        for card in cards {
            version.text(card.email.as_str());
            version.word(card.version.cast_unsigned());
            // a version begins anew with a new account of the same address
            version.words(card.availability.bits());
            version.words(card.if_needed.bits());
            version.text(card.time_zone.name());
            version.text(card.preference.name());
            for (date, runs) in card.overrides.iter() {
                version.text(&date.to_string());
                runs.for_each(|run| version.words(&[run.start as u64, run.end as u64]));
            }
            if let Some(busy) = taken.get(&card.email) {
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

    /// With its length, so that no two rows of texts are the same row of words.
    fn text(&mut self, text: &str) {
        self.word(text.len() as u64);
        for chunk in text.as_bytes().chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(u64::from_le_bytes(word));
        }
    }

    /// Multiplying moves bits up only: folds the high ones down.
    fn finish(self) -> u64 {
        let mixed = (self.0 ^ self.0 >> 32).wrapping_mul(0x9fb2_1c65_1e98_df25);
        mixed ^ mixed >> 29
    }
}
