//! An address that is registered by another person, or left behind by a deleted account, is worth nothing to them.

use awc::http::Method;
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::account::{
    Account, OTHER, PASSWORD, RESET, VERIFY, auth_required_with, forgot, login, promote, reset, send_with_bearer,
    wait_for_mail, wait_for_newest_mail,
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

const CALENDAR: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:1\r\n\
    DTSTAMP:20260101T000000Z\r\nDTSTART:20270104T090000Z\r\nDTEND:20270104T100000Z\r\nSUMMARY:Dentist\r\nEND:VEVENT\r\n\
    END:VCALENDAR\r\n";

/// Stores all that an account can hold before its mailbox is proven.
async fn fill(account: &Account<'_>, bot: &str) {
    let path = format!("/api/users/{}", account.email);
    let profile = json!({
        "name": "The Boss", "time_zone": "Asia/Tokyo", "preference": "last", "availability": { "monday": [3] },
        "if_needed": { "sunday": [4] }, "overrides": { "2099-03-23": [5] },
    });
    account.put(&path, profile).await.expect(200);
    let bearer = format!("Bearer {}", account.token);
    let headers = [("authorization", bearer.as_str()), ("content-type", "text/calendar")];
    let calendar = Some(CALENDAR.as_bytes().to_vec());
    account.cluster.send(Method::PUT, &format!("{path}/calendars/file"), &headers, calendar).await.expect(201);
    let subscription = json!({ "url": "https://calendars.invalid/basic.ics" });
    account.put(&format!("{path}/calendars/web"), subscription).await.expect(201);
    account.post("/api/auth/delegations", json!({ "actor": bot })).await.expect(201);
}

/// What an account holds, without what every change counts up.
async fn content(account: &Account<'_>) -> Value {
    let path = format!("/api/users/{}", account.email);
    let mut user = account.get(&path).await.expect(200).json;
    for name in ["id", "version", "created_at", "updated_at"] {
        user[name] = Value::Null;
    }
    let calendars = account.get(&format!("{path}/calendars")).await.expect(200).json["calendars"].clone();
    let names: Vec<Value> = calendars.as_array().into_iter().flatten().map(|one| one["name"].clone()).collect();
    json!({ "user": user, "calendars": names })
}

/// What a new account holds.
fn nothing(email: &str) -> Value {
    let week = json!({
        "monday": [], "tuesday": [], "wednesday": [], "thursday": [], "friday": [], "saturday": [], "sunday": [],
    });
    json!({
        "user": {
            "id": null, "email": email, "name": email.split('@').next(), "time_zone": "UTC", "preference": "first",
            "availability": week, "if_needed": week, "overrides": {}, "version": null, "created_at": null,
            "updated_at": null,
        },
        "calendars": [],
    })
}

/// The delegations that an account has made.
async fn delegations(account: &Account<'_>) -> Value {
    account.get("/api/auth/delegations").await.expect(200).json["delegations"].clone()
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
        let busy = format!("/api/users/{ANA}/freebusy.ics?from={}&to={}", next_monday(), next_monday());
        let busy = impostor.get(&busy).await.expect(200).text;
        assert!(!busy.contains("T090000Z"), "when the meeting is: {busy}");
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

    async fn what_an_impostor_has_stored_is_gone_when_the_owner_sets_another_password(cluster) {
        let bot = Account::verified(cluster, "bot@example.com").await;
        promote(cluster, &bot.email);
        let admin = Account::login(cluster, &bot.email, PASSWORD).await;
        for kind in [RESET, VERIFY] {
            let email = format!("{}@example.com", &kind[..4]);
            let impostor = Account::register(cluster, &email).await;
            fill(&impostor, &bot.email).await;
            let webhooks = format!("/api/users/{email}/webhooks");
            admin.post(&webhooks, json!({ "url": "https://webhooks.invalid/" })).await.expect(201);
            assert_eq!(content(&impostor).await["calendars"], json!(["file", "web"]));
            if kind == RESET {
                forgot(cluster, &email).await.expect(202);
            }
            let mail = wait_for_newest_mail(cluster, &email, kind).await;
            assert!(cluster.get(&mail.link()).await.expect(200).text.contains("starts empty"), "the page says so");
            match kind {
                RESET => reset(cluster, &mail.token(), OTHER).await.expect(204),
                _ => {
                    let proof = json!({ "token": mail.token(), "password": OTHER });
                    cluster.post("/api/auth/verify", proof).await.expect(204)
                }
            };
            let owner = Account::login(cluster, &email, OTHER).await;
            assert_eq!(content(&owner).await, nothing(&email), "{kind}");
            assert_eq!(delegations(&owner).await, json!([]), "{kind}");
            eventually("the webhook is gone", async || {
                let left = owner.get(&webhooks).await.expect(200).json["webhooks"].clone();
                (left == json!([])).then_some(())
            }).await;
            // what the owner stores stays, whatever becomes of the password
            fill(&owner, &bot.email).await;
            let stored = content(&owner).await;
            owner.post(&webhooks, json!({ "url": "https://webhooks.invalid/" })).await.expect(201);
            forgot(cluster, &email).await.expect(202);
            let mail = wait_for_mail(cluster, &email, RESET, if kind == RESET { 2 } else { 1 }).await;
            assert!(!cluster.get(&mail.link()).await.expect(200).text.contains("starts empty"));
            reset(cluster, &mail.token(), PASSWORD).await.expect(204);
            let owner = Account::login(cluster, &email, PASSWORD).await;
            assert_eq!(content(&owner).await, stored, "{kind}");
        }
    }

    async fn an_owner_who_confirms_with_the_same_password_keeps_everything_but_access(cluster) {
        let bot = Account::verified(cluster, "bot@example.com").await;
        for kind in [RESET, VERIFY] {
            let email = format!("{}@example.com", &kind[..4]);
            let before = Account::register(cluster, &email).await;
            fill(&before, &bot.email).await;
            let stored = content(&before).await;
            if kind == RESET {
                forgot(cluster, &email).await.expect(202);
                let token = wait_for_newest_mail(cluster, &email, RESET).await.token();
                reset(cluster, &token, PASSWORD).await.expect(204);
            }
            let owner = match kind {
                RESET => Account::login(cluster, &email, PASSWORD).await,
                _ => before.verify().await,
            };
            assert_eq!(content(&owner).await, stored, "{kind}");
            assert_eq!(delegations(&owner).await, json!([]), "{kind}");
        }
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
