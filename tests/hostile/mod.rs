//! Malformed and malicious requests: the gateway sends one response to each, and a role receives only valid requests.

mod corpus;
mod expectations;
mod headers;
mod leaks;
mod limits;
