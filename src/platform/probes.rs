//! The probes that every role answers: `/livez` and `/readyz`.

use actix_web::web::Data;

use crate::platform::auth::permissions::Access;
use crate::platform::endpoint::{Endpoint, Tag, get, tagged};
use crate::platform::http::openapi::schemas::Text;
use crate::platform::http::problem::{Problem, UNAVAILABLE};
use crate::platform::lifecycle::{Lifecycle, Phase};
use crate::platform::request_context::RequestContext;

/// The group of endpoints about the installation itself.
pub const THIS_SERVER: Tag = Tag { name: "this server", about: "The state and the description of this installation." };

/// The probes that every role answers.
pub fn probes() -> Vec<Endpoint> {
    let probes = vec![
        get("/livez", Access::Open, async || "ok\n").describe(
            "find_liveness",
            "Says that the process is running.",
            |op| op.answers_as::<Text>(200, "text/plain", "The process is running").never_fails(),
        ),
        get("/readyz", Access::Open, ready).describe(
            "find_readiness",
            "Says whether the process can work: it is neither starting nor stopping, and has not found its database damaged.",
            |op| op.answers_as::<Text>(200, "text/plain", "The process is ready").never_fails().refuses(&[UNAVAILABLE]),
        ),
    ];
    tagged(THIS_SERVER, probes)
}

async fn ready(lifecycle: Data<Lifecycle>) -> Result<&'static str, Problem> {
    let role = RequestContext::current().role;
    match lifecycle.phase() {
        Phase::Ready => match lifecycle.find_defect() {
            // waiting does not help
            Some(defect) => Err(Problem { retry_after: None, ..Problem::unavailable(role, defect) }),
            None => Ok("ok\n"),
        },
        Phase::Starting => {
            Err(Problem::unavailable(role, "starting: connecting to the database and bringing its schema up to date"))
        }
        Phase::Draining => Err(Problem::unavailable(role, "stopping: finishing the requests in flight")),
    }
}
