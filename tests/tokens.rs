//! Forged tokens, which the gateway and the owner of the accounts must refuse, and the rotation of signing keys.

use awc::http::Method;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use crate::both_shapes;
use crate::support::access::{Account, REQUIRED, SERVICE, admin, register, run_beside, sign_in, signing_seed};
use crate::support::cluster::Sandbox;
use crate::support::{Client, Cluster, Node, Reply, eventually};

/// Makes valid tokens and forged ones.
struct Forge {
    key: EncodingKey,
    kid: String,
    head: Value,
    claims: Value,
}

impl Forge {
    async fn open(cluster: &Cluster, account: &Account) -> Forge {
        let part = |at: usize| -> Value {
            let part = account.access_token.split('.').nth(at).unwrap_or_default();
            serde_json::from_slice(&B64.decode(part).expect("base64url")).expect("JSON")
        };
        let (head, claims) = (part(0), part(1));
        let kid = head["kid"].as_str().expect("a kid").to_owned();
        let seed = B64.decode(signing_seed(cluster, &kid).await).expect("base64url");
        Forge { key: ed25519(&seed), kid, head, claims }
    }

    fn sign(&self, head: &str, claims: &str) -> String {
        signed(&self.key, Algorithm::EdDSA, head, claims)
    }

    /// A token signed with the real key, with these members changed; `null` removes one.
    fn with(&self, head: Value, claims: Value) -> String {
        self.sign(&merged(&self.head, head), &merged(&self.claims, claims))
    }
}

fn ed25519(seed: &[u8]) -> EncodingKey {
    let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    der.extend_from_slice(seed);
    EncodingKey::from_ed_der(&der)
}

