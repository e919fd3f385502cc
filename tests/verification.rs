//! E-mail verification, password reset, and accounts that are claimed by e-mail.

use std::collections::HashSet;

use awc::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::access::run_beside;
use crate::support::account::{
    Account, OTHER, PASSWORD, RESET, VERIFY, account_mails, auth_required_with, forgot, login, promote, reset,
    send_with_bearer, wait_for_mail, wait_for_mail_jobs, wait_for_newest_mail,
};
use crate::support::fault_rig::FaultRig;
use crate::support::shell::utf8;
use crate::support::{Cluster, Reply, Shape, eventually, rows, within};

const ANA: &str = "ana@example.com";
const BEN: &str = "ben@example.com";
const FORM: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded")];

async fn verify(cluster: &Cluster, token: &str) -> Reply {
    cluster.post("/api/auth/verify", json!({ "token": token, "password": PASSWORD })).await
}

async fn form(cluster: &Cluster, link: &str, body: &str) -> Reply {
    cluster.send(Method::POST, link, &FORM, Some(body.as_bytes().to_vec())).await
}

fn is_strict(page: &Reply) {
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap_or_default();
    for rule in ["default-src 'none'", "style-src 'sha256-", "form-action 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("script-src"), "{policy}");
    assert_eq!((page.header("referrer-policy"), page.header("cache-control")), (Some("no-referrer"), Some("no-store")));
    assert!(!page.text.contains("<script") && page.text.contains("width=device-width"), "{}", page.text);
}

/// How long two things take, as the middle ones of many that were done in turn.
async fn middles(mut ask: impl AsyncFnMut(usize)) -> [std::time::Duration; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..41 {
        for (which, times) in times.iter_mut().enumerate() {
            let begin = std::time::Instant::now();
            ask(which).await;
            times.push(begin.elapsed());
        }
    }
    times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    })
}

