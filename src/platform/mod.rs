//! The base of every role. No module in here names a role.

pub mod admin_server;
pub mod auth;
pub mod background;
pub mod balancer;
pub mod cache;
pub mod data;
pub mod digest;
pub mod edge;
pub mod email;
pub mod endpoint;
pub mod http;
pub mod jobs;
pub mod lifecycle;
pub mod limiter;
pub mod observe;
pub mod outbound;
pub mod owner_service;
pub mod probes;
pub mod queue;
pub mod request_context;
pub mod role;
pub mod rpc;
pub mod server;
pub mod subscriptions;
pub mod timer_pool;
pub mod wake_gate;
