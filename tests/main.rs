//! The integration suite: the real executable, asked from outside. Every test of the API runs in both shapes.

#![expect(clippy::expect_used, reason = "a test may fail loudly")]

mod support;

mod architecture;
mod availability;
mod balance;
mod cache;
mod cache_loss;
mod calendar;
mod calendars;
mod callback_urls;
mod callbacks;
mod commands;
mod corpus;
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
mod none;
mod notify;
mod opinions;
mod outbox;
mod overrides;
mod participation;
mod paths;
mod patience;
mod proxy;
mod question;
mod queue;
mod queue_loss;
mod ranking;
mod reference;
mod rescheduling;
mod restart;
mod same_bytes;
mod soak;
mod standards;
mod start;
mod story;
mod subscriptions;
mod suggestion;
mod user;
mod versions;
mod view;
mod webhooks;
