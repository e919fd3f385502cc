//! Logs, traces and metrics. A log line is one flat JSON object, or text for a terminal. Every line of a request has its role
//! and Case-ID.

mod batch_writer;
mod http_client;
mod json_layer;
pub mod metrics;
pub mod otlp;
pub mod span;
pub mod trace_context;

use std::io::IsTerminal;
use std::str::FromStr;

use anyhow::Context as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

use crate::config::{Log, LogFormat};
use batch_writer::BatchWriter;
pub use batch_writer::FlushGuard;
use json_layer::JsonLayer;

/// Starts logging to standard output. Dropping the guard writes the last lines.
///
/// # Errors
/// A `log.level` that is no filter, or logging that was started before.
pub fn start(log: &Log) -> anyhow::Result<FlushGuard> {
    let given = filter(&log.level).with_context(|| {
        format!("log.level is {:?}: write a level such as info, or target=level, with commas between", log.level)
    })?;
    // hide the libraries' start and stop messages; a level in the settings overrides this
    let quiet = Targets::new()
        .with_target("actix_server", LevelFilter::WARN)
        // malformed requests are no errors of this process, and clients could fill the log with them
        .with_target("actix_http", LevelFilter::OFF);
    let filter = quiet.with_targets(given.iter()).with_default(given.default_level().unwrap_or(LevelFilter::INFO));
    let (writer, guard) = BatchWriter::start(std::io::stdout());
    let registry = tracing_subscriber::registry().with(filter);
    let started = match is_text(log) {
        true => {
            let text = tracing_subscriber::fmt::layer().with_target(false).with_writer(move || writer.clone());
            registry.with(text.with_ansi(std::io::stdout().is_terminal())).try_init()
        }
        false => registry.with(JsonLayer::new(writer)).try_init(),
    };
    started.context("logging cannot start")?;
    Ok(guard)
}

/// Parses a filter strictly: a part without a level, or with an empty target, is an error.
fn filter(text: &str) -> Option<Targets> {
    let is_level = |level: &str| LevelFilter::from_str(level).is_ok();
    let is_valid = |part: &str| match part.trim().split_once('=') {
        Some((target, level)) => !target.is_empty() && is_level(level),
        None => is_level(part.trim()),
    };
    if text.split(',').all(is_valid) { Targets::from_str(text).ok() } else { None }
}

/// Whether lines are text instead of JSON.
pub fn is_text(log: &Log) -> bool {
    match log.format {
        LogFormat::Text => true,
        LogFormat::Json => false,
        LogFormat::Auto => std::io::stdout().is_terminal(),
    }
}
