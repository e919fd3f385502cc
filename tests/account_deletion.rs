//! Export and deletion of an account: what the export contains, and that no personal data remains after the deletion.

use std::time::Duration;

use awc::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::account::{
    Account, OTHER, PASSWORD, RESET, VERIFY, account_mails, auth_required_with, forgot, login, promote, reset,
    send_with_bearer, wait_for_mail, wait_for_newest_mail,
};
use crate::support::meeting::{invitation_mails, next_monday, register_morning_people, text};
use crate::support::shell::utf8;
use crate::support::{Cluster, Shape, eventually, rows, within};

const ANA: &str = "ana@example.com";
const BEN: &str = "ben@example.com";
const CAT: &str = "cat@example.com";
/// Where Ana has a webhook.
const HER_HOST: &str = "her-host.invalid";
/// Where a meeting of Ana's has its callback.
const HER_CALLBACK: &str = "her-callback.invalid";
/// Contains Ana's, and is another's.
const DIANA: &str = "diana@example.com";
const CALENDAR: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:1\r\n\
    DTSTAMP:20260101T000000Z\r\nDTSTART:20270104T090000Z\r\nDTEND:20270104T100000Z\r\nSUMMARY:Dentist\r\nEND:VEVENT\r\n\
    END:VCALENDAR\r\n";

/// Somebody with a free week.
async fn free<'a>(cluster: &'a Cluster, email: &str) -> Account<'a> {
    let account = Account::verified(cluster, email).await;
    let week = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let week: serde_json::Map<String, Value> =
        week.map(|day| (day.to_owned(), json!(["00:00-24:00"]))).into_iter().collect();
    account.put(&format!("/api/users/{email}/availability"), week.into()).await.expect(200);
    account
}

async fn invited(organizer: &Account<'_>, attendees: &[&str], start: &str) -> Value {
    let body = json!({ "organizer": organizer.email, "attendees": attendees, "start": start, "duration_minutes": 30, "title": "Plan" });
    let made = organizer.post("/api/meetings", body).await.expect(202).json;
    settled(organizer, &made, "invited").await
}

async fn settled(account: &Account<'_>, meeting: &Value, status: &str) -> Value {
    eventually(&format!("it is {status}"), async || {
        let now = account.get(&format!("/api/meetings/{}", text(meeting, "id"))).await.expect(200).json;
        (now["status"] == status).then_some(now)
    })
    .await
}

async fn put_calendar(account: &Account<'_>) {
    let bearer = format!("Bearer {}", account.token);
    let headers = [("authorization", bearer.as_str()), ("content-type", "text/calendar")];
    let path = format!("/api/users/{}/calendars/work", account.email);
    let put = account.cluster.send(awc::http::Method::PUT, &path, &headers, Some(CALENDAR.as_bytes().to_vec())).await;
    assert!(put.status == 200 || put.status == 201, "{}", put.text);
}

/// The rows that hold this address as a whole.
fn naming(rows: &[String], email: &str) -> Vec<String> {
    let inside = |c: char| c.is_alphanumeric() || "._-+".contains(c);
    let names =
        |row: &&String| row.match_indices(email).any(|(at, _)| !row[..at].chars().next_back().is_some_and(inside));
    rows.iter().filter(names).cloned().collect()
}

/// Waits until no row holds this address: what is still to be said of it has been said.
async fn is_forgotten(cluster: &Cluster, email: &str) {
    eventually("no row holds the address any more", async || {
        let left = naming(&rows::all_rows(cluster).await, email);
        if !left.is_empty() {
            println!("{left:#?}");
        }
        left.is_empty().then_some(())
    })
    .await;
}

both_shapes! {
    async fn an_account_is_gone_whatever_meetings_are_made_meanwhile(cluster) {
        register_morning_people(cluster, &[BEN, CAT]).await;
        for round in 0..4 {
            let gone = format!("gone{round}@example.com");
            let mut asked: Vec<(Method, String, Value)> = Vec::new();
            for number in 0..15 {
                let (organizer, attendee) = if number % 3 == 0 { (&*gone, BEN) } else { (BEN, &*gone) };
                let body = json!({ "organizer": organizer, "attendees": [attendee], "duration_minutes": 15 });
                asked.push((Method::POST, "/api/meetings".to_owned(), body));
            }
            for _ in 0..5 {
                let body = json!({ "organizer": BEN, "attendees": [CAT], "duration_minutes": 15 });
                let meeting = cluster.post("/api/meetings", body).await.expect(202).json;
                asked.push((Method::PATCH, format!("/api/meetings/{}", text(&meeting, "id")), json!({ "attendees": [CAT, gone] })));
            }
            // reservation has never heard of this person before
            register_morning_people(cluster, &[&gone]).await;
            let delete = (Method::DELETE, format!("/api/users/{gone}"), Value::Null);
            asked.insert(5 * round, delete);
            let replies = join_all(asked.iter().map(async |(method, path, body)| {
                let body = (!body.is_null()).then(|| body.to_string().into_bytes());
                cluster.send(method.clone(), path, &[("content-type", "application/json")], body).await
            })).await;
            for reply in replies {
                assert!([200, 202, 204, 404].contains(&reply.status), "{}", reply.text);
                if reply.json["id"].is_null() {
                    continue;
                }
                let path = format!("/api/meetings/{}", text(&reply.json, "id"));
                eventually("no meeting counts on them", async || {
                    let now = cluster.get(&path).await.expect(200);
                    let is_theirs = !now.text.contains(CAT);
                    (!now.text.contains(&gone) && (!is_theirs || now.json["status"] == "cancelled")).then_some(())
                }).await;
            }
            is_forgotten(cluster, &gone).await;
        }
    }
}

