//! The commands that talk to a running W2Meet: its health, and sample people.

pub mod jobs;

use std::time::Duration;

use anyhow::{Context as _, bail};
use awc::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::config::Settings;
use crate::launch;
use crate::platform::email::Email;
use crate::platform::role::Role;

const PATIENCE: Duration = Duration::from_secs(2);

/// A running W2Meet, and with what it is asked.
pub struct Server {
    url: String,
    token: Option<String>,
}

impl Server {
    /// At the gateway `url`.
    pub fn new(url: &str, token: Option<String>) -> Server {
        Server { url: url.trim_end_matches('/').to_owned(), token }
    }

    /// Asks for a public path. Where it wants to know who asks, the error says how to tell.
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<(StatusCode, Value)> {
        let (status, body) = ask(method, &format!("{}{path}", self.url), self.token.as_deref(), body).await?;
        let said = || body["detail"].as_str().unwrap_or("no reason given").to_owned();
        match status {
            StatusCode::UNAUTHORIZED => bail!(
                "{} wants to know who asks ({}): sign in at POST /api/auth/login, and give the access token of an admin by --token \
                 or W2MEET_TOKEN",
                self.url,
                said()
            ),
            StatusCode::FORBIDDEN => bail!(
                "{}: {}. Where the database is, `w2meet user promote EMAIL` lets an account do everything",
                self.url,
                said()
            ),
            _ => Ok((status, body)),
        }
    }
}

/// Asks every role that this configuration runs whether it is ready.
///
/// # Errors
/// The first that is not, and why.
pub async fn health(settings: Settings, roles: Vec<&'static Role>) -> anyhow::Result<()> {
    let mut asked = 0;
    for role in &roles {
        let address = launch::listen_address(&settings, role.name, launch::is_unseen(role, &roles), role.port);
        if address.ends_with(":0") {
            continue; // on a port that only its own process knows; the gateway's readiness speaks for it
        }
        let base = format!("http://{}", launch::to_connect(&address));
        let (status, body) = ask(Method::GET, &format!("{base}/readyz"), None, None).await?;
        if status != StatusCode::OK {
            bail!("{} is not ready: {}", role.name, body["detail"].as_str().unwrap_or("no reason given"));
        }
        println!("{} is ready", role.name);
        asked += 1;
    }
    if asked == 0 {
        bail!(
            "every role of this configuration listens on a free port, so nobody knows whom to ask: give one a port, such as \
             W2MEET_GATEWAY__LISTEN=127.0.0.1:8080"
        );
    }
    Ok(())
}

/// Makes the sample people, or brings those who are there back to how they were, and prints what to try.
///
/// # Errors
/// Nobody answering there, or an answer other than expected.
pub async fn demo(server: &Server) -> anyhow::Result<()> {
    for (name, zone, preference, week) in people() {
        let email = Email::parse(&format!("{}@example.com", name.to_lowercase()))?;
        let mut user = json!({ "name": name, "time_zone": zone, "preference": preference, "availability": week });
        let path = format!("/api/users/{}", email.path_segment());
        let (patched, _) = server.ask(Method::PATCH, &path, Some(&user)).await?;
        if patched == StatusCode::NOT_FOUND {
            user["email"] = json!(email);
            let (made, body) = server.ask(Method::POST, "/api/users", Some(&user)).await?;
            if made != StatusCode::CREATED {
                bail!("{} refused {email}: {made} {body}", server.url);
            }
        } else if patched != StatusCode::OK {
            bail!("{} refused to change {email}: {patched}", server.url);
        }
        println!("  {:<20} {zone:<20} likes {preference}", email.as_str());
    }
    println!("\n{}", things_to_try(server));
    Ok(())
}

/// A team over seven zones. The days that are left out are free of meetings.
fn people() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    let workdays = |hours: Value| {
        let days = ["monday", "tuesday", "wednesday", "thursday", "friday"];
        days.iter().map(|day| ((*day).to_owned(), hours.clone())).collect::<serde_json::Map<_, _>>().into()
    };
    vec![
        ("Ana", "Europe/Lisbon", "first", workdays(json!(["08:00-12:30", "13:30-17:00"]))),
        ("Bruno", "America/Sao_Paulo", "last", workdays(json!(["09:00-12:00", "14:00-18:30"]))),
        ("Chidi", "Africa/Lagos", "first", workdays(json!([9, 10, 11, 13, 14, 15, 16]))),
        ("Dana", "America/New_York", "best", workdays(json!(["07:30-11:45", "13:00-16:00"]))),
        ("Emre", "Europe/Istanbul", "first", workdays(json!(["10:00-19:00"]))),
        (
            "Freya",
            "Europe/Paris",
            "last",
            json!({ "monday": [9, 10], "wednesday": ["08:30-16:00"], "thursday": [14, 15, 16] }),
        ),
        ("Kenji", "Asia/Tokyo", "first", workdays(json!(["09:00-12:00", "13:00-18:00", "20:00-22:30"]))),
        ("Priya", "Asia/Kolkata", "random", workdays(json!(["10:00-13:30", "15:00-20:15"]))),
    ]
}

fn things_to_try(server: &Server) -> String {
    let url = &server.url;
    // the token itself is nobody's business who looks over a shoulder
    let with = if server.token.is_some() { " -H \"Authorization: Bearer $W2MEET_TOKEN\"" } else { "" };
    let asks = [
        (
            "A time for three on two continents",
            "suggestions?attendee=ana@example.com&attendee=emre@example.com&attendee=priya@example.com",
        ),
        (
            "The same in real dates, three choices of 45 minutes",
            "suggestions?attendee=ana@example.com&attendee=kenji@example.com&week=2026-W48&pick=best&limit=3&duration_minutes=45",
        ),
        (
            "When two are free, and how many are in each hour",
            "availability?attendee=ana@example.com&attendee=priya@example.com",
        ),
        (
            "Two who have no four hours in common, and why",
            "suggestions?attendee=bruno@example.com&attendee=kenji@example.com&duration_minutes=240",
        ),
    ];
    let lines = asks.map(|(what, path)| format!("# {what}\ncurl{with} '{url}/api/{path}'"));
    let meeting =
        r#"{"organizer":"ana@example.com","attendees":["emre@example.com","priya@example.com"],"title":"Plan"}"#;
    let arrange = format!(
        "# Have a meeting arranged; the invitations lie in the outbox folder of the data directory\n\
         curl{with} '{url}/api/meetings' -H 'Content-Type: application/json' -d '{meeting}'"
    );
    format!("Try:\n{}\n{arrange}\n", lines.join("\n"))
}

#[expect(clippy::disallowed_methods, reason = "a command is no role, and calls from outside")]
async fn ask(
    method: Method,
    url: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> anyhow::Result<(StatusCode, Value)> {
    let client = awc::Client::builder().timeout(PATIENCE).disable_redirects().finish();
    let mut request = client.request(method, url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let sent = match body {
        Some(body) => request.send_json(body).await,
        None => request.send().await,
    };
    let mut answer = sent
        .map_err(|why| anyhow::anyhow!("{why}"))
        .with_context(|| format!("nobody answers at {url}: start it with `w2meet`"))?;
    let text = answer.body().limit(1 << 20).await.map_err(|why| anyhow::anyhow!("{why}"))?;
    Ok((answer.status(), serde_json::from_slice(&text).unwrap_or(Value::Null)))
}
