//! Jobs as an operator sees them, and the callback that workers report to.

use awc::http::Method;
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::meeting::{
    ANA, BEN, create_invited_meeting, create_meeting, meeting_path, next_page, register_morning_people, text,
    wait_for_status,
};
use crate::support::{Cluster, Reply, eventually};

const UNKNOWN: &str = "01980000-0000-7000-8000-000000000000";

async fn report(cluster: &Cluster, job: &str, authorization: &str, body: Value) -> Reply {
    let headers = [("content-type", "application/json"), ("authorization", authorization)];
    let path = format!("/api/callbacks/jobs/{job}");
    cluster.send(Method::POST, &path, &headers, Some(body.to_string().into_bytes())).await
}

both_shapes! {
    async fn jobs_are_listed_by_state_and_meeting_page_by_page(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let secret = format!("whsec_{}", "B".repeat(32));
        let first = create_meeting(cluster, json!({ "callback_url": "https://hook.invalid/", "callback_secret": secret })).await;
        let first = wait_for_status(cluster, &first, &["invited"]).await;
        let second = create_meeting(cluster, json!({ "duration_minutes": 600 })).await;
        wait_for_status(cluster, &second, &["no_common_time"]).await;
        let states = eventually("nothing is under way but what nobody takes", async || {
            let jobs = cluster.get("/api/jobs").await.expect(200).json["jobs"].as_array()?.clone();
            let states: Vec<String> = jobs.iter().map(|job| format!("{} {}", text(job, "kind"), text(job, "state"))).collect();
            (!states.iter().any(|state| state.ends_with("queued") || state.ends_with("running"))).then_some(states)
        }).await;
        assert_eq!(states, [
            "schedule_meeting succeeded", "send_invitations succeeded", "deliver_webhook retryable", "deliver_webhook retryable",
            "schedule_meeting succeeded", "send_notice succeeded",
        ]);
        for (query, count) in [
            ("limit=2".to_owned(), 6),
            ("limit=1&state=succeeded".to_owned(), 4),
            ("state=dead".to_owned(), 0),
            (format!("limit=1&meeting_id={}", text(&first, "id")), 4),
            (format!("limit=1&state=retryable&meeting_id={}", text(&first, "id")), 2),
            (format!("meeting_id={UNKNOWN}"), 0),
        ] {
            let (mut next, mut seen) = (Some(format!("/api/jobs?{query}")), Vec::new());
            while let Some(page) = next {
                let reply = cluster.get(&page).await.expect(200);
                seen.extend(reply.json["jobs"].as_array().expect("a list").clone());
                assert!(seen.len() < 7, "the pages come to an end");
                next = next_page(&reply);
            }
            assert_eq!(seen.len(), count, "{query}");
            for job in seen {
                let mut names: Vec<&String> = job.as_object().expect("an object").keys().collect();
                names.sort();
                assert_eq!(names, ["attempt", "case_id", "created_at", "errors", "id", "kind", "max_attempts", "meeting_id",
                    "next_attempt_at", "state", "updated_at"], "no payload, no token, no secret");
                assert_eq!(cluster.get(&format!("/api/jobs/{}", text(&job, "id"))).await.expect(200).json, job);
                assert_eq!(job["next_attempt_at"].is_string(), job["state"] == "retryable", "{job}");
                assert!(!job.to_string().contains("whsec_"), "{job}");
            }
        }
        for (query, place) in [("state=asleep", "#/state"), ("meeting_id=x", "#/meeting_id"), ("limit=0", "#/limit"), ("cursor=x", "#/cursor"), ("x=1", "#/x")] {
            let reply = cluster.get(&format!("/api/jobs?{query}")).await;
            reply.expect_problem("422 validation", "/api/jobs", query);
            assert_eq!(reply.pointers(), [place]);
        }
    }

    async fn only_dead_jobs_can_be_retried(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let meeting = create_invited_meeting(cluster, json!({})).await;
        let jobs = cluster.get(&format!("/api/jobs?state=succeeded&meeting_id={}", text(&meeting, "id"))).await.expect(200).json;
        let path = format!("/api/jobs/{}/retry", text(&jobs["jobs"][0], "id"));
        cluster.post(&path, json!({})).await.expect_problem("409 job-not-yours", &path, "it is done");
        for path in [format!("/api/jobs/{UNKNOWN}"), format!("/api/jobs/{UNKNOWN}/retry")] {
            let reply = if path.ends_with("retry") { cluster.post(&path, json!({})).await } else { cluster.get(&path).await };
            reply.expect_problem("404 unknown-job", &path, "no such job");
        }
        cluster.get("/api/jobs/x").await.expect_problem("404 not-found", "/api/jobs/x", "no id");
    }

    async fn a_report_needs_the_token_of_its_job_and_comes_in_time(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let meeting = create_invited_meeting(cluster, json!({})).await;
        let jobs = cluster.get(&format!("/api/jobs?meeting_id={}", text(&meeting, "id"))).await.expect(200).json;
        let id = text(&jobs["jobs"][0], "id");
        let path = format!("/api/callbacks/jobs/{id}");
        let done = json!({ "attempt": 1, "result": { "outcome": "no_common_time", "reason": "because" } });
        for wrong in ["", "Bearer", "Bearer ", "Bearer wrong", "Basic eDp5", &format!("Bearer {}", "0".repeat(32))] {
            report(cluster, id, wrong, done.clone()).await.expect_problem("401 unauthorized", &path, wrong);
        }
        let nowhere = format!("/api/callbacks/jobs/{UNKNOWN}");
        report(cluster, UNKNOWN, "Bearer x", done).await.expect_problem("404 unknown-job", &nowhere, "no such job");
        for body in [json!({}), json!({ "attempt": "1" }), json!([])] {
            report(cluster, id, "Bearer x", body).await.expect_problem("400 bad-request", &path, "no report");
        }
        assert_eq!(cluster.get(&crate::support::meeting::meeting_path(&meeting)).await.expect(200).json, meeting);
    }

    async fn a_report_of_an_outdated_attempt_is_refused(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        // the worker stands still: the test is the worker
        let worker = cluster.nodes_of("worker");
        if cluster.shape == crate::support::Shape::Embedded {
            return;
        }
        worker[0].signal("STOP");
        let asked = create_meeting(cluster, json!({ "callback_url": "https://hook.invalid/" })).await;
        let owner = cluster.nodes_of("reservation")[0].client("reservation");
        let id = text(&asked, "job_id");
        let start = format!("/internal/jobs/{id}/start");
        let first = owner.send(Method::POST, &start, &[], None).await.expect(200).json;
        let second = owner.send(Method::POST, &start, &[], None).await.expect(200).json;
        assert_eq!((&first["attempt"], &second["attempt"]), (&json!(1), &json!(2)));
        assert!(!second.to_string().contains("whsec_"), "whoever looks for a time needs no secret");
        let bearer = format!("Bearer {}", text(&second, "token"));
        let done = |attempt: i32| json!({ "attempt": attempt, "result": { "outcome": "no_common_time", "reason": "because" } });
        let late = report(cluster, id, &bearer, done(1)).await;
        late.expect_problem("409 job-not-yours", &format!("/api/callbacks/jobs/{id}"), "an old attempt");
        for _ in 0..2 {
            report(cluster, id, &bearer, done(2)).await.expect(204);
        }
        assert_eq!(text(&cluster.get(&meeting_path(&asked)).await.expect(200).json, "reason"), "because");
        worker[0].signal("CONT");
    }

    async fn internal_paths_are_404_at_the_gateway(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        let meeting = create_meeting(cluster, json!({})).await;
        let job = text(&meeting, "job_id");
        for path in [format!("/internal/jobs/{job}/start"), format!("/internal/jobs/{job}/retry"), "/internal/jobs/lookup".to_owned(), "/internal/meetings".to_owned(),
            "/internal/answers".to_owned(), "/internal/users/lookup".to_owned()] {
            for prefix in ["", "/api", "/api/", "/api/meetings/..", "/api/%2e%2e"] {
                let path = format!("{prefix}{path}");
                let reply = cluster.post(&path, json!({})).await;
                assert_eq!(reply.status, 404, "{path}: {}", reply.text);
            }
        }
    }
}

