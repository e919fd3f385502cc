//! Accounts for tests with required sign-in: registration, calls with a token or a key, and mails as files.

use awc::http::Method;
use serde_json::{Value, json};

use super::{Cluster, Reply, access, eventually};

/// Access is required, and who registers must show the mailbox; and what else is set.
pub fn auth_required_with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let shown = ("W2MEET_AUTH__VERIFY_EMAIL", "true");
    access::REQUIRED.iter().copied().chain([shown]).chain(more.iter().copied()).collect()
}

pub const PASSWORD: &str = "seven quiet llamas by the lake";
pub const OTHER: &str = "nobody reads the yellow manual";

/// Somebody who has signed in.
pub struct Account<'a> {
    pub cluster: &'a Cluster,
    pub email: String,
    pub id: String,
    /// What is sent as `Authorization: Bearer`.
    pub token: String,
    pub refresh: String,
}

impl<'a> Account<'a> {
    /// A new account.
    pub async fn register(cluster: &'a Cluster, email: &str) -> Account<'a> {
        let made =
            cluster.post("/api/auth/register", json!({ "email": email, "password": PASSWORD })).await.expect(201);
        Account::from_session(cluster, email, &made).await
    }

    /// A new account whose mailbox is verified.
    pub async fn verified(cluster: &'a Cluster, email: &str) -> Account<'a> {
        Account::register(cluster, email).await.verify().await
    }

    /// The same account after its mailbox is verified, signed in again: the proof ends the sessions from before.
    pub async fn verify(self) -> Account<'a> {
        let token = wait_for_newest_mail(self.cluster, &self.email, VERIFY).await.token();
        self.cluster.post("/api/auth/verify", json!({ "token": token, "password": PASSWORD })).await.expect(204);
        Account::login(self.cluster, &self.email, PASSWORD).await
    }

    /// The same account, signed in with this password.
    pub async fn login(cluster: &'a Cluster, email: &str, password: &str) -> Account<'a> {
        let reply = login(cluster, email, password).await.expect(200);
        Account::from_session(cluster, email, &reply).await
    }

    async fn from_session(cluster: &'a Cluster, email: &str, reply: &Reply) -> Account<'a> {
        let text = |name: &str| reply.json[name].as_str().unwrap_or_default().to_owned();
        let mut account = Account {
            cluster,
            email: email.to_owned(),
            id: String::new(),
            token: text("access_token"),
            refresh: text("refresh_token"),
        };
        account.id = account.get("/api/auth/me").await.expect(200).json["id"].as_str().unwrap_or_default().to_owned();
        account
    }

    pub async fn get(&self, path: &str) -> Reply {
        send_with_bearer(self.cluster, &self.token, Method::GET, path, None).await
    }
    pub async fn delete(&self, path: &str) -> Reply {
        send_with_bearer(self.cluster, &self.token, Method::DELETE, path, None).await
    }
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        send_with_bearer(self.cluster, &self.token, Method::POST, path, Some(body)).await
    }
    pub async fn put(&self, path: &str, body: Value) -> Reply {
        send_with_bearer(self.cluster, &self.token, Method::PUT, path, Some(body)).await
    }
    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        send_with_bearer(self.cluster, &self.token, Method::PATCH, path, Some(body)).await
    }

    /// A new key: its id, and itself.
    pub async fn key(&self, scope: &str) -> (String, String) {
        let made = self.post("/api/auth/keys", json!({ "name": "bot", "scope": scope })).await.expect(201).json;
        (made["id"].as_str().unwrap_or_default().to_owned(), made["key"].as_str().unwrap_or_default().to_owned())
    }
}

/// Makes an account an admin, by the operator's command. A session that is open must sign in again.
pub fn promote(cluster: &Cluster, email: &str) {
    change(cluster, "promote", email);
}

/// Takes that back.
pub fn demote(cluster: &Cluster, email: &str) {
    change(cluster, "demote", email);
}

fn change(cluster: &Cluster, what: &str, email: &str) {
    let done = access::run_beside(cluster.nodes_of("user")[0], &["user", what, email]);
    assert!(done.status.success(), "{}", super::shell::utf8(&done.stderr));
}

/// A request with a token or a key.
pub async fn send_with_bearer(
    cluster: &Cluster,
    bearer: &str,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Reply {
    let bearer = format!("Bearer {bearer}");
    let mut headers = vec![("authorization", bearer.as_str())];
    if body.is_some() {
        headers.push(("content-type", "application/json"));
    }
    cluster.send(method, path, &headers, body.map(|body| body.to_string().into_bytes())).await
}

pub async fn login(cluster: &Cluster, email: &str, password: &str) -> Reply {
    cluster.post("/api/auth/login", json!({ "email": email, "password": password })).await
}

pub async fn forgot(cluster: &Cluster, email: &str) -> Reply {
    cluster.post("/api/auth/password/forgot", json!({ "email": email })).await
}

pub async fn reset(cluster: &Cluster, token: &str, password: &str) -> Reply {
    cluster.post("/api/auth/password/reset", json!({ "token": token, "password": password })).await
}

/// Two kinds of letters, as their files say.
pub const VERIFY: &str = "verify_mailbox";
pub const RESET: &str = "reset_password";

/// A letter about an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountMail {
    pub name: String,
    pub text: String,
}

impl AccountMail {
    /// The path behind its link.
    pub fn link(&self) -> String {
        let at = self.text.find("/api/auth/").unwrap_or_else(|| panic!("no link in {}", self.text));
        self.text[at..].split_whitespace().next().unwrap_or_default().to_owned()
    }

