//! The integration suite: the real executable, asked from outside. Every test of the API runs in both shapes.

#![expect(clippy::expect_used, reason = "a test may fail loudly")]

mod support;

mod architecture;
mod availability;
mod cache;
mod cache_loss;
mod calendar;
mod callback_urls;
mod callbacks;
mod commands;
mod defects;
mod failure;
mod gateway;
mod health;
mod idempotency;
mod input;
mod invitation;
mod jobs_api;
mod live;
mod locked;
mod logs;
mod meetings;
mod notify;
mod outbox;
mod participation;
mod paths;
mod patience;
mod proxy;
mod question;
mod queue;
mod queue_loss;
mod reference;
mod rescheduling;
mod restart;
mod soak;
mod start;
mod story;
mod suggestion;
mod user;
mod versions;
mod webhooks;
