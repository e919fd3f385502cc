//! No accepted meeting is lost, whichever process is killed: the short version of what `scripts/soak` runs at full size.

mod calm;
mod checker;
mod fair;
mod fencing;
mod hung;
mod keys;
mod killed;
mod live;
mod lost;
mod outage;
mod poison;
mod race;
mod rate;
mod replicas;
mod rolling;
mod sign_in;
mod slow;