fn signed(key: &EncodingKey, algorithm: Algorithm, head: &str, claims: &str) -> String {
    let message = format!("{}.{}", B64.encode(head), B64.encode(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).expect("it signs");
    format!("{message}.{signature}")
}

fn merged(base: &Value, more: Value) -> String {
    let mut all = base.clone();
    for (name, value) in more.as_object().into_iter().flatten() {
        match value.is_null() {
            true => drop(all.as_object_mut().and_then(|all| all.remove(name))),
            false => all[name] = value.clone(),
        }
    }
    all.to_string()
}

/// Forged tokens by name.
type Forgeries = Vec<(String, String)>;

/// Tokens with another algorithm.
fn about_algorithms(forge: &Forge, public: &str) -> Forgeries {
    let good = forge.with(json!({}), json!({}));
    let (claims, signature) = good.split_once('.').and_then(|(_, rest)| rest.split_once('.')).expect("three segments");
    let with = |alg: &str| merged(&forge.head, json!({ "alg": alg }));
    let mut all = Forgeries::new();
    for alg in ["none", "None", "NONE", "", "nOnE"] {
        let head = B64.encode(with(alg));
        all.push((format!("alg {alg:?} unsigned"), format!("{head}.{claims}.")));
        all.push((format!("alg {alg:?} with a signature"), format!("{head}.{claims}.{signature}")));
    }
    for (name, secret) in [("text", public.as_bytes().to_vec()), ("bytes", B64.decode(public).expect("a key"))] {
        let key = EncodingKey::from_secret(&secret);
        let token = signed(&key, Algorithm::HS256, &with("HS256"), &forge.claims.to_string());
        all.push((format!("HS256 with the public key as {name}"), token));
    }
    for (alg, zeros) in [("ES256", 64), ("EdDSA", 64), ("RS256", 256), ("ES384", 96)] {
        let token = format!("{}.{claims}.{}", B64.encode(with(alg)), B64.encode(vec![0; zeros]));
        all.push((format!("{alg} with a signature of zeros"), token));
    }
    for alg in ["RS256", "ES256", "PS512", "HS512", "eddsa", "Ed25519"] {
        all.push((format!("alg {alg}"), forge.with(json!({ "alg": alg }), json!({}))));
    }
    all
}

/// Tokens with another header, signed with the real key.
fn about_headers(forge: &Forge, public: &str) -> Forgeries {
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": public });
    let headers = [
        ("kid", json!("../../dev/null")),
        ("kid", json!("' OR '1'='1")),
        ("kid", json!("https://evil.test/key")),
        ("kid", json!("")),
        ("kid", json!("\u{0}")),
        ("kid", json!("k".repeat(1000))),
        ("kid", json!(7)),
        ("kid", Value::Null),
        ("jku", json!("https://evil.test/jwks.json")),
        ("jwk", jwk),
        ("x5u", json!("https://evil.test/cert")),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
        ("typ", json!("JWT")),
        ("typ", Value::Null),
    ];
    let made = headers.map(|(name, value)| {
        let short: String = value.to_string().chars().take(40).collect();
        (format!("header {name} {short}"), forge.with(json!({ name: value }), json!({})))
    });
    made.into()
}

/// Tokens with other claims, signed with the real key.
fn about_claims(forge: &Forge) -> Forgeries {
    let now = jiff::Timestamp::now().as_second();
    let claims = [
        ("exp", json!(now - 31)),
        ("exp", Value::Null),
        ("exp", json!("9999999999")),
        ("exp", json!(-1)),
        ("exp", json!(1e300)),
        ("nbf", json!(now + 40)),
        ("nbf", Value::Null),
        ("iat", json!(now + 40)),
        ("iat", Value::Null),
        ("aud", json!("somebody-else")),
        ("aud", json!(["w2meet", "somebody-else"])),
        ("aud", Value::Null),
        ("iss", json!("https://evil.test")),
        ("iss", json!(["w2meet"])),
        ("iss", Value::Null),
        ("sub", Value::Null),
        ("scope", json!("root")),
        ("scope", json!(["admin"])),
        ("email", json!("no address")),
        ("admin", json!(true)),
    ];
    let made =
        claims.map(|(name, value)| (format!("claim {name} {value}"), forge.with(json!({}), json!({ name: value }))));
    made.into()
}

/// Tokens of another structure.
fn about_shapes(forge: &Forge, account: &Account) -> Forgeries {
    let good = forge.with(json!({}), json!({}));
    let parts: Vec<&str> = good.split('.').collect();
    let (head, claims, signature) = (parts[0], parts[1], parts[2]);
    let (own_head, own_claims) = (forge.head.to_string(), forge.claims.to_string());
    let twice = |text: &str, more: &str| format!("{{{more},{}", &text[1..]);
    let admin = B64.encode(merged(&forge.claims, json!({ "scope": "admin" })));
    let dir = B64.encode(json!({ "alg": "dir", "enc": "A256GCM", "kid": forge.kid }).to_string());
    let (nonce, tag) = (B64.encode([0; 12]), B64.encode([0; 16]));
    [
        ("a claim twice", forge.sign(&own_head, &twice(&own_claims, "\"scope\":\"admin\""))),
        ("alg twice", forge.sign(&twice(&own_head, "\"alg\":\"none\""), &own_claims)),
        ("another key under our kid", signed(&ed25519(&[7; 32]), Algorithm::EdDSA, &own_head, &own_claims)),
        ("other claims under our signature", format!("{head}.{admin}.{signature}")),
        ("64 KiB", forge.with(json!({}), json!({ "jti": "x".repeat(64 << 10) }))),
        ("3 KiB", forge.with(json!({}), json!({ "jti": "x".repeat(3 << 10) }))),
        ("two segments", format!("{head}.{claims}")),
        ("four segments", format!("{good}.{signature}")),
        ("five segments", format!("{head}.{claims}.{signature}.{claims}.{signature}")),
        ("a JWE", format!("{dir}..{nonce}.{claims}.{tag}")),
        ("empty segments", "..".to_owned()),
        ("no token", "x".to_owned()),
        ("padded base64", format!("{head}=.{claims}.{signature}")),
        ("base64 that is none", format!("{head}.{claims}.{}!", &signature[1..])),
        ("a signature that was cut", format!("{head}.{claims}.{}", &signature[..80])),
        ("a signature that is too long", format!("{head}.{claims}.{signature}AAAA")),
        ("JSON that is none", forge.sign("{", "{}")),
        ("a header that is a list", forge.sign("[]", &own_claims)),
        ("claims that are a text", forge.sign(&own_head, "\"admin\"")),
        ("a refresh token", account.refresh_token.clone()),
        ("an API key that is none", format!("w2m_{}", "x".repeat(43))),
    ]
    .map(|(name, token)| (name.to_owned(), token))
    .into()
}

fn forgeries(forge: &Forge, public: &str, account: &Account) -> Forgeries {
    let all = [
        about_algorithms(forge, public),
        about_headers(forge, public),
        about_claims(forge),
        about_shapes(forge, account),
    ];
    all.concat()
}

async fn ask(client: &Client, path: &str, headers: &[(&str, &str)]) -> Reply {
    client.send(Method::GET, path, headers, None).await
}

both_shapes! {
    with REQUIRED;

    async fn the_gateway_and_the_owner_refuse_every_forged_token(cluster) {
        let ana = register(cluster, "ana@example.com").await;
        let set = cluster.get("/.well-known/jwks.json").await.expect(200).json;
        assert_eq!(set["keys"].as_array().map(Vec::len), Some(1), "{set}");
        assert!(set["keys"][0].get("d").is_none(), "{set}");
        let forge = Forge::open(cluster, &ana).await;
        let all = forgeries(&forge, set["keys"][0]["x"].as_str().expect("a key"), &ana);
        assert!(all.len() >= 40, "{}", all.len());
        let owner = cluster.nodes_of("user")[0].client("user");
        let mut wrong = Vec::new();
        let mut refused = 0;
        let doors = [(&**cluster, "/api"), (&owner, "")];
        for (client, prefix) in doors {
            let good = forge.with(json!({}), json!({ "jti": "another" }));
            let late = forge.with(json!({}), json!({ "exp": jiff::Timestamp::now().as_second() - 20 }));
            for token in [good, late] {
                let bearer = format!("bearer {token}");
                let headers = [("authorization", bearer.as_str()), ("w2meet-service", SERVICE)];
                ask(client, &format!("{prefix}/auth/me"), &headers).await.expect(200);
            }
            for (name, token) in &all {
                for path in ["/auth/me", "/users/ana@example.com"] {
                    let bearer = format!("Bearer {token}");
                    let headers = [("authorization", bearer.as_str()), ("w2meet-service", SERVICE)];
                    let sent = client.try_send(Method::GET, &format!("{prefix}{path}"), &headers, None).await;
                    // the longest do not even get in
                    let Ok(reply) = sent else { continue };
                    let response = reply.header("www-authenticate").unwrap_or_default().to_owned();
                    match reply.status {
                        401 if response.contains("realm=\"w2meet\", error=\"invalid_token\"") => refused += 1,
                        400 | 431 if token.len() > 16 << 10 => refused += 1,
                        status => wrong.push(format!("{prefix} {name}: {status} {response} {}", reply.text)),
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(refused >= 4 * 40, "{refused}");
    }

    async fn a_token_is_read_from_one_header_alone(cluster) {
        let ana = register(cluster, "ana@example.com").await;
        let token = &ana.access_token;
        let at = |text: &str| text.replace("{}", token);
        for (headers, status, reason) in [
            ("Authorization: Bearer {}\r\n", 200, ""),
            ("authorization: bearer {}\r\n", 200, ""),
            ("Authorization: Bearer {}\r\nAuthorization: Bearer {}\r\n", 400, "two Authorization headers"),
            ("Authorization: Bearer {}\r\nAuthorization: Basic YTpi\r\n", 400, "two Authorization headers"),
            ("Authorization: Bearer Bearer {}\r\n", 401, "a space or a comma"),
            ("Authorization: Bearer  {}\r\n", 401, "a space or a comma"),
            ("Authorization: Bearer {},{}\r\n", 401, "a space or a comma"),
            ("Authorization: Bearer\r\n", 401, "no token after Bearer"),
            ("Authorization: bearer \r\n", 401, "no token after Bearer"),
            ("Authorization:\r\n", 401, "is empty"),
            ("Authorization: Bearer \u{e9}\r\n", 401, "characters that no token has"),
            ("Authorization: {}\r\n", 401, "no scheme"),
            ("Authorization: Basic {}\r\n", 401, "not Bearer"),
            ("Authorization: Bearer w2m_nothing\r\n", 401, "API key"),
            ("Cookie: access_token={}\r\n", 401, "sign in"),
            ("X-W2Meet-User: ana@example.com\r\n", 401, "sign in"),
            ("", 401, "sign in"),
        ] {
            let reply = cluster.send_head("GET", "/api/auth/me", &at(headers)).await;
            assert_eq!(reply.status, status, "{headers:?}: {}", reply.text);
            let detail = reply.json["detail"].as_str().unwrap_or_default();
            assert!(detail.contains(reason), "{headers:?}: {detail}");
            if reply.json["type"] == "/problems/invalid-token" {
                let challenge = reply.header("www-authenticate").unwrap_or_default();
                assert!(challenge.ends_with(&format!("error_description=\"{detail}\"")), "{headers:?}: {challenge}");
            }
        }
        for target in ["/api/auth/me?access_token={}", "/api/users/ana@example.com?access_token={}&token={}"] {
            cluster.send_head("GET", &at(target), "").await.expect(401);
        }
        let absent = cluster.get("/api/auth/me").await.expect(401);
        assert_eq!(absent.header("www-authenticate"), Some("Bearer realm=\"w2meet\""));
        assert_eq!(absent.json["type"], "/problems/unauthorized");
    }

    async fn signing_keys_rotate_unnoticed_and_are_revoked_at_once(cluster) {
        let ana = register(cluster, "ana@example.com").await;
        let user = cluster.nodes_of("user")[0];
        let kid = |account: &Account| -> String {
            let head = B64.decode(account.access_token.split('.').next().unwrap_or_default()).expect("base64url");
            serde_json::from_slice::<Value>(&head).expect("JSON")["kid"].as_str().unwrap_or_default().to_owned()
        };
        assert!(run_beside(user, &["keys", "rotate"]).status.success());
        let known = async || cluster.get("/.well-known/jwks.json").await.expect(200).json["keys"].as_array().map(Vec::len);
        assert_eq!(known().await, Some(2));
        let new = crate::support::within(std::time::Duration::from_secs(40), "the new key signs", async || {
            let again = sign_in(cluster, "ana@example.com").await;
            again.get("/api/auth/me").await.expect(200);
            (kid(&again) != kid(&ana)).then_some(again)
        })
        .await;
        ana.get("/api/auth/me").await.expect(200);
        assert!(run_beside(user, &["keys", "revoke", &kid(&ana)]).status.success());
        ana.until_refused("/api/auth/me").await;
        new.get("/api/auth/me").await.expect(200);
        assert!(!run_beside(user, &["keys", "revoke", &kid(&ana)]).status.success());
        assert!(run_beside(user, &["keys", "revoke", &kid(&new)]).status.success());
        new.until_refused("/api/auth/me").await;
        eventually("whoever signs in is known again", async || {
            let again = sign_in(cluster, "ana@example.com").await;
            (again.get("/api/auth/me").await.status == 200).then_some(())
        })
        .await;
    }

    async fn an_operator_grants_and_revokes_admin_rights_by_command(cluster) {
        let ada = admin(cluster).await;
        ada.get("/api/users").await.expect(200);
        ada.get("/api/jobs").await.expect(200);
        let user = cluster.nodes_of("user")[0];
        let output = run_beside(user, &["user", "promote", "nobody@example.com"]);
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains("register"), "{output:?}");
        assert!(run_beside(user, &["user", "demote", "admin@example.com"]).status.success());
        eventually("the old token opens no more than others do", async || {
            (ada.get("/api/users").await.status == 403).then_some(())
        })
        .await;
        let response = ada.get("/api/users").await.expect(403);
        assert_eq!(response.json["type"], "/problems/forbidden");
        ada.get("/api/auth/me").await.expect(200);
    }
}

#[actix_web::test]
async fn two_replicas_of_user_share_sessions_keys_and_failures_and_a_restart_keeps_them() {
    let mut space = Sandbox::new();
    let schema = space.schema();
    let mut env = crate::support::replicas::user_env(&space, &schema, "redis://127.0.0.1:6379");
    env.extend(REQUIRED.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let nodes: Vec<Node> = (0..2).map(|_| Node::start("user", &env)).collect();
    let clients: Vec<Client> = nodes.iter().map(|node| node.client("user")).collect();
    let ask = async |client: &Client, path: &str, body: Value| {
        let headers = [("content-type", "application/json"), ("w2meet-service", SERVICE)];
        client.send(Method::POST, path, &headers, Some(body.to_string().into_bytes())).await
    };
    let me = async |client: &Client, response: &Value| {
        let bearer = format!("Bearer {}", response["access_token"].as_str().unwrap_or_default());
        client.send(Method::GET, "/auth/me", &[("authorization", &bearer), ("w2meet-service", SERVICE)], None).await
    };
    let password = crate::support::access::PASSWORD;
    let body = json!({ "email": "ana@example.com", "password": password });
    let response = ask(&clients[0], "/auth/register", body.clone()).await.expect(201).json;
    me(&clients[1], &response).await.expect(200);
    let renewed =
        ask(&clients[1], "/auth/refresh", json!({ "refresh_token": response["refresh_token"] })).await.expect(200).json;
    ask(&clients[0], "/auth/refresh", json!({ "refresh_token": response["refresh_token"] })).await.expect(401);
    ask(&clients[1], "/auth/refresh", json!({ "refresh_token": renewed["refresh_token"] })).await.expect(401);
    let response = ask(&clients[0], "/auth/login", body.clone()).await.expect(200).json;
    let again = nodes[1].respawn();
    again.wait_for("ready", |line| line["message"] == "ready");
    let third = again.client("user");
    me(&third, &response).await.expect(200);
    let response =
        ask(&third, "/auth/refresh", json!({ "refresh_token": response["refresh_token"] })).await.expect(200).json;
    me(&clients[0], &response).await.expect(200);
    for at in 0..5 {
        let wrong = json!({ "email": "ana@example.com", "password": "something else entirely" });
        ask(&clients[at % 2], "/auth/login", wrong).await.expect(401);
    }
    ask(&third, "/auth/login", body).await.expect(429);
}
