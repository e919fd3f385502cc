//! Access with required sign-in: every endpoint is called by accounts that lack the permission.

use awc::http::Method;
use serde_json::{Value, json};
use w2meet::platform::auth::permissions::Access;
use w2meet::platform::endpoint::Endpoint;

use crate::both_shapes;
use crate::support::access::{Account, REQUIRED, SERVICE, admin, auth_open, register};
use crate::support::meeting::{ANA, BEN, mornings, next_monday, text};
use crate::support::{Cluster, Reply, Shape, eventually, public_endpoints};

const EVE: &str = "eve@example.com";
const UNKNOWN: &str = "01980000-0000-7000-8000-000000000000";

/// Ana owns one of everything, and meets Ben. Eve knows the path of each.
struct World {
    ana: Account,
    ben: Account,
    eve: Account,
    admin: Account,
    meeting: String,
    job: String,
}

async fn world(cluster: &Cluster) -> World {
    let (ana, ben, eve) = (register(cluster, ANA).await, register(cluster, BEN).await, register(cluster, EVE).await);
    let admin = admin(cluster).await;
    ana.put("/api/users/ana@example.com/availability", mornings()).await.expect(200);
    ben.put("/api/users/ben@example.com/availability", mornings()).await.expect(200);
    calendar(&ana, ANA).await.expect(201);
    let meeting_request = json!({ "organizer": ANA, "attendees": [BEN], "from": next_monday(), "to": next_monday() });
    let made = ana.post("/api/meetings", meeting_request).await.expect(202).json;
    let meeting = text(&made, "id").to_owned();
    eventually("the invitations are out", async || {
        let now = ben.get(&format!("/api/meetings/{meeting}")).await.expect(200).json;
        (now["status"] == "invited").then_some(())
    })
    .await;
    World { ana, ben, eve, admin, job: text(&made, "job_id").to_owned(), meeting }
}

async fn calendar(account: &Account, whose: &str) -> Reply {
    let file = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nEND:VCALENDAR\r\n";
    let path = format!("/api/users/{whose}/calendars/work");
    account.send(Method::PUT, &path, "text/calendar", file.as_bytes().to_vec()).await
}

/// The path of an endpoint, with these values.
fn filled(rule: &Endpoint, email: &str, id: &str) -> String {
    rule.path.replace("{user}", email).replace("{id}", id).replace("{name}", "work")
}

/// A valid body.
fn wanted(rule: &Endpoint) -> Option<Value> {
    match (rule.method.as_str(), rule.path.rsplit('/').next().unwrap_or_default()) {
        ("PUT", "availability") => Some(json!({ "monday": [9] })),
        ("PATCH" | "PUT", "{user}") => Some(json!({ "name": "Eve was here" })),
        ("PATCH", _) => Some(json!({ "title": "Eve was here" })),
        ("POST", "participation") => Some(json!({ "email": EVE, "participation": "accepted" })),
        ("POST", "users") => Some(json!({ "email": "made@example.com", "name": "Made" })),
        ("POST" | "PUT", _) => Some(json!({})),
        _ => None,
    }
}