both_shapes! { with &auth_required_with(&[]);
    async fn registration_sends_a_link_that_verifies_the_mailbox_once(cluster) {
        let ana = Account::register(cluster, ANA).await;
        assert_eq!(ana.get("/api/auth/me").await.expect(200).json["email_verified_at"], Value::Null);
        let mail = wait_for_mail(cluster, ANA, VERIFY, 1).await;
        assert!(mail.text.contains("\r\nSubject: "), "{}", mail.text);
        assert!(mail.text.contains("Auto-Submitted: auto-generated") && mail.text.contains("24"), "{}", mail.text);
        assert!(mail.link().starts_with("/api/auth/verify?token="), "{}", mail.link());
        assert!(mail.text.contains(&format!("{}/api/auth/verify", cluster.base())), "{}", mail.text);
        verify(cluster, &mail.token()).await.expect(204);
        let ana = Account::login(cluster, ANA, PASSWORD).await;
        let seen = ana.get("/api/auth/me").await.expect(200).json["email_verified_at"].clone();
        assert!(seen.is_string(), "{seen}");
        let again = verify(cluster, &mail.token()).await;
        again.expect_problem("410 link-void", "/api/auth/verify", "used once");
        assert_eq!(ana.get("/api/auth/me").await.expect(200).json["email_verified_at"], seen);
        // nothing more to send
        ana.post("/api/auth/verification", json!({})).await.expect(202);
        assert_eq!(account_mails(cluster, ANA, VERIFY).len(), 1);
        for wrong in [json!({}), json!({ "token": 7 }), json!({ "token": "x", "y": 1 }), json!({ "token": "" }),
            json!({ "token": "x" }), json!({ "token": "x", "password": null }), json!({ "token": "x", "password": "short" })] {
            cluster.post("/api/auth/verify", wrong).await.expect(422);
        }
        verify(cluster, "nobody-ever-drew-this").await.expect(410);
    }

    async fn the_linked_page_verifies_only_when_its_button_is_pressed(cluster) {
        let ana = Account::register(cluster, ANA).await;
        let mail = wait_for_newest_mail(cluster, ANA, VERIFY).await;
        for _ in 0..2 {
            let page = cluster.get(&mail.link()).await.expect(200);
            is_strict(&page);
            for part in ["<form method=\"post\">", "autofocus", "name=\"password\"", ANA, "<html lang=\"en\">", ":focus-visible"] {
                assert!(page.text.contains(part), "{part}: {}", page.text);
            }
        }
        cluster.send(Method::HEAD, &mail.link(), &[], None).await.expect(200);
        assert_eq!(ana.get("/api/auth/me").await.json["email_verified_at"], Value::Null, "mail scanners open links");
        let body = format!("token={}&password={}", mail.token(), OTHER.replace(' ', "+"));
        for incomplete in [format!("token={}", mail.token()), format!("token={}&password=short", mail.token())] {
            let again = form(cluster, &mail.link(), &incomplete).await.expect(422);
            is_strict(&again);
            assert!(again.text.contains("role=\"alert\"") && again.text.contains("<form"), "{}", again.text);
        }
        let done = form(cluster, &mail.link(), &body).await.expect(200);
        is_strict(&done);
        assert!(done.text.contains("role=\"status\""), "{}", done.text);
        login(cluster, ANA, PASSWORD).await.expect(401);
        let ana = Account::login(cluster, ANA, OTHER).await;
        assert!(ana.get("/api/auth/me").await.json["email_verified_at"].is_string());
        for late in [cluster.get(&mail.link()).await, form(cluster, &mail.link(), &body).await] {
            is_strict(&late.expect(410));
        }
        let odd = cluster.get("/api/auth/verify?token=%3Cscript%3E").await.expect(410);
        assert!(!odd.text.contains("<script"), "{}", odd.text);
        cluster.get("/api/auth/verify").await.expect(422);
    }

    async fn a_new_mail_invalidates_older_links_and_mails_are_limited(cluster) {
        let ana = Account::register(cluster, ANA).await;
        let first = wait_for_mail(cluster, ANA, VERIFY, 1).await;
        for count in 2..=5 {
            ana.post("/api/auth/verification", json!({})).await.expect(202);
            wait_for_mail(cluster, ANA, VERIFY, count).await;
        }
        let refused = ana.post("/api/auth/verification", json!({})).await;
        refused.expect_problem("429 too-many-letters", "/api/auth/verification", "five an hour");
        assert_eq!(refused.header("retry-after"), Some("3600"));
        let all = account_mails(cluster, ANA, VERIFY);
        assert_eq!(all.iter().map(|mail| mail.token()).collect::<HashSet<_>>().len(), 5);
        for mail in &all[..4] {
            verify(cluster, &mail.token()).await.expect(410);
        }
        assert_eq!(first, all[0]);
        // another kind of letter is another matter
        forgot(cluster, ANA).await.expect(202);
        let other = wait_for_mail(cluster, ANA, RESET, 1).await;
        verify(cluster, &other.token()).await.expect(410);
        reset(cluster, &all[4].token(), OTHER).await.expect(410);
        verify(cluster, &all[4].token()).await.expect(204);
        send_with_bearer(cluster, "nonsense", Method::POST, "/api/auth/verification", Some(json!({}))).await.expect(401);
    }

    async fn only_organizers_with_a_verified_mailbox_invite_others(cluster) {
        let ana = Account::register(cluster, ANA).await;
        Account::register(cluster, BEN).await;
        let week = json!({ "monday": ["00:00-24:00"] });
        ana.put(&format!("/api/users/{ANA}/availability"), week).await.expect(200);
        let request = json!({ "organizer": ANA, "attendees": [BEN] });
        let refused = ana.post("/api/meetings", request.clone()).await;
        refused.expect_problem("403 mailbox-unverified", "/api/meetings", "nobody has shown that mailbox");
        assert!(refused.text.contains("/api/auth/verification"), "it says what to do: {}", refused.text);
        let book = json!({ "organizer": ANA, "attendees": [ANA, BEN], "notify": true });
        let ask = json!({ "attendees": [ANA, BEN] });
        let query = format!("attendee={ANA}&attendee={BEN}");
        for path in ["/api/availability", "/api/suggestions"] {
            for body in [&ask, &json!({ "attendees": [ANA, "nobody@example.com"] })] {
                ana.post(path, body.clone()).await.expect_problem("403 mailbox-unverified", path, "about others");
            }
            let asked = ana.get(&format!("{path}?{query}")).await;
            asked.expect_problem("403 mailbox-unverified", path, "about others");
        }
        ana.post("/api/suggestions", book).await.expect_problem("403 mailbox-unverified", "/api/suggestions", "booked");
        ana.get(&format!("/availability/availabilities?userId1={ANA}&userId2={BEN}")).await.expect(403);
        ana.get(&format!("/api/users/{ANA}/availability")).await.expect(200);
        ana.get(&format!("/api/users/{ANA}/freebusy.ics")).await.expect(200);
        let ana = ana.verify().await;
        ana.get(&format!("/api/suggestions?{query}")).await.expect(200);
        ana.post("/api/meetings", request).await.expect(202);
    }

    async fn a_forgotten_password_is_set_anew_and_every_session_ends(cluster) {
        let ana = Account::verified(cluster, ANA).await;
        let (_, key) = ana.key("read").await;
        forgot(cluster, "Ana@EXAMPLE.com").await.expect(202);
        let mail = wait_for_mail(cluster, ANA, RESET, 1).await;
        assert!(mail.text.contains("\r\nSubject: ") && mail.link().starts_with("/api/auth/"), "{}", mail.text);
        for weak in ["", "too short", "passwordpassword", ANA] {
            let reply = reset(cluster, &mail.token(), weak).await;
            reply.expect_problem("422 validation", "/api/auth/password/reset", weak);
            assert_eq!(reply.pointers(), ["#/password"], "{weak}");
        }
        reset(cluster, &mail.token(), OTHER).await.expect(204);
        reset(cluster, &mail.token(), PASSWORD).await.expect_problem("410 link-void", "/api/auth/password/reset", "used once");
        login(cluster, ANA, PASSWORD).await.expect(401);
        cluster.post("/api/auth/refresh", json!({ "refresh_token": ana.refresh })).await.expect(401);
        let anew = Account::login(cluster, ANA, OTHER).await;
        assert_eq!(anew.id, ana.id);
        // keys are no sessions, and it was Ana who made this one
        send_with_bearer(cluster, &key, Method::GET, "/api/auth/me", None).await.expect(200);
    }

    async fn the_password_page_explains_errors_and_accepts_a_correction(cluster) {
        Account::register(cluster, ANA).await;
        forgot(cluster, ANA).await.expect(202);
        let mail = wait_for_newest_mail(cluster, ANA, RESET).await;
        let page = cluster.get(&mail.link()).await.expect(200);
        is_strict(&page);
        for part in ["autocomplete=\"new-password\"", "<label for=\"password\">", "autocomplete=\"username\"", "aria-describedby=\"rule\"", ANA] {
            assert!(page.text.contains(part), "{part}: {}", page.text);
        }
        let body = |password: &str| format!("token={}&password={}", mail.token(), password.replace(' ', "+"));
        let wrong = form(cluster, &mail.link(), &body("short")).await.expect(422);
        is_strict(&wrong);
        assert!(wrong.text.contains("role=\"alert\"") && wrong.text.contains("aria-invalid=\"true\""), "{}", wrong.text);
        assert!(!wrong.text.contains("short\""), "what was typed is not sent back: {}", wrong.text);
        let done = form(cluster, &mail.link(), &body(OTHER)).await.expect(200);
        is_strict(&done);
        assert!(done.text.contains("role=\"status\""), "{}", done.text);
        Account::login(cluster, ANA, OTHER).await;
        is_strict(&cluster.get(&mail.link()).await.expect(410));
        is_strict(&form(cluster, &mail.link(), &body(PASSWORD)).await.expect(410));
    }

    async fn responses_do_not_reveal_whether_an_account_exists(cluster) {
        Account::verified(cluster, ANA).await;
        let shown = |reply: &Reply| {
            let mut headers = reply.headers.clone();
            headers.retain(|(name, _)| !["case-id", "date"].contains(&name.as_str()) && !name.starts_with("ratelimit"));
            headers.sort();
            (reply.status, headers, reply.text.clone())
        };
        let known = forgot(cluster, ANA).await.expect(202);
        let unknown = forgot(cluster, "nobody@example.com").await.expect(202);
        assert_eq!(shown(&known), shown(&unknown));
        wait_for_newest_mail(cluster, ANA, RESET).await;
        for _ in 0..5 {
            forgot(cluster, ANA).await.expect(202);
            forgot(cluster, "nobody@example.com").await.expect(202);
        }
        let (known, unknown) = (forgot(cluster, ANA).await, forgot(cluster, "nobody@example.com").await);
        assert_eq!(shown(&known), shown(&unknown), "beyond the bound, too");
        assert_eq!(account_mails(cluster, "nobody@example.com", RESET), []);
        // nor by many at once
        Account::verified(cluster, BEN).await;
        for reply in join_all((0..24).map(|_| forgot(cluster, BEN))).await {
            reply.expect(202);
        }
        for _ in 0..5 {
            forgot(cluster, BEN).await.expect(202);
        }
        let codes = async |email: &str| {
            let is_code = |row: &String| row.starts_with("codes:") && row.contains(email) && row.contains(RESET);
            rows::all_rows(cluster).await.into_iter().filter(is_code).count()
        };
        assert_eq!((codes(ANA).await, codes(BEN).await, codes("").await), (5, 5, 15));
        // what somebody else has typed may be anybody's address
        login(cluster, "nobody@example.com", PASSWORD).await.expect(401);
        eventually("no address without an account is kept", async || {
            let rows = rows::all_rows(cluster).await;
            let kept = rows.iter().any(|row| row.contains("nobody@example.com"));
            (!kept && rows.iter().any(|row| row.starts_with("sign_in_failures:"))).then_some(())
        }).await;
        assert_eq!(codes("").await, 15, "they count");
        forgot(cluster, "nobody@example.com").await.expect(202);
        assert_eq!(codes("").await, 15, "five in an hour");
    }

    async fn an_account_without_a_password_is_claimed_by_its_mailbox_alone(cluster) {
        let admin = Account::verified(cluster, "root@example.com").await;
        promote(cluster, &admin.email);
        let admin = Account::login(cluster, &admin.email, PASSWORD).await;
        let body = json!({ "email": ANA, "name": "Ana", "availability": { "monday": [9] } });
        admin.post("/api/users", body).await.expect(201);
        let taken = cluster.post("/api/auth/register", json!({ "email": ANA, "password": PASSWORD })).await;
        taken.expect_problem("409 user-exists", "/api/auth/register", "the address alone proves nothing");
        login(cluster, ANA, PASSWORD).await.expect(401);
        assert_eq!(account_mails(cluster, ANA, VERIFY).len(), 0);
        forgot(cluster, ANA).await.expect(202);
        reset(cluster, &wait_for_newest_mail(cluster, ANA, RESET).await.token(), OTHER).await.expect(204);
        let ana = Account::login(cluster, ANA, OTHER).await;
        assert!(ana.get("/api/auth/me").await.json["email_verified_at"].is_string(), "the same letter has shown it");
        let week = ana.get(&format!("/api/users/{ANA}/availability")).await.expect(200).json;
        assert_eq!(week["monday"], json!(["09:00-10:00"]), "what was kept for her is hers");
    }

    async fn the_owner_of_a_mailbox_takes_over_an_account_registered_by_another(cluster) {
        let eve = Account::register(cluster, ANA).await;
        let (_, key) = eve.key("write").await;
        forgot(cluster, ANA).await.expect(202);
        reset(cluster, &wait_for_newest_mail(cluster, ANA, RESET).await.token(), OTHER).await.expect(204);
        login(cluster, ANA, PASSWORD).await.expect(401);
        cluster.post("/api/auth/refresh", json!({ "refresh_token": eve.refresh })).await.expect(401);
        crate::support::eventually("the key is refused", async || {
            (send_with_bearer(cluster, &key, Method::GET, "/api/auth/me", None).await.status == 401).then_some(())
        }).await;
        // the letter that Eve's registration sent is good for nothing that Ana has not done herself
        let ana = Account::login(cluster, ANA, OTHER).await;
        assert!(ana.get("/api/auth/me").await.json["email_verified_at"].is_string());
    }

    async fn a_proof_of_the_mailbox_never_keeps_the_password_of_another_person(cluster) {
        Account::register(cluster, ANA).await;
        let token = wait_for_newest_mail(cluster, ANA, VERIFY).await.token();
        let refused = cluster.post("/api/auth/verify", json!({ "token": token })).await.expect(422);
        assert_eq!(refused.json["errors"][0]["pointer"], "#/password", "{}", refused.text);
        let proof = json!({ "token": token, "password": OTHER });
        cluster.post("/api/auth/verify", proof).await.expect(204);
        login(cluster, ANA, PASSWORD).await.expect(401);
        login(cluster, ANA, OTHER).await.expect(200);
    }

    async fn a_password_is_changed_by_the_old_one_and_the_other_sessions_end(cluster) {
        let here = Account::verified(cluster, ANA).await;
        let there = Account::login(cluster, ANA, PASSWORD).await;
        let put = async |account: &Account<'_>, old: &str, new: &str| {
            account.put("/api/auth/password", json!({ "current_password": old, "password": new })).await
        };
        put(&here, OTHER, OTHER).await.expect_problem("401 wrong-password", "/api/auth/password", "not the old one");
        assert_eq!(put(&here, PASSWORD, "short").await.expect(422).pointers(), ["#/password"]);
        put(&here, PASSWORD, OTHER).await.expect(204);
        login(cluster, ANA, PASSWORD).await.expect(401);
        login(cluster, ANA, OTHER).await.expect(200);
        cluster.post("/api/auth/refresh", json!({ "refresh_token": there.refresh })).await.expect(401);
        cluster.post("/api/auth/refresh", json!({ "refresh_token": here.refresh })).await.expect(200);
        cluster.put("/api/auth/password", json!({ "current_password": OTHER, "password": PASSWORD })).await.expect(401);
    }

    async fn an_ended_session_changes_nothing(cluster) {
        let here = Account::verified(cluster, ANA).await;
        let there = Account::login(cluster, ANA, PASSWORD).await;
        let change = json!({ "current_password": PASSWORD, "password": OTHER });
        here.put("/api/auth/password", change).await.expect(204);
        // at once: what was seen of it a moment ago counts for reading alone
        there.post("/api/auth/keys", json!({ "name": "evil" })).await.expect(401);
        there.put("/api/users/ana@example.com/availability", json!({ "monday": [9] })).await.expect(401);
        there.get("/api/auth/export").await.expect(401);
        there.get("/api/auth/me").await.expect(401);
        there.delete("/api/users/ana@example.com").await.expect(401);
        here.get("/api/auth/me").await.expect(200);
    }

    async fn a_link_that_was_not_followed_in_time_is_void(cluster) {
        Account::register(cluster, ANA).await;
        forgot(cluster, ANA).await.expect(202);
        let (first, second) = (wait_for_newest_mail(cluster, ANA, VERIFY).await, wait_for_newest_mail(cluster, ANA, RESET).await);
        rows::run_sql(cluster, "user", "UPDATE codes SET expires_at = '2020-01-01 00:00:00'").await;
        verify(cluster, &first.token()).await.expect_problem("410 link-void", "/api/auth/verify", "too late");
        reset(cluster, &second.token(), OTHER).await.expect_problem("410 link-void", "/api/auth/password/reset", "too late");
        is_strict(&cluster.get(&second.link()).await.expect(410));
        login(cluster, ANA, PASSWORD).await.expect(200);
    }

    async fn only_one_of_many_concurrent_uses_of_a_code_succeeds(cluster) {
        Account::register(cluster, ANA).await;
        forgot(cluster, ANA).await.expect(202);
        let token = wait_for_newest_mail(cluster, ANA, RESET).await.token();
        let passwords: Vec<String> = (0..6).map(|n| format!("{OTHER} {n}")).collect();
        let tries = passwords.iter().map(|password| reset(cluster, &token, password));
        let seen: Vec<u16> = join_all(tries).await.iter().map(|reply| reply.status).collect();
        let mut sorted = seen.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [204, 410, 410, 410, 410, 410]);
        // whoever was told so has set it, and nobody else; one by one, for many that fail at once close the account for a while
        let (set, refused): (Vec<_>, Vec<_>) = passwords.iter().zip(&seen).partition(|(_, status)| **status == 204);
        for (password, _) in set {
            login(cluster, ANA, password).await.expect(200);
        }
        for (password, _) in refused {
            login(cluster, ANA, password).await.expect(401);
        }
    }

    async fn no_code_is_shown_again(cluster) {
        let ana = Account::register(cluster, ANA).await;
        forgot(cluster, ANA).await.expect(202);
        let (first, second) = (wait_for_newest_mail(cluster, ANA, VERIFY).await, wait_for_newest_mail(cluster, ANA, RESET).await);
        cluster.get(&first.link()).await.expect(200);
        cluster.get(&second.link()).await.expect(200);
        let refused = reset(cluster, &second.token(), "short").await.expect(422);
        let ana = ana.verify().await;
        let (_, key) = ana.key("read").await;
        let (wrong, again) = (verify(cluster, &first.token()).await, ana.get("/api/auth/keys").await.expect(200));
        let export = ana.get("/api/auth/export").await.expect(200);
        let output = cluster.nodes.iter().map(|node| node.log_text()).collect::<String>();
        for secret in [first.token(), second.token(), key, PASSWORD.to_owned()] {
            assert!(secret.len() > 20, "{secret}");
            for (what, text) in [("log", &output), ("422", &refused.text), ("410", &wrong.text), ("keys", &again.text), ("export", &export.text)] {
                assert!(!text.contains(&secret), "{what} holds {secret}");
            }
        }
    }
}