/// Where an address still stands, as `scripts/check-erasure` finds it byte by byte.
fn erasure(cluster: &Cluster, email: &str) -> String {
    let database = match cluster.shape {
        Shape::Embedded => cluster.nodes[0].setting("W2MEET_DATA_DIR"),
        Shape::Services => cluster.nodes[0].setting("W2MEET_DATABASE__URL"),
    };
    let mut script = std::process::Command::new("scripts/check-erasure");
    let prefix = cluster.nodes[0].setting("W2MEET_DATABASE__SCHEMA_PREFIX");
    let done = script.args([email, database, prefix]).output().expect("the script runs");
    assert!(done.status.code().is_some_and(|code| code < 2), "{}", utf8(&done.stderr));
    utf8(&done.stdout)
}

async fn nothing_is_left(cluster: &Cluster, email: &str) {
    within(Duration::from_secs(30), "no byte of the address is left", async || {
        let left = erasure(cluster, email);
        if !left.is_empty() {
            println!("{left}");
        }
        left.is_empty().then_some(())
    })
    .await;
}

both_shapes! { with &auth_required_with(&[
        ("W2MEET_AUTH__VERIFY_EMAIL", "false"), ("W2MEET_MAIL__SMTP_URL", "smtp://127.0.0.1:9"),
        ("W2MEET_JOBS__MAX_ATTEMPTS", "2"), ("W2MEET_JOBS__RETRY_SECONDS", "0.01")]);
    async fn jobs_that_die_after_a_deletion_leave_nothing_behind(cluster) {
        let (ana, ben) = (Account::register(cluster, ANA).await, Account::register(cluster, BEN).await);
        let week: serde_json::Map<String, Value> = ["monday", "tuesday"].iter().map(|day| ((*day).to_owned(), json!(["00:00-24:00"]))).collect();
        for account in [&ana, &ben] {
            account.put(&format!("/api/users/{}/availability", account.email), week.clone().into()).await.expect(200);
        }
        let body = json!({ "organizer": ANA, "attendees": [BEN], "start": format!("{}T09:00:00Z", next_monday()) });
        let made = ana.post("/api/meetings", body).await.expect(202).json;
        settled(&ana, &made, "suggested").await;
        ana.delete(&format!("/api/users/{ANA}")).await.expect(204);
        settled(&ben, &made, "cancelled").await;
        nothing_is_left(cluster, ANA).await;
    }
}

