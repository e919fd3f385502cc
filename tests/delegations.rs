//! A bot acts on behalf of users who allow it: with their rights and no more, in its own name, until they take it back.

use std::time::Duration;

use awc::http::Method;
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::account::{Account, PASSWORD, auth_required_with, promote, send_with_bearer};
use crate::support::meeting::{meeting_path, mornings, next_monday, text};
use crate::support::{Cluster, Reply, eventually, rows, within};

const ANA: &str = "ana@example.com";
const BEN: &str = "ben@example.com";
const CAT: &str = "cat@example.com";
const BOT: &str = "bot@example.com";
const DELEGATIONS: &str = "/api/auth/delegations";

/// A bot with an API key that may act on behalf of others.
struct Bot<'a> {
    account: Account<'a>,
    key: String,
}

impl<'a> Bot<'a> {
    async fn new(cluster: &'a Cluster, scope: &str) -> Bot<'a> {
        let account = Account::verified(cluster, BOT).await;
        let key = Bot::key(&account, json!({ "name": "Helper", "scope": scope, "on_behalf": true })).await;
        Bot { account, key }
    }

    async fn key(account: &Account<'_>, wanted: Value) -> String {
        text(&account.post("/api/auth/keys", wanted).await.expect(201).json, "key").to_owned()
    }

    /// A request on behalf of a user.
    async fn send(&self, user: &str, method: Method, path: &str, body: Option<Value>) -> Reply {
        on_behalf(self.account.cluster, &self.key, &[user], method, path, body).await
    }

    async fn meet(&self, user: &str, organizer: &str, others: &[&str]) -> Reply {
        self.send(user, Method::POST, "/api/meetings", Some(meeting(organizer, others))).await
    }
}

async fn on_behalf(
    cluster: &Cluster,
    bearer: &str,
    users: &[&str],
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Reply {
    let bearer = format!("Bearer {bearer}");
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend(users.iter().map(|user| ("on-behalf-of", *user)));
    headers.extend(body.is_some().then_some(("content-type", "application/json")));
    cluster.send(method, path, &headers, body.map(|body| body.to_string().into_bytes())).await
}

fn meeting(organizer: &str, others: &[&str]) -> Value {
    json!({ "organizer": organizer, "attendees": others, "from": next_monday(), "to": next_monday(), "duration_minutes": 15 })
}

/// An account that can meet every morning.
async fn free<'a>(cluster: &'a Cluster, email: &str) -> Account<'a> {
    let account = Account::verified(cluster, email).await;
    account.put(&format!("/api/users/{email}/availability"), mornings()).await.expect(200);
    account
}

async fn allow(account: &Account<'_>) -> Value {
    account.post(DELEGATIONS, json!({ "actor": BOT })).await.expect(201).json
}

fn refused(reply: Reply) {
    assert_eq!((reply.status, &reply.json["type"]), (403, &json!("/problems/forbidden")), "{}", reply.text);
}

async fn invited(account: &Account<'_>, meeting: &Value) -> Value {
    eventually("it is invited", async || {
        let now = account.get(&meeting_path(meeting)).await.expect(200).json;
        (now["status"] == "invited").then_some(now)
    })
    .await
}

