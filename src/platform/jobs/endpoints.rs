//! The endpoints of jobs that every owner adds to its table. The worker and the gateway call them.

use super::JobOwner;
use super::handlers::{fail_job, find_job, finish_job, list_jobs, retry_job, start_job};
use crate::platform::auth::permissions::Access::{Admin, Capability, Service};
use crate::platform::endpoint::{Endpoint, get, post};

/// The endpoints. `Data<O>` must be among the owner's shared state.
pub fn endpoints<O: JobOwner>() -> Vec<Endpoint> {
    vec![
        post("/internal/jobs/lookup", Admin, list_jobs::<O>).read_only(),
        get("/internal/jobs/{id}", Admin, find_job::<O>),
        post("/internal/jobs/{id}/retry", Admin, retry_job::<O>),
        post("/internal/jobs/{id}/start", Service, start_job::<O>),
        post("/internal/jobs/{id}/finish", Capability, finish_job::<O>).body_limit(|limits| limits.internal_body),
        post("/internal/jobs/{id}/fail", Service, fail_job::<O>).body_limit(|limits| limits.internal_body),
    ]
}