both_shapes! { with &auth_required_with(&[
        ("W2MEET_AUTH__RESET_MINUTES", "0.00001"), ("W2MEET_AUTH__VERIFICATION_MINUTES", "0.00001")]);
    async fn a_link_ends_by_itself_and_one_that_is_over_is_not_even_sent(cluster) {
        let ana = Account::register(cluster, ANA).await;
        forgot(cluster, ANA).await.expect(202);
        let done = run_beside(cluster.nodes_of("user")[0], &["user", "promote", ANA, "--unverified"]);
        assert!(done.status.success(), "{}", utf8(&done.stderr));
        let ana = Account::login(cluster, &ana.email, PASSWORD).await;
        wait_for_mail_jobs(cluster, &ana.token).await;
        let output = send_with_bearer(cluster, &ana.token, Method::GET, "/api/jobs?limit=200", None).await.expect(200);
        assert!(output.text.contains("\"cancelled\""), "{}", output.text);
        assert_eq!((account_mails(cluster, ANA, VERIFY).len(), account_mails(cluster, ANA, RESET).len()), (0, 0));
    }
}

both_shapes! { with &auth_required_with(&[("W2MEET_AUTH__VERIFY_EMAIL", "false")]);
    async fn without_mail_no_verification_is_required(cluster) {
        let ana = Account::register(cluster, ANA).await;
        Account::register(cluster, BEN).await;
        ana.post("/api/meetings", json!({ "organizer": ANA, "attendees": [BEN] })).await.expect(202);
        assert_eq!(account_mails(cluster, ANA, VERIFY).len(), 0);
        // a verification e-mail can still be requested
        ana.post("/api/auth/verification", json!({})).await.expect(202);
        wait_for_newest_mail(cluster, ANA, VERIFY).await;
    }
}