both_shapes! {
    with &[("W2MEET_JOBS__MAX_ATTEMPTS", "2"), ("W2MEET_JOBS__RETRY_SECONDS", "0.01")];

    async fn a_dead_job_is_retried_on_request(cluster) {
        register_morning_people(cluster, &[ANA, BEN]).await;
        // where letters go, nothing can be written
        std::fs::create_dir_all(cluster.outbox().parent().expect("a folder")).expect("a folder");
        std::fs::write(cluster.outbox(), "in the way").expect("a file");
        let meeting = create_meeting(cluster, json!({})).await;
        let dead = eventually("the letters are given up", async || {
            let dead = cluster.get("/api/jobs?state=dead").await.expect(200).json;
            dead["jobs"].get(0).cloned()
        }).await;
        let errors = dead["errors"].as_array().expect("a list");
        assert_eq!((text(&dead, "kind"), &dead["attempt"], errors.len()), ("send_invitations", &json!(2), 2), "{dead}");
        assert!(!text(&errors[0], "error").is_empty(), "{dead}");
        assert_eq!(text(&cluster.get(&meeting_path(&meeting)).await.expect(200).json, "status"), "suggested");
        std::fs::remove_file(cluster.outbox()).expect("out of the way");
        let again = cluster.post(&format!("/api/jobs/{}/retry", text(&dead, "id")), json!({})).await.expect(202).json;
        assert_eq!(text(&again, "state"), "queued");
        wait_for_status(cluster, &meeting, &["invited"]).await;
        crate::support::meeting::wait_for_mails(cluster, &meeting, &["REQUEST 0 ana", "REQUEST 0 ben"]).await;
    }
}