async fn tried(account: &Account, rule: &Endpoint, path: &str) -> Reply {
    let method: Method = rule.method.as_str().parse().expect("a method");
    if rule.path.ends_with("/calendars/{name}") && rule.method == "PUT" {
        return account.send(method, path, "text/calendar", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n".to_vec()).await;
    }
    account.request(method, path, wanted(rule)).await
}

/// The text of a refusal, without the requested address and id.
fn response(reply: &Reply, asked: [&str; 2]) -> String {
    let mut document = reply.json.clone();
    document["case_id"] = Value::Null;
    let mut text = document.to_string();
    for one in asked {
        text = text.replace(one, "…").replace(&one.replace('@', "%40"), "…");
    }
    let challenge = reply.header("www-authenticate").unwrap_or_default();
    format!("{} {challenge} {text}", reply.status)
}

#[test]
fn the_manual_shows_every_endpoint_and_no_other() {
    let manual = include_str!("../docs/ACCESS.md");
    let rows: Vec<&str> = manual.lines().filter(|line| line.starts_with("| `")).collect();
    let row = |one: &Endpoint| format!("| `{}` | `{}` | {} |", one.method, one.path, one.access.name());
    let expected: Vec<String> = public_endpoints().iter().map(row).collect();
    for row in &expected {
        assert!(rows.iter().any(|line| line.starts_with(row)), "docs/ACCESS.md has no row {row}");
    }
    assert_eq!(rows.len(), expected.len(), "docs/ACCESS.md has rows that the code does not know: {rows:#?}");
}

both_shapes! {
    with REQUIRED;

    async fn callers_cannot_read_or_change_the_data_of_others(cluster) {
        let world = world(cluster).await;
        let owners = ["user", "reservation"].map(|role| {
            let owned = w2meet::roles::find(role).expect("a role").public_endpoints();
            (world.eve.as_gateway_at(&cluster.nodes_of(role)[0].url(role)), owned)
        });
        let before = (
            world.ana.get("/api/users/ana@example.com").await.expect(200).json,
            world.ana.get(&format!("/api/meetings/{}", world.meeting)).await.expect(200).json,
        );
        let absent = crate::support::Client::new(cluster.base());
        let mut wrong = Vec::new();
        for rule in &public_endpoints() {
            let id = if rule.path.contains("/jobs/") { &world.job } else { &world.meeting };
            let (theirs, none) = (filled(rule, ANA, id), filled(rule, "nobody@example.com", UNKNOWN));
            let method: Method = rule.method.as_str().parse().expect("a method");
            // the owner of the data is asked directly, too, as if the gateway had let it pass
            let owner = owners.iter().find(|(_, owned)| owned.iter().any(|one| one.path == rule.path));
            let mut replies = vec![("eve", tried(&world.eve, rule, &theirs).await)];
            if let (Some((owner, _)), Some(path)) = (owner, theirs.strip_prefix("/api")) {
                replies.push(("eve past the gateway", tried(owner, rule, path).await));
            }
            for (who, reply) in replies {
                let fine = match rule.access {
                    Access::Owner | Access::Organizer | Access::Attendee | Access::Invited => {
                        let missing = tried(&world.eve, rule, &none).await;
                        reply.status == 404 && response(&reply, [ANA, id]) == response(&missing, ["nobody@example.com", UNKNOWN])
                    }
                    Access::Admin => reply.status == 403,
                    _ => reply.status < 500,
                };
                if !fine {
                    wrong.push(format!("{who}: {} {theirs}: {} {}", rule.method, reply.status, reply.text));
                }
            }
            let sent = wanted(rule).map(|body| body.to_string().into_bytes());
            let json = [("content-type", "application/json")];
            let headers = if sent.is_some() { &json[..] } else { &[] };
            let reply = absent.send(method, &theirs, headers, sent).await;
            let open = matches!(rule.access, Access::Open | Access::Capability);
            if !open && reply.status != 401 || open && reply.status == 403 {
                wrong.push(format!("nobody: {} {theirs}: {} {}", rule.method, reply.status, reply.text));
            }
        }
        let job = format!("/internal/jobs/{}", world.job);
        let inner = [(Method::GET, job.clone()), (Method::POST, format!("{job}/retry")), (Method::POST, "/internal/jobs/lookup".to_owned())];
        for (method, path) in inner {
            let reply = owners[1].0.request(method, &path, None).await;
            if reply.status != 403 {
                wrong.push(format!("eve past the gateway: {path}: {} {}", reply.status, reply.text));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let after = (
            world.ana.get("/api/users/ana@example.com").await.expect(200).json,
            world.ana.get(&format!("/api/meetings/{}", world.meeting)).await.expect(200).json,
        );
        assert_eq!(before, after);
    }

    async fn every_handler_has_a_row_of_access_rules(cluster) {
        let eve = register(cluster, EVE).await;
        for rule in &public_endpoints() {
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                if !public_endpoints().iter().any(|one| one.path == rule.path && one.method == method) {
                    let path = filled(rule, EVE, UNKNOWN);
                    let reply = eve.request(method.parse().expect("a method"), &path, None).await;
                    assert_eq!(reply.status, 405, "{method} {path}: {}", reply.text);
                }
            }
        }
    }

    async fn attendees_read_and_answer_and_the_organizer_decides(cluster) {
        let world = world(cluster).await;
        let path = format!("/api/meetings/{}", world.meeting);
        for (account, leads) in [(&world.ben, false), (&world.ana, true), (&world.admin, true)] {
            account.get(&path).await.expect(200);
            account.get(&format!("{path}/invite.ics")).await.expect(200);
            account.get(&format!("{path}/deliveries")).await.expect(if leads { 200 } else { 403 });
            account.patch(&path, json!({ "title": "Plan" })).await.expect(if leads { 200 } else { 403 });
        }
        let answer = json!({ "email": BEN, "participation": "accepted" });
        world.ana.post(&format!("{path}/participation"), answer.clone()).await.expect(403);
        world.ben.post(&format!("{path}/participation"), answer).await.expect(200);
        world.ben.delete(&path).await.expect(403);
        let bearer = format!("Authorization: Bearer {}\r\n", world.ben.access_token);
        cluster.open_events(&world.meeting, &bearer).await;
        let listed = world.ben.get("/api/meetings").await.expect(200).json;
        assert_eq!(listed["meetings"].as_array().map(Vec::len), Some(1), "{listed}");
        let listed = world.eve.get("/api/meetings").await.expect(200).json;
        assert_eq!(listed, json!({ "meetings": [] }));
        world.eve.get("/api/meetings?attendee=ana@example.com").await.expect(403);
        world.ana.delete(&path).await.expect(204);
    }

    async fn the_callback_url_is_shown_to_the_organizer_alone(cluster) {
        let world = world(cluster).await;
        let hook = "https://hook.invalid/half-a-secret";
        let asked = json!({ "organizer": ANA, "attendees": [BEN], "callback_url": hook });
        let made = world.ana.post("/api/meetings", asked).await.expect(202).json;
        assert_eq!(made["callback_url"], hook);
        let path = format!("/api/meetings/{}", made["id"].as_str().unwrap_or_default());
        assert_eq!(world.ana.get(&path).await.expect(200).json["callback_url"], hook);
        for path in [&path, "/api/meetings", "/api/auth/export"] {
            assert!(!world.ben.get(path).await.expect(200).text.contains("half-a-secret"), "{path}");
        }
    }

    async fn meetings_are_organized_in_the_name_of_the_caller_on_every_path(cluster) {
        let world = world(cluster).await;
        let attendees = json!([{ "email": ANA }, { "email": BEN }]);
        let forged = json!({ "organizer": ANA, "attendees": [BEN] });
        world.eve.post("/api/meetings", forged.clone()).await.expect(403);
        let asked = json!({ "attendees": attendees, "notify": true, "organizer": ANA });
        let refused = world.eve.post("/api/suggestions", asked.clone()).await.expect(403);
        assert_eq!(refused.json["type"], "/problems/forbidden");
        let unnamed = json!({ "attendees": attendees, "notify": true });
        world.eve.post("/api/suggestions", unnamed).await.expect(403);
        world.ana.post("/api/suggestions", asked).await.expect(200);
        let task = json!({ "userId1": ANA, "userId2": BEN });
        world.eve.post("/worker/tasks", task.clone()).await.expect(403);
        world.ana.post("/worker/tasks", task).await.expect(202);
        world.eve.get("/users/users/ana@example.com").await.expect(404);
        world.eve.delete("/users/users/ana@example.com").await.expect(404);
        world.eve.post("/users/users", json!({ "email": "x@example.com" })).await.expect(403);
        world.ana.get("/users/users/ana@example.com").await.expect(200);
        cluster.get("/users/users/ana@example.com").await.expect(401);
        cluster.get("/users/health").await.expect(200);
    }

    async fn an_account_owns_its_id_as_it_owns_its_address(cluster) {
        let world = world(cluster).await;
        let id = world.ana.get("/api/auth/me").await.expect(200).json["id"].as_str().unwrap_or_default().to_owned();
        let absent = "01980000-0000-7000-8000-000000000000";
        for end in ["", "/availability", "/availability.ics", "/freebusy.ics", "/calendars"] {
            let path = |id: &str| format!("/api/users/{id}{end}");
            world.ana.get(&path(&id)).await.expect(200);
            world.admin.get(&path(&id)).await.expect(200);
            world.admin.get(&path(absent)).await.expect_problem("404 unknown-user", &path(absent), "no account");
            let (foreign, unknown) = (world.eve.get(&path(&id)).await.expect(404), world.eve.get(&path(absent)).await.expect(404));
            assert_eq!(response(&foreign, [&id, "-"]), response(&unknown, [absent, "-"]), "{end}");
        }
        world.eve.delete(&format!("/api/users/{id}")).await.expect(404);
    }

    async fn one_accounts_idempotency_key_is_never_anothers(cluster) {
        let world = world(cluster).await;
        let key = [("idempotency-key", "one")];
        let meet = |organizer: &str| json!({ "organizer": organizer, "attendees": [ANA, BEN, EVE] });
        let first = world.ana.post_with_headers("/api/meetings", meet(ANA), &key).await.expect(202);
        let again = world.ana.post_with_headers("/api/meetings", meet(ANA), &key).await.expect(202);
        assert_eq!(first.json["id"], again.json["id"]);
        let other = world.eve.post_with_headers("/api/meetings", meet(EVE), &key).await.expect(202);
        assert_ne!(first.json["id"], other.json["id"]);
        world.eve.post_with_headers("/api/meetings", meet(ANA), &key).await.expect(403);
    }

    async fn every_signed_in_caller_may_ask_for_suggestions(cluster) {
        let world = world(cluster).await;
        let query = "attendee=ana@example.com&attendee=ben@example.com";
        let common = world.eve.get(&format!("/api/availability?{query}")).await.expect(200);
        assert_eq!(common.json["common"]["monday"], json!(["09:00-12:00"]));
        let week = format!("{query}&from={0}&to={0}&pick=best&limit=5", next_monday());
        let found = world.eve.get(&format!("/api/suggestions?{week}")).await.expect(200);
        assert!(!found.text.contains(&world.meeting) && !found.text.contains("Meeting"), "{}", found.text);
        cluster.get(&format!("/api/availability?{query}")).await.expect(401);
    }

    async fn inner_roles_accept_calls_of_roles_alone(cluster) {
        let world = world(cluster).await;
        let bearer = format!("Bearer {}", world.admin.access_token);
        let wrong = format!("{SERVICE}x");
        for role in ["user", "reservation", "availability", "suggestion", "worker"] {
            let client = cluster.nodes_of(role)[0].client(role);
            for probe in ["/livez", "/readyz", "/health"] {
                client.get(probe).await.expect(200);
            }
            for path in ["/internal/users/lookup", "/users", "/internal/jobs/lookup", "/meetings", "/availability", "/suggestions", "/x"] {
                for shown in [None, Some(""), Some(wrong.as_str())] {
                    let mut headers = vec![("authorization", bearer.as_str())];
                    headers.extend(shown.map(|shown| ("w2meet-service", shown)));
                    let reply = client.send(Method::GET, path, &headers, None).await;
                    assert_eq!(reply.status, 401, "{role} {path} {shown:?}: {}", reply.text);
                }
            }
        }
        // what an outsider shows at the gateway goes no further
        let headers = [("w2meet-service", SERVICE)];
        for path in ["/internal/users/lookup", "/api/internal/users/lookup", "/api/users/ana@example.com"] {
            let reply = cluster.send(Method::GET, path, &headers, None).await;
            assert!([401, 404].contains(&reply.status), "{path}: {}", reply.text);
        }
        let output: String = cluster.nodes.iter().map(|node| node.log_text()).collect();
        for secret in [SERVICE, world.admin.access_token.as_str(), crate::support::access::PASSWORD] {
            assert!(!output.contains(secret), "a log line holds a secret");
        }
    }
}

both_shapes! { with &[("W2MEET_AUTH__MODE", "required"), ("W2MEET_AUTH__SERVICE_SECRET", SERVICE), ("W2MEET_LIMITS__PER_ADDRESS", "1000")];
    async fn a_callers_service_header_is_dropped_without_a_log_line(cluster) {
        for shown in ["wrong", ""] {
            let headers = [("w2meet-service", shown), ("case-id", "dropped")];
            cluster.send(Method::GET, "/api/auth/me", &headers, None).await.expect(401);
            cluster.send(Method::POST, "/api/auth/logout", &headers, None).await.expect(415);
        }
        let lines = crate::support::eventually("the requests are logged", async || {
            let lines: Vec<Value> = cluster.log().into_iter().filter(|line| line["case_id"] == "dropped").collect();
            let is_end = |line: &&Value| line["role"] == "gateway" && line["message"] == "request completed";
            (lines.iter().filter(is_end).count() == 4).then_some(lines)
        }).await;
        let alarms: Vec<&Value> = lines.iter().filter(|line| line["level"] == "error" || line.to_string().contains("secret")).collect();
        assert_eq!(alarms, Vec::<&Value>::new());
    }
}

#[actix_web::test]
async fn open_access_ignores_tokens_except_for_sign_in() {
    for shape in [Shape::Embedded, Shape::Services] {
        let cluster = Cluster::in_shape(shape, &auth_open()).await;
        let ana = register(&cluster, ANA).await;
        ana.get("/api/auth/me").await.expect(200);
        cluster.get("/api/auth/me").await.expect(401);
        cluster.get("/api/users/ana@example.com").await.expect(200);
        let wrong = [("authorization", "Bearer nonsense")];
        let reply = cluster.send(Method::GET, "/api/auth/me", &wrong, None).await.expect(401);
        assert_eq!(reply.json["type"], "/problems/invalid-token");
        cluster.send(Method::GET, "/api/users/ana@example.com", &wrong, None).await.expect(200);
        cluster.post("/api/users", json!({ "email": BEN, "name": "Ben" })).await.expect(201);
    }
}

#[actix_web::test]
async fn open_roles_in_several_processes_check_the_secret_if_there_is_one() {
    let secret = [("W2MEET_AUTH__MODE", "open"), ("W2MEET_AUTH__SERVICE_SECRET", SERVICE)];
    let cluster = Cluster::split_with(&secret).await;
    cluster.register(ANA, json!({ "monday": [9] })).await;
    let user = cluster.nodes_of("user")[0].client("user");
    user.get("/users/ana@example.com").await.expect(401);
    user.send(Method::GET, "/users/ana@example.com", &[("w2meet-service", SERVICE)], None).await.expect(200);
}
