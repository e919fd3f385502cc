//! Reference models: slow and obvious answers that the engine is held against.

pub mod ranking_model;
pub mod time_model;