    /// The code in its link.
    pub fn token(&self) -> String {
        self.link().split_once("token=").map(|(_, token)| token.to_owned()).unwrap_or_default()
    }
}

/// All letters of one kind to one address so far, the oldest first.
pub fn account_mails(cluster: &Cluster, email: &str, kind: &str) -> Vec<AccountMail> {
    let files = std::fs::read_dir(cluster.outbox()).into_iter().flatten().flatten();
    let mut names: Vec<String> = files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name.ends_with(&format!(".{kind}.eml")) && !name.starts_with('.'));
    names.sort();
    let read = |name: String| {
        let text = std::fs::read_to_string(cluster.outbox().join(&name)).expect("a letter");
        AccountMail { name, text: text.replace("=\r\n", "").replace("=3D", "=") }
    };
    names.into_iter().map(read).filter(|mail| mail.text.contains(&format!("To: {email}\r\n"))).collect()
}

/// Waits until there are so many letters of this kind, and gives the newest.
pub async fn wait_for_mail(cluster: &Cluster, email: &str, kind: &str, count: usize) -> AccountMail {
    eventually(&format!("letter {count} of {kind} to {email}"), async || {
        let mut all = account_mails(cluster, email, kind);
        assert!(all.len() <= count, "{} letters, not {count}", all.len());
        if all.len() == count { all.pop() } else { None }
    })
    .await
}

/// Waits for the first letter of this kind.
pub async fn wait_for_newest_mail(cluster: &Cluster, email: &str, kind: &str) -> AccountMail {
    eventually(&format!("a letter of {kind} to {email}"), async || account_mails(cluster, email, kind).pop()).await
}

/// Waits until no letter is on its way.
pub async fn wait_for_mail_jobs(cluster: &Cluster, admin: &str) {
    eventually("no letter is on its way", async || {
        let jobs = send_with_bearer(cluster, admin, Method::GET, "/api/jobs?limit=200", None).await.expect(200).json;
        let jobs = jobs["jobs"].as_array().cloned().unwrap_or_default();
        let over = |job: &Value| ["succeeded", "cancelled", "dead"].iter().any(|state| job["state"] == *state);
        jobs.iter().all(over).then_some(())
    })
    .await;
}
