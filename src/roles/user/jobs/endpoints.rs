//! The endpoints of background jobs.

use crate::platform::auth::permissions::Access::{Admin, Capability, Service};
use crate::platform::endpoint::{Endpoint, Tag, get, post, tagged};
use crate::platform::http::openapi::ApiOperation;
use crate::platform::http::openapi::schemas::{Id, Paged};
use crate::platform::http::problem::{JOB_NOT_YOURS, NOT_FOUND, UNAUTHORIZED, UNKNOWN_JOB};
use crate::platform::jobs::handlers::*;
use crate::roles::user::api::openapi::jobs::{Job, JobReport, Jobs, Which};
use crate::roles::user::store::Store;

const JOBS: Tag = Tag { name: "jobs", about: "Background jobs." };

pub fn endpoints() -> Vec<Endpoint> {
    let mut all = tagged(JOBS, public());
    all.extend([
        post("/internal/jobs/{id}/start", Service, start_job::<Store>),
        post("/internal/jobs/{id}/retry", Service, fail_job::<Store>).body_limit(|limits| limits.internal_body),
    ]);
    all
}

fn of_job(op: ApiOperation) -> ApiOperation {
    op.path::<Id>("id", "The id of the job.", None).refuses(&[NOT_FOUND, UNKNOWN_JOB])
}

fn public() -> Vec<Endpoint> {
    vec![
        get("/api/jobs", Admin, list_jobs::<Store>).describe(
            "list_jobs",
            "Lists jobs, in the order of creation.",
            |op| {
                op.query::<Which>()
                    .query::<Paged>()
                    .answers::<Jobs>(200, "A page")
                    .sends("Link", "The next page, as `rel=\"next\"`; absent on the last page.")
            },
        ),
        get("/api/jobs/{id}", Admin, find_job::<Store>)
            .describe("find_job", "Reads a job.", |op| of_job(op).answers::<Job>(200, "The job")),
        post("/api/jobs/{id}/retry", Admin, retry_job::<Store>).describe(
            "retry_job",
            "Queues a job again that is dead or waits for its next attempt.",
            |op| of_job(op).answers::<Job>(202, "The job is queued").refuses(&[JOB_NOT_YOURS]),
        ),
        post("/api/callbacks/jobs/{id}", Capability, finish_job::<Store>).describe(
            "finish_job",
            "Takes the report of a worker, authorized by the token of the job.",
            |op| of_job(op).takes::<JobReport>(None).answer(204, "Recorded").refuses(&[UNAUTHORIZED, JOB_NOT_YOURS]),
        ),
    ]
}