/// The work is the same by construction; this would show a look-up that one of them lacks, or a letter that is waited for.
#[actix_web::test]
async fn an_unknown_address_takes_as_long_as_a_known_one() {
    let more = auth_required_with(&[("W2MEET_AUTH__LETTERS_PER_HOUR", "100000")]);
    let cluster = &Cluster::in_shape(Shape::Embedded, &more).await;
    Account::register(cluster, ANA).await;
    let asked = [ANA, "nobody@example.com"];
    let [known, unknown] = middles(async |which: usize| drop(forgot(cluster, asked[which]).await.expect(202))).await;
    println!("known {known:?}, unknown {unknown:?}");
    if crate::support::benchmarks::is_full_size() {
        let ratio = known.as_secs_f64() / unknown.as_secs_f64();
        assert!((0.8..1.25).contains(&ratio), "known {known:?}, unknown {unknown:?}");
    }
}

/// `kill -9`, again and again, while letters are being written: each is there in the end, and once, for a repeated one has the
/// same name and the same bytes.
#[actix_web::test]
async fn no_mail_is_lost_when_workers_are_killed() {
    let sweep = ("W2MEET_JOBS__SWEEP_SECONDS", "1");
    let Some(rig) = FaultRig::start(&auth_required_with(&[sweep])).await else { return };
    let cluster = &rig.cluster;
    let people: Vec<String> = (0..30).map(|n| format!("p{n}@example.com")).collect();
    for (n, email) in people.iter().enumerate() {
        cluster.post("/api/auth/register", json!({ "email": email, "password": PASSWORD })).await.expect(201);
        if n % 6 == 3 {
            rig.replace_workers();
        }
    }
    within(std::time::Duration::from_secs(60), "everybody has a letter", async || {
        people.iter().all(|email| account_mails(cluster, email, VERIFY).len() == 1).then_some(())
    })
    .await;
    for email in &people {
        verify(cluster, &wait_for_newest_mail(cluster, email, VERIFY).await.token()).await.expect(204);
    }
}

/// Without a mail server: the operator prints the link on the machine itself.
#[actix_web::test]
async fn an_operator_prints_a_link_that_sets_a_password() {
    let cluster = &Cluster::in_shape(Shape::Embedded, &auth_required_with(&[])).await;
    Account::register(cluster, ANA).await;
    let run = |email: &str| run_beside(cluster.nodes_of("user")[0], &["user", "password-reset", email]);
    let done = run(ANA);
    let output = utf8(&done.stdout);
    assert!(done.status.success(), "{}", utf8(&done.stderr));
    let link = output[output.find("/api/").expect("a link")..].trim().to_owned();
    cluster.get(&link).await.expect(200);
    let token = link.split_once("token=").map(|(_, token)| token.to_owned()).expect("a code");
    reset(cluster, &token, OTHER).await.expect(204);
    login(cluster, ANA, OTHER).await.expect(200);
    let absent = run("nobody@example.com");
    assert!(
        !absent.status.success() && utf8(&absent.stderr).contains("nobody@example.com"),
        "{}",
        utf8(&absent.stderr)
    );
}