both_shapes! { with &auth_required_with(&[]);
    async fn a_bot_acts_for_a_user_in_its_own_name_until_the_user_takes_it_back(cluster) {
        let (ana, ben) = (free(cluster, ANA).await, free(cluster, BEN).await);
        let bot = Bot::new(cluster, "write").await;
        refused(bot.meet(ANA, ANA, &[BEN]).await);
        let delegation = allow(&ana).await;
        assert_eq!((text(&delegation, "actor"), text(&delegation, "scope")), (BOT, "account"));
        assert_eq!(allow(&ana).await["id"], delegation["id"], "once is enough");

        let me = bot.send(ANA, Method::GET, "/api/auth/me", None).await.expect(200).json;
        assert_eq!(text(&me, "id"), ana.id);
        bot.send(&ana.id, Method::GET, &format!("/api/users/{ANA}/availability"), None).await.expect(200);
        let made = bot.meet(ANA, ANA, &[BEN]).await.expect(202).json;
        let acted = json!({ "email": BOT, "key": "Helper", "on_behalf_of": ANA });
        assert_eq!((text(&made, "organizer"), &made["history"][0]["actor"], &made["actor"]), (ANA, &acted, &acted));
        let done = invited(&ben, &made).await;
        assert_eq!((&done["history"][0]["actor"], &done["history"][1]["actor"], &done["actor"]), (&acted, &Value::Null, &Value::Null));
        let path = meeting_path(&made);
        let changed = bot.send(ANA, Method::PATCH, &path, Some(json!({ "title": "By the bot" }))).await.expect(200).json;
        assert_eq!(changed["actor"], acted);
        let changed = ana.patch(&path, json!({ "title": "By herself" })).await.expect(200).json;
        assert_eq!(changed["actor"], Value::Null);

        // for her alone, and with her rights alone
        refused(bot.send(BEN, Method::GET, &path, None).await);
        refused(bot.send("none@example.com", Method::GET, &path, None).await);
        refused(bot.meet(ANA, BEN, &[ANA]).await);
        bot.send(ANA, Method::GET, &format!("/api/users/{BEN}"), None).await.expect(404);
        refused(bot.send(ANA, Method::POST, &format!("{path}/participation"), Some(json!({ "email": BEN, "participation": "declined" }))).await);
        send_with_bearer(cluster, &bot.key, Method::GET, &path, None).await.expect(404);

        let listed = ana.get(DELEGATIONS).await.expect(200).json;
        assert!(listed["delegations"][0]["last_used_at"].is_string(), "{listed}");
        assert_eq!(ben.get(DELEGATIONS).await.expect(200).json["delegations"], json!([]));
        let one = format!("{DELEGATIONS}/{}", text(&delegation, "id"));
        ben.delete(&one).await.expect(404);
        ana.delete(&one).await.expect(204);
        // the gateway may still know the delegation; the role that has the data refuses at once
        refused(bot.send(ANA, Method::PATCH, &path, Some(json!({ "title": "Too late" }))).await);
        refused(bot.send(ANA, Method::GET, &path, None).await);
        refused(bot.send(ANA, Method::GET, &format!("/api/users/{ANA}/availability"), None).await);
        ana.delete(&one).await.expect(404);
    }

    async fn a_bot_never_signs_in_nor_keeps_or_passes_on_what_it_may_do(cluster) {
        let ana = free(cluster, ANA).await;
        let bot = Bot::new(cluster, "write").await;
        allow(&ana).await;
        let user = format!("/api/users/{ANA}");
        for (method, path, body) in [
            (Method::POST, "/api/auth/keys", json!({ "name": "x" })),
            (Method::GET, "/api/auth/keys", Value::Null),
            (Method::PUT, "/api/auth/password", json!({ "current_password": PASSWORD, "password": "another long password" })),
            (Method::POST, "/api/auth/verification", json!({})),
            (Method::GET, "/api/auth/export", Value::Null),
            (Method::POST, DELEGATIONS, json!({ "actor": BEN })),
            (Method::GET, DELEGATIONS, Value::Null),
            (Method::DELETE, &*user, Value::Null),
            (Method::POST, &format!("{user}/webhooks"), json!({ "url": "https://hooks.example.com/x" })),
        ] {
            let body = (!body.is_null()).then_some(body);
            refused(bot.send(ANA, method, path, body).await);
        }
        // a reader reads, an ordinary key acts for its account alone, and so does a person
        let reader = Bot::key(&bot.account, json!({ "name": "Reader", "on_behalf": true })).await;
        let plain = Bot::key(&bot.account, json!({ "name": "Plain", "scope": "write" })).await;
        let profile = Some(json!({ "name": "Anabel" }));
        on_behalf(cluster, &reader, &[ANA], Method::GET, &user, None).await.expect(200);
        refused(on_behalf(cluster, &reader, &[ANA], Method::PATCH, &user, profile.clone()).await);
        refused(on_behalf(cluster, &plain, &[ANA], Method::GET, &user, None).await);
        refused(on_behalf(cluster, &bot.account.token, &[ANA], Method::GET, &user, None).await);
        for wrong in [&[ANA, BEN][..], &[""], &["ana"], &["a/b@example.com"]] {
            on_behalf(cluster, &bot.key, wrong, Method::GET, &user, None).await.expect(400);
        }
        bot.send(ANA, Method::PATCH, &user, profile).await.expect(200);
    }

    async fn only_admins_let_a_bot_act_for_all_and_their_own_rights_stay_theirs(cluster) {
        let (ana, ben) = (free(cluster, ANA).await, free(cluster, BEN).await);
        let bot = Bot::new(cluster, "write").await;
        let all = json!({ "actor": BOT, "scope": "installation" });
        refused(ana.post(DELEGATIONS, all.clone()).await);
        promote(cluster, &ben.email);
        let root = Account::login(cluster, &ben.email, PASSWORD).await;
        allow(&root).await;
        refused(bot.send(BEN, Method::GET, "/api/users", None).await);
        bot.send(BEN, Method::GET, &format!("/api/users/{ANA}"), None).await.expect(404);
        refused(bot.send(ANA, Method::GET, &format!("/api/users/{ANA}"), None).await);

        let delegation = root.post(DELEGATIONS, all).await.expect(201).json;
        bot.send(ANA, Method::GET, &format!("/api/users/{ANA}"), None).await.expect(200);
        refused(bot.send("none@example.com", Method::GET, "/api/auth/me", None).await);
        let listed = ana.get(DELEGATIONS).await.expect(200).json;
        assert_eq!(listed["delegations"][0]["scope"], "installation");
        let one = format!("{DELEGATIONS}/{}", text(&delegation, "id"));
        refused(ana.delete(&one).await);
        root.delete(&one).await.expect(204);
        refused(bot.send(ANA, Method::PATCH, &format!("/api/users/{ANA}"), Some(json!({ "name": "x" }))).await);
    }

    async fn a_bot_names_no_callback_in_a_users_meeting(cluster) {
        let ana = free(cluster, ANA).await;
        free(cluster, BEN).await;
        let bot = Bot::new(cluster, "write").await;
        allow(&ana).await;
        let callback = json!({ "callback_url": "https://example.com/hook", "callback_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" });
        let mut wanted = meeting(ANA, &[BEN]);
        wanted["callback_url"] = callback["callback_url"].clone();
        refused(bot.send(ANA, Method::POST, "/api/meetings", Some(wanted)).await);
        let made = bot.meet(ANA, ANA, &[BEN]).await.expect(202).json;
        refused(bot.send(ANA, Method::PATCH, &meeting_path(&made), Some(callback.clone())).await);
        // a callback that the user has named stays
        ana.patch(&meeting_path(&made), callback).await.expect(200);
        bot.send(ANA, Method::PATCH, &meeting_path(&made), Some(json!({ "title": "Moved" }))).await.expect(200);
    }

    async fn a_delegation_that_cannot_be_says_why(cluster) {
        let ana = free(cluster, ANA).await;
        Account::register(cluster, BOT).await;
        for (actor, code) in [(BOT, "mailbox_unverified"), (ANA, "own_account")] {
            let reply = ana.post(DELEGATIONS, json!({ "actor": actor })).await.expect(422).json;
            assert_eq!(reply["errors"][0]["code"], code, "{reply}");
        }
        ana.post(DELEGATIONS, json!({ "actor": "none@example.com" })).await.expect(404);
        ana.post(DELEGATIONS, json!({ "actor": BOT, "scope": "world" })).await.expect(422);
        let (_, key) = ana.key("write").await;
        refused(send_with_bearer(cluster, &key, Method::POST, DELEGATIONS, Some(json!({ "actor": BOT }))).await);
    }

    async fn nothing_of_a_deleted_bot_stays_in_the_meetings_that_it_made(cluster) {
        let (ana, _) = (free(cluster, ANA).await, free(cluster, BEN).await);
        let bot = Bot::new(cluster, "write").await;
        allow(&ana).await;
        let made = bot.meet(ANA, ANA, &[BEN]).await.expect(202).json;
        invited(&ana, &made).await;
        bot.account.delete(&format!("/api/users/{BOT}")).await.expect(204);
        within(Duration::from_secs(20), "no row names the bot", async || {
            let left = rows::all_rows(cluster).await;
            let left: Vec<_> = left.iter().filter(|row| row.contains(BOT) || row.contains(&bot.account.id)).collect();
            if !left.is_empty() {
                println!("{left:#?}");
            }
            left.is_empty().then_some(())
        })
        .await;
        let now = ana.get(&meeting_path(&made)).await.expect(200).json;
        let actor = &now["history"][0]["actor"];
        assert!(text(actor, "email").ends_with("@deleted.invalid") && text(actor, "on_behalf_of") == ANA, "{now}");
        assert_eq!(now["status"], "invited", "the meeting stays");
        assert_eq!(ana.get(DELEGATIONS).await.expect(200).json["delegations"], json!([]));
    }
}

both_shapes! { with &auth_required_with(&[("W2MEET_INVITATIONS__ACTOR_PER_HOUR", "2"), ("W2MEET_INVITATIONS__ORGANIZER_PER_HOUR", "2")]);
    async fn mails_count_for_the_user_and_for_the_bot(cluster) {
        let (ana, ben) = (free(cluster, ANA).await, free(cluster, BEN).await);
        free(cluster, CAT).await;
        let bot = Bot::new(cluster, "write").await;
        allow(&ana).await;
        allow(&ben).await;
        bot.meet(ANA, ANA, &[CAT]).await.expect(202);
        bot.meet(BEN, BEN, &[CAT]).await.expect(202);
        let too_many = bot.meet(BEN, BEN, &[ANA]).await.expect(429).json;
        assert_eq!(too_many["type"], "/problems/too-many-letters");
        // the bot has used one of the two mails that she may send to Cat in an hour
        ana.post("/api/meetings", meeting(ANA, &[CAT])).await.expect(202);
        ana.post("/api/meetings", meeting(ANA, &[CAT])).await.expect(429);
        ana.post("/api/meetings", meeting(ANA, &[BEN])).await.expect(202);
    }
}
