//! Letters by mail: invitations, and what an account needs; and the way they take.
//!
//! Nothing here looks at a clock or draws a number: a letter sent again is the same letter, byte for byte, with the same
//! Message-ID, so that mail programs show one of two.

mod carrier;
mod letter;
mod outbox;
mod slip;
mod smtp;
#[cfg(test)]
mod tests;
mod wording;

pub use carrier::{Carrier, Outcome};
pub use letter::{Letter, Links, Recipient};
pub use slip::Slip;
