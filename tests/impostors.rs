//! An address that is registered by another person, or left behind by a deleted account, is worth nothing to them.

use awc::http::Method;
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::account::{
    Account, OTHER, PASSWORD, VERIFY, auth_required_with, login, promote, send_with_bearer, wait_for_newest_mail,
};
use crate::support::meeting::{invitation_mails, next_monday};
use crate::support::shell::utf8;
use crate::support::{Cluster, access, eventually};

const ANA: &str = "ana@example.com";
const BEN: &str = "ben@example.com";
const FORM: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded")];

/// An account that is free all week.
async fn free(account: Account<'_>) -> Account<'_> {
    let days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let week: Value =
        days.iter().map(|day| ((*day).to_owned(), json!(["00:00-24:00"]))).collect::<serde_json::Map<_, _>>().into();
    account.put(&format!("/api/users/{}/availability", account.email), week).await.expect(200);
    account
}

/// A meeting that its attendees have letters about.
async fn invited(organizer: &Account<'_>, attendee: &str) -> Value {
    let start = format!("{}T09:00:00Z", next_monday());
    let asked = json!({ "organizer": organizer.email, "attendees": [attendee], "title": "Merger", "start": start });
    let meeting = organizer.post("/api/meetings", asked).await.expect(202).json;
    let is_sent = || invitation_mails(organizer.cluster, &meeting).iter().any(|mail| mail.to == attendee);
    eventually("the attendee has a letter", async || is_sent().then_some(())).await;
    meeting
}

async fn key_status(cluster: &Cluster, key: &str) -> u16 {
    send_with_bearer(cluster, key, Method::GET, "/api/auth/me", None).await.status
}

both_shapes! { with &auth_required_with(&[]);
    async fn an_impostor_sees_no_invitation_and_loses_everything_when_the_owner_confirms(cluster) {
        let impostor = free(Account::register(cluster, ANA).await).await;
        impostor.patch(&format!("/api/users/{ANA}"), json!({ "name": "The Boss" })).await.expect(200);
        let (_, key) = impostor.key("write").await;
        let ben = free(Account::verified(cluster, BEN).await).await;
        let meeting = invited(&ben, ANA).await;
        let path = format!("/api/meetings/{}", meeting["id"].as_str().unwrap_or_default());
        let mail = invitation_mails(cluster, &meeting).into_iter().find(|mail| mail.to == ANA).expect("an invitation");
        assert!(!mail.ics.contains("The Boss"), "the name was chosen by the impostor: {}", mail.ics);
        for bearer in [&impostor.token, &key] {
            let get = async |path: &str| send_with_bearer(cluster, bearer, Method::GET, path, None).await;
            assert_eq!(get("/api/meetings").await.expect(200).json["meetings"], json!([]));
            for path in [path.clone(), format!("{path}/invite.ics"), format!("{path}/events")] {
                get(&path).await.expect_problem("404 unknown-meeting", &path, "not the attendee yet");
            }
            let reply = json!({ "email": ANA, "participation": "declined" });
            let answer = format!("{path}/participation");
            send_with_bearer(cluster, bearer, Method::POST, &answer, Some(reply)).await.expect(404);
        }
        let export = impostor.get("/api/auth/export").await.expect(200).json;
        assert_eq!((&export["meetings"], &export["deliveries"]), (&json!([]), &json!([])));

        // the owner of the mailbox opens the letter of the registration, and confirms
        let mail = wait_for_newest_mail(cluster, ANA, VERIFY).await;
        let form = format!("token={}&password={}", mail.token(), OTHER.replace(' ', "+"));
        cluster.send(Method::POST, &mail.link(), &FORM, Some(form.into_bytes())).await.expect(200);
        login(cluster, ANA, PASSWORD).await.expect(401);
        cluster.post("/api/auth/refresh", json!({ "refresh_token": impostor.refresh })).await.expect(401);
        assert_eq!((key_status(cluster, &key).await, key_status(cluster, &impostor.token).await), (401, 401));
        impostor.post("/api/auth/keys", json!({ "name": "late" })).await.expect(401);
        let ana = Account::login(cluster, ANA, OTHER).await;
        assert_eq!(ana.get("/api/auth/keys").await.expect(200).json["keys"], json!([]));
        assert_eq!(ana.get(&path).await.expect(200).json["title"], "Merger");
    }

    async fn keys_and_sessions_from_before_the_proof_end_by_a_program_too(cluster) {
        let before = Account::register(cluster, ANA).await;
        let (_, key) = before.key("write").await;
        assert_eq!(key_status(cluster, &key).await, 200);
        let ana = before.verify().await;
        assert_eq!(key_status(cluster, &key).await, 401);
        let (_, key) = ana.key("write").await;
        // a later password ends sessions, and no key that the owner has made
        let change = json!({ "current_password": PASSWORD, "password": OTHER });
        ana.put("/api/auth/password", change).await.expect(204);
        assert_eq!(key_status(cluster, &key).await, 200);
    }

    async fn a_placeholder_of_a_deleted_organizer_cannot_be_registered(cluster) {
        let (ana, ben) = (free(Account::verified(cluster, ANA).await).await, free(Account::verified(cluster, BEN).await).await);
        let meeting = invited(&ana, BEN).await;
        let path = format!("/api/meetings/{}", meeting["id"].as_str().unwrap_or_default());
        ana.delete(&format!("/api/users/{ANA}")).await.expect(204);
        let placeholder = eventually("the organizer is a placeholder", async || {
            let organizer = ben.get(&path).await.expect(200).json["organizer"].as_str().unwrap_or_default().to_owned();
            organizer.ends_with("@deleted.invalid").then_some(organizer)
        }).await;
        promote(cluster, BEN);
        let admin = Account::login(cluster, BEN, PASSWORD).await;
        for typed in [placeholder.clone(), placeholder.to_uppercase(), "somebody@mail.invalid".to_owned()] {
            let body = json!({ "email": typed, "password": PASSWORD });
            for path in ["/api/auth/register", "/api/auth/login"] {
                assert_eq!(cluster.post(path, body.clone()).await.expect(422).pointers(), ["#/email"], "{path}");
            }
            cluster.post("/api/auth/password/forgot", json!({ "email": typed })).await.expect(422);
            admin.post("/api/users", json!({ "email": typed, "name": "Nobody" })).await.expect(422);
            admin.get(&format!("/api/users/{typed}")).await.expect(422);
            admin.post("/api/meetings", json!({ "organizer": BEN, "attendees": [typed] })).await.expect(422);
            admin.get(&format!("/api/availability?attendee={typed}")).await.expect(422);
        }
    }

    async fn changing_or_calling_off_a_meeting_needs_a_verified_mailbox(cluster) {
        let ana = Account::register(cluster, ANA).await;
        free(Account::verified(cluster, BEN).await).await;
        let admin = Account::verified(cluster, "root@example.com").await;
        promote(cluster, &admin.email);
        let admin = Account::login(cluster, &admin.email, PASSWORD).await;
        let asked = json!({ "organizer": ANA, "attendees": [BEN] });
        let meeting = admin.post("/api/meetings", asked).await.expect(202).json;
        let path = format!("/api/meetings/{}", meeting["id"].as_str().unwrap_or_default());
        ana.patch(&path, json!({ "title": "Mine" })).await.expect_problem("403 mailbox-unverified", &path, "a change");
        ana.delete(&path).await.expect_problem("403 mailbox-unverified", &path, "calling off");
        let ana = ana.verify().await;
        ana.delete(&path).await.expect(204);
    }

    async fn an_unverified_account_becomes_no_administrator_by_mistake(cluster) {
        Account::register(cluster, ANA).await;
        Account::verified(cluster, BEN).await;
        let run = |arguments: &[&str]| access::run_beside(cluster.nodes_of("user")[0], arguments);
        let refused = run(&["user", "promote", ANA]);
        assert!(!refused.status.success() && utf8(&refused.stderr).contains("--unverified"), "{}", utf8(&refused.stderr));
        let listed = utf8(&run(&["user", "list"]).stdout);
        let line = |email: &str| listed.lines().find(|line| line.contains(email)).unwrap_or_default().to_owned();
        assert!(line(ANA).contains("user") && line(ANA).contains("unverified"), "{listed}");
        assert!(line(BEN).contains("verified") && !line(BEN).contains("unverified"), "{listed}");
        assert!(run(&["user", "promote", ANA, "--unverified"]).status.success());
        assert!(run(&["user", "promote", BEN]).status.success());
        assert_eq!(utf8(&run(&["user", "list"]).stdout).matches("admin").count(), 2);
    }
}