both_shapes! { with &auth_required_with(&[]);
    async fn an_export_holds_all_stored_data_and_no_secret(cluster) {
        let ana = free(cluster, ANA).await;
        free(cluster, BEN).await;
        ana.patch(&format!("/api/users/{ANA}"), json!({ "overrides": { "2027-01-05": [] } })).await.expect(200);
        put_calendar(&ana).await;
        let hook = ana.post(&format!("/api/users/{ANA}/webhooks"), json!({ "url": "https://nowhere.invalid/hook" })).await.expect(201).json;
        let (id, key) = ana.key("write").await;
        let meeting = invited(&ana, &[BEN], &format!("{}T09:00:00Z", next_monday())).await;
        let export = ana.get("/api/auth/export").await.expect(200);
        let all = &export.json;
        assert_eq!(export.header("cache-control"), Some("no-store"));
        assert_eq!(text(&all["user"], "email"), ANA);
        assert!(all["user"]["overrides"].to_string().contains("2027-01-05"), "{}", all["user"]);
        assert_eq!(text(&all["account"], "email"), ANA);
        assert_eq!((text(&all["keys"][0], "id"), all["keys"].as_array().map(Vec::len)), (id.as_str(), Some(1)));
        assert_eq!(all["sessions"].as_array().map(Vec::len), Some(1));
        assert_eq!(text(&all["letters"][0], "purpose"), "verify_mailbox");
        assert_eq!((text(&all["calendars"][0], "name"), text(&all["calendars"][0], "content")), ("work", CALENDAR));
        assert_eq!(all["meetings"][0]["id"], meeting["id"]);
        assert_eq!((&all["webhooks"][0]["id"], &all["webhooks"][0]["url"]), (&hook["id"], &hook["url"]));
        for (list, kind) in [("account_deliveries", "send_letter"), ("deliveries", "send_invitations")] {
            let kinds: Vec<&str> = all[list].as_array().into_iter().flatten().map(|one| text(one, "kind")).collect();
            assert_eq!(kinds, [kind], "{list}");
        }
        for secret in [&key, &ana.token, &ana.refresh, &"argon2".to_owned(), &"hash".to_owned(), &"whsec_".to_owned()] {
            assert!(!export.text.contains(secret.as_str()), "it holds {secret}");
        }
        send_with_bearer(cluster, &key, awc::http::Method::GET, "/api/auth/export", None).await.expect(403);
        cluster.get("/api/auth/export").await.expect(401);
    }

    async fn nothing_of_a_deleted_account_stays(cluster) {
        let (ana, diana) = (free(cluster, ANA).await, free(cluster, DIANA).await);
        let ben = free(cluster, BEN).await;
        free(cluster, CAT).await;
        put_calendar(&ana).await;
        let (_, key) = ana.key("write").await;
        forgot(cluster, ANA).await.expect(202);
        wait_for_newest_mail(cluster, ANA, RESET).await;
        let day = next_monday();
        let hers = invited(&ana, &[BEN, DIANA], &format!("{day}T09:00:00Z")).await;
        let past = invited(&ana, &[BEN], &format!("{day}T11:00:00Z")).await;
        let alone = invited(&ana, &[CAT], &format!("{day}T12:00:00Z")).await;
        let bens = invited(&ben, &[ANA, DIANA], &format!("{day}T13:00:00Z")).await;
        ana.delete(&format!("/api/meetings/{}", text(&alone, "id"))).await.expect(204);
        // one of them has been: its end is put into the past, where the service keeps it
        let end = format!("\"end\":\"{}", day.year());
        rows::run_sql(cluster, "reservation", &format!(
            "UPDATE meetings SET document = replace(document, '{end}', '\"end\":\"2001') WHERE id = '{}'", text(&past, "id"))).await;
        assert!(naming(&rows::all_rows(cluster).await, ANA).len() > 10, "the search finds her");
        let cat = Account::login(cluster, CAT, PASSWORD).await;
        cat.delete(&format!("/api/users/{CAT}")).await.expect(204);

        ben.delete(&format!("/api/users/{ANA}")).await.expect(404);
        ana.delete(&format!("/api/users/{ANA}")).await.expect(204);
        eventually("her tokens are void", async || (ana.get("/api/auth/me").await.status == 401).then_some(())).await;
        cluster.post("/api/auth/refresh", json!({ "refresh_token": ana.refresh })).await.expect(401);
        eventually("her key is void", async || {
            (send_with_bearer(cluster, &key, awc::http::Method::GET, "/api/auth/me", None).await.status == 401).then_some(())
        }).await;
        // the others are told, in her name, for else their calendars would not believe it
        let off = eventually("Ben and Diana hear that it is off", async || {
            let off: Vec<_> = invitation_mails(cluster, &hers).into_iter().filter(|invitation| invitation.cancel).collect();
            (off.len() == 2).then_some(off)
        }).await;
        assert!(off.iter().all(|invitation| invitation.ics.contains(ANA)), "{off:?}");
        is_forgotten(cluster, ANA).await;
        let left: Vec<String> = rows::all_rows(cluster).await.into_iter().filter(|row| row.contains(&ana.id)).collect();
        assert_eq!(left, Vec::<String>::new(), "nor her id");
        login(cluster, ANA, PASSWORD).await.expect(401);

        // what the others have of it
        let hers = settled(&ben, &hers, "cancelled").await;
        let absent = text(&hers, "organizer").to_owned();
        assert!(absent.starts_with("nobody-") && absent.ends_with("@deleted.invalid"), "{hers}");
        let past = ben.get(&format!("/api/meetings/{}", text(&past, "id"))).await.expect(200).json;
        assert_eq!((text(&past, "status"), text(&past, "title")), ("invited", "Plan"));
        assert!(text(&past, "organizer") != absent && text(&past, "organizer").ends_with("@deleted.invalid"), "{past}");
        let bens = diana.get(&format!("/api/meetings/{}", text(&bens, "id"))).await.expect(200).json;
        let come: Vec<&str> = bens["attendees"].as_array().into_iter().flatten().map(|one| text(one, "email")).collect();
        assert_eq!((text(&bens, "status"), come), ("invited", vec![BEN, DIANA]));
        // nobody is left who was in that one
        let gone = rows::all_rows(cluster).await.into_iter().filter(|row| row.contains(text(&alone, "id"))).collect::<Vec<_>>();
        assert_eq!(gone.iter().filter(|row| row.starts_with("meetings:")).count(), 0, "{gone:?}");

        // the address is free, and whoever takes it finds nothing
        let anew = Account::register(cluster, ANA).await;
        assert_ne!(anew.id, ana.id);
        assert_eq!(anew.get("/api/meetings").await.expect(200).json["meetings"], json!([]));
        assert_eq!(anew.get("/api/auth/keys").await.expect(200).json["keys"], json!([]));
    }

    async fn no_byte_of_a_deleted_account_is_left(cluster) {
        let (ana, ben) = (free(cluster, ANA).await, free(cluster, BEN).await);
        let cat = free(cluster, CAT).await;
        put_calendar(&ana).await;
        for (account, host) in [(&ana, HER_HOST), (&ben, "nowhere.invalid"), (&cat, "nowhere.invalid")] {
            let path = format!("/api/users/{}/webhooks", account.email);
            account.post(&path, json!({ "url": format!("https://{host}/hook") })).await.expect(201);
        }
        let day = next_monday();
        invited(&ana, &[BEN, CAT], &format!("{day}T09:00:00Z")).await;
        // webhooks that nobody takes wait for their next attempt, with the meeting in them
        let callbacks = [(&ben, [ANA, CAT], 10, "nowhere.invalid"), (&ana, [BEN, CAT], 11, HER_CALLBACK), (&ben, [ANA, CAT], 12, "nowhere.invalid")];
        for (organizer, others, hour, host) in callbacks {
            let body = json!({
                "organizer": organizer.email, "attendees": others, "start": format!("{day}T{hour}:00:00Z"), "duration_minutes": 30,
                "callback_url": format!("https://{host}/hook"),
            });
            let made = organizer.post("/api/meetings", body).await.expect(202).json;
            settled(organizer, &made, "invited").await;
            eventually("the webhook waits", async || {
                let deliveries = organizer.get(&format!("/api/meetings/{}/deliveries", text(&made, "id"))).await.expect(200).json;
                let jobs = deliveries["jobs"].as_array().cloned().unwrap_or_default();
                jobs.iter().any(|job| job["kind"] == "deliver_webhook" && job["state"] == "retryable").then_some(())
            })
            .await;
            if hour == 12 {
                // what webhooks were to be told before names the former attendee
                organizer.patch(&format!("/api/meetings/{}", text(&made, "id")), json!({ "attendees": [CAT] })).await.expect(200);
            }
        }
        for (text, what) in [(ANA, "her"), (HER_HOST, "her webhook"), (HER_CALLBACK, "her callback")] {
            assert!(!erasure(cluster, text).is_empty(), "the script finds {what}");
        }
        ana.delete(&format!("/api/users/{ANA}")).await.expect(204);
        nothing_is_left(cluster, ANA).await;
        nothing_is_left(cluster, HER_HOST).await;
        nothing_is_left(cluster, HER_CALLBACK).await;
        assert_eq!(cat.get("/api/meetings").await.expect(200).json["meetings"].as_array().map(Vec::len), Some(4));
    }

    async fn an_admin_deletes_any_account_and_open_codes_go_with_it(cluster) {
        let admin = Account::verified(cluster, "root@example.com").await;
        promote(cluster, &admin.email);
        let admin = Account::login(cluster, &admin.email, PASSWORD).await;
        Account::register(cluster, ANA).await;
        forgot(cluster, ANA).await.expect(202);
        let mail = wait_for_newest_mail(cluster, ANA, RESET).await;
        admin.delete(&format!("/api/users/{ANA}")).await.expect(204);
        reset(cluster, &mail.token(), OTHER).await.expect(410);
        is_forgotten(cluster, ANA).await;
        admin.delete(&format!("/api/users/{ANA}")).await.expect(404);
    }

    async fn a_mail_to_an_address_without_an_account_leaves_no_code_behind(cluster) {
        forgot(cluster, "nobody@example.com").await.expect(202);
        eventually("the job of the mail holds neither the address nor the code", async || {
            let left = naming(&rows::all_rows(cluster).await, "nobody@example.com");
            (!left.iter().any(|row| row.contains("send_letter"))).then_some(())
        })
        .await;
    }

    async fn deleting_accounts_does_not_reset_the_mail_limit(cluster) {
        for round in 1..=7 {
            let ana = Account::register(cluster, ANA).await;
            if round <= 5 {
                wait_for_mail(cluster, ANA, VERIFY, round).await;
            }
            ana.delete(&format!("/api/users/{ANA}")).await.expect(204);
        }
        is_forgotten(cluster, ANA).await;
        assert_eq!(account_mails(cluster, ANA, VERIFY).len(), 5);
    }
}
