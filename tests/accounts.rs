//! Accounts: registration, sign-in, sign-out, and refresh tokens.

use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::access::{PASSWORD, REQUIRED, register, run_beside, sign_in};

both_shapes! {
    with REQUIRED;

    async fn a_session_lasts_until_sign_out_or_reuse_of_its_refresh_token(cluster) {
        let new = json!({ "email": "Ana@Example.com", "password": PASSWORD, "name": "Ana", "time_zone": "Europe/Lisbon" });
        let made = cluster.post("/api/auth/register", new.clone()).await.expect(201);
        assert_eq!(made.header("location"), Some("/api/users/ana%40example.com"));
        assert_eq!(made.header("cache-control"), Some("no-store"));
        assert_eq!(made.json["account"]["scope"], "user");
        assert_eq!(made.json["account"]["email_verified_at"], Value::Null);
        assert_eq!((&made.json["token_type"], &made.json["expires_in"]), (&json!("Bearer"), &json!(900)));
        let again = cluster.post("/api/auth/register", new).await.expect(409);
        assert_eq!(again.json["type"], "/problems/user-exists");
        let ana = sign_in(cluster, "ana@example.com").await;
        let me = ana.get("/api/auth/me").await.expect(200).json;
        assert_eq!((&me["email"], &me["name"], &me["time_zone"]), (&json!("ana@example.com"), &json!("Ana"), &json!("Europe/Lisbon")));
        ana.get("/api/users/ana@example.com").await.expect(200);

        let first = ana.refresh_token.clone();
        let renewed = cluster.post("/api/auth/refresh", json!({ "refresh_token": first })).await.expect(200).json;
        let second = renewed["refresh_token"].clone();
        assert_ne!(second, json!(first));
        let third = cluster.post("/api/auth/refresh", json!({ "refresh_token": second })).await.expect(200).json;
        let robbed = cluster.post("/api/auth/refresh", json!({ "refresh_token": first })).await.expect(401);
        assert_eq!(robbed.json["type"], "/problems/invalid-token");
        assert!(robbed.header("www-authenticate").is_some_and(|it| it.contains("error=\"invalid_token\"")), "{robbed:?}");
        cluster.post("/api/auth/refresh", json!({ "refresh_token": third["refresh_token"] })).await.expect(401);

        let ana = sign_in(cluster, "ana@example.com").await;
        cluster.post("/api/auth/logout", json!({ "refresh_token": ana.refresh_token })).await.expect(204);
        cluster.post("/api/auth/logout", json!({ "refresh_token": ana.refresh_token })).await.expect(204);
        cluster.post("/api/auth/refresh", json!({ "refresh_token": ana.refresh_token })).await.expect(401);
        ana.until_refused("/api/auth/me").await;
        ana.until_refused("/api/suggestions?attendee=ana@example.com&attendee=bo@example.com").await;
    }

    async fn an_account_that_is_deleted_is_gone_with_its_sessions(cluster) {
        let ana = register(cluster, "ana@example.com").await;
        ana.get("/api/auth/me").await.expect(200);
        ana.delete("/api/users/ana@example.com").await.expect(204);
        cluster.post("/api/auth/refresh", json!({ "refresh_token": ana.refresh_token })).await.expect(401);
        let again = register(cluster, "ana@example.com").await;
        ana.delete("/api/users/ana@example.com").await.expect(401);
        ana.get("/api/auth/export").await.expect(401);
        ana.get("/api/auth/me").await.expect(401);
        again.get("/api/auth/me").await.expect(200);
    }

    async fn passwords_must_be_long_and_uncommon(cluster) {
        let try_with = async |password: &str| {
            let body = json!({ "email": "bo@example.com", "password": password, "name": "Bo Diddley" });
            cluster.post("/api/auth/register", body).await
        };
        for (password, code) in [
            ("short", "too_short"),
            ("fourteen chars", "too_short"),
            ("passwordpassword", "too_common"),
            ("bo@example.com!!", "too_common"),
            ("w2meetw2meetw2meet", "too_common"),
            (&"long ".repeat(300), "too_long"),
        ] {
            let reply = try_with(password).await.expect(422);
            assert_eq!(reply.json["errors"][0]["code"], code, "{password}");
            assert_eq!(reply.json["errors"][0]["pointer"], "#/password", "{password}");
        }
        try_with("der Zug nach Zu\u{308}rich war leer").await.expect(201);
        let composed = json!({ "email": "bo@example.com", "password": "der Zug nach Z\u{fc}rich war leer" });
        cluster.post("/api/auth/login", composed).await.expect(200);
        let other = json!({ "email": "bo@example.com", "password": "Der Zug nach Z\u{fc}rich war leer" });
        cluster.post("/api/auth/login", other).await.expect(401);
    }

    async fn a_user_without_a_password_cannot_be_registered_by_another(cluster) {
        let admin = crate::support::access::admin(cluster).await;
        admin.post("/api/users", json!({ "email": "old@example.com", "name": "Old" })).await.expect(201);
        let body = json!({ "email": "old@example.com", "password": PASSWORD });
        let refused = cluster.post("/api/auth/register", body.clone()).await.expect(409);
        assert!(refused.json["detail"].as_str().is_some_and(|it| it.contains("/api/auth/password/forgot")), "{refused:?}");
        cluster.post("/api/auth/login", body).await.expect(401);
        admin.get("/api/users/old@example.com").await.expect(200);
    }

    async fn a_wrong_password_and_an_unknown_address_get_the_same_response(cluster) {
        register(cluster, "ana@example.com").await;
        let wrong = async |email: &str| {
            let body = json!({ "email": email, "password": "something else entirely" });
            cluster.post("/api/auth/login", body).await
        };
        for _ in 0..5 {
            let (known, unknown) = (wrong("ana@example.com").await.expect(401), wrong("nobody@example.com").await.expect(401));
            assert_eq!(known.json["type"], "/problems/wrong-password");
            assert_eq!(known.json["detail"], unknown.json["detail"]);
            assert_eq!(known.header("www-authenticate"), unknown.header("www-authenticate"));
        }
        for email in ["ana@example.com", "nobody@example.com"] {
            let response = wrong(email).await.expect(429);
            let wait: u64 = response.header("retry-after").and_then(|it| it.parse().ok()).unwrap_or_default();
            assert!((50..=61).contains(&wait), "{wait}");
        }
        let right = json!({ "email": "ana@example.com", "password": PASSWORD });
        cluster.post("/api/auth/login", right).await.expect(429);
        register(cluster, "bo@example.com").await;
    }

    async fn rights_are_not_written_by_their_owner(cluster) {
        for more in ["scope", "version", "created_at", "email_verified_at", "id"] {
            let mut body = json!({ "email": "eve@example.com", "password": PASSWORD });
            body[more] = json!("admin");
            cluster.post("/api/auth/register", body).await.expect(422);
        }
        let eve = register(cluster, "eve@example.com").await;
        for (name, value) in
            [("scope", json!("admin")), ("version", json!(9)), ("created_at", json!("2026-01-01T00:00:00Z")), ("email", json!("ana@example.com"))]
        {
            eve.patch("/api/users/eve@example.com", json!({ name: value })).await.expect(422);
        }
        let me = eve.get("/api/auth/me").await.expect(200);
        assert_eq!(me.json["scope"], "user");
        assert!(!me.text.contains("hash") && !me.text.contains("argon"), "{}", me.text);
    }

    async fn commands_name_the_token_that_they_need(cluster) {
        let url = cluster.base();
        let node = cluster.nodes_of("user")[0];
        let reported = |output: &std::process::Output| {
            let text = [&output.stdout[..], &output.stderr[..]].concat();
            String::from_utf8_lossy(&text).into_owned()
        };
        let refused = run_beside(node, &["jobs", "list", "--url", url]);
        assert!(!refused.status.success() && reported(&refused).contains("W2MEET_TOKEN"), "{}", reported(&refused));
        let eve = register(cluster, "eve@example.com").await;
        let refused = run_beside(node, &["demo", "--url", url, "--token", &eve.access_token]);
        assert!(!refused.status.success() && reported(&refused).contains("w2meet user promote"), "{}", reported(&refused));
        let admin = crate::support::access::admin(cluster).await;
        let done = run_beside(node, &["demo", "--url", url, "--token", &admin.access_token]);
        assert!(done.status.success() && reported(&done).contains("$W2MEET_TOKEN"), "{}", reported(&done));
        let done = run_beside(node, &["jobs", "list", "--url", url, "--token", &admin.access_token]);
        assert!(done.status.success(), "{}", reported(&done));
        let shown = run_beside(node, &["config"]);
        assert!(reported(&shown).contains("service_secret = \"***\""), "{}", reported(&shown));
        assert!(!reported(&shown).contains(crate::support::access::SERVICE), "{}", reported(&shown));
    }
}
