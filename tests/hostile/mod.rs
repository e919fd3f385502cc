//! What clients send who mean no good, or know no better: the gateway gives one answer to each, and a role sees what it should.

mod corpus;
mod expectations;
mod headers;
mod leaks;
mod limits;
