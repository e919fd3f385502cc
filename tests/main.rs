//! The integration suite: the real executable, asked from outside. Every test of the API runs in both shapes.

#![expect(clippy::expect_used, reason = "a test may fail loudly")]

mod support;

mod architecture;
mod availability;
mod cache;
mod cache_loss;
mod calendar;
mod commands;
mod defects;
mod failure;
mod gateway;
mod health;
mod input;
mod logs;
mod paths;
mod patience;
mod proxy;
mod question;
mod reference;
mod restart;
mod start;
mod story;
mod suggestion;
mod user;
mod versions;
