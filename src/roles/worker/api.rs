//! What other roles see of the worker role: its name.

/// Its name in the table of roles.
pub const ROLE: &str = "worker";
