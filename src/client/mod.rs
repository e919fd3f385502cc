//! The commands that call a running W2Meet: health checks and sample users.

pub mod jobs;

use std::time::Duration;

use anyhow::{Context as _, bail};
use awc::http::{Method, StatusCode};
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::calendar::Zone;
use crate::config::Settings;
use crate::launch;
use crate::platform::email::Email;
use crate::platform::role::Role;

const TIMEOUT: Duration = Duration::from_secs(2);

/// A gateway to call, and the token to send.
pub struct Server {
    url: String,
    token: Option<String>,
}

impl Server {
    /// The gateway at `url`.
    pub fn new(url: &str, token: Option<String>) -> Server {
        Server { url: url.trim_end_matches('/').to_owned(), token }
    }

    /// Sends a request to a public path. If the gateway refuses the caller, the error says what to do.
    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<(StatusCode, Value)> {
        let (status, body) = send(method, &format!("{}{path}", self.url), self.token.as_deref(), body).await?;
        let detail = || body["detail"].as_str().unwrap_or("no reason given").to_owned();
        match status {
            StatusCode::UNAUTHORIZED => bail!(
                "{} requires sign-in ({}): sign in at POST /api/auth/login as an administrator, and pass the access token by \
                 --token or W2MEET_TOKEN",
                self.url,
                detail()
            ),
            StatusCode::FORBIDDEN => bail!(
                "{}: {}. On the machine of the database, `w2meet user promote EMAIL` makes an account an administrator",
                self.url,
                detail()
            ),
            _ => Ok((status, body)),
        }
    }
}

/// Checks that every role of this configuration is ready.
///
/// # Errors
/// The first role that is not ready, and why.
pub async fn health(settings: Settings, roles: Vec<&'static Role>) -> anyhow::Result<()> {
    let mut checked = 0;
    for role in &roles {
        let address = launch::listen_address(
            &settings,
            role.name,
            launch::is_internal_only(role, &roles, crate::roles::ALL),
            role.port,
        );
        if address.ends_with(":0") {
            continue; // its port is known to its own process alone; the gateway is ready only if this role is
        }
        let base = format!("http://{}", launch::to_connect(&address));
        let (status, body) = send(Method::GET, &format!("{base}/readyz"), None, None).await?;
        if status != StatusCode::OK {
            bail!("{} is not ready: {}", role.name, body["detail"].as_str().unwrap_or("no reason given"));
        }
        println!("{} is ready", role.name);
        checked += 1;
    }
    if checked == 0 {
        bail!(
            "every role of this configuration listens on a free port, so its address is unknown: set the port of one, such as \
             W2MEET_GATEWAY__LISTEN=127.0.0.1:8080"
        );
    }
    Ok(())
}

/// Creates the sample users, except those that exist, and prints requests to try.
///
/// # Errors
/// A gateway that does not respond, or refuses the request.
pub async fn demo(server: &Server) -> anyhow::Result<()> {
    for (name, zone, preference, week) in sample_users() {
        let email = Email::parse(&format!("{}@example.com", name.to_lowercase()))?;
        let user = json!({
            "name": name, "email": email, "time_zone": zone, "preference": preference, "availability": week,
        });
        match server.send(Method::POST, "/api/users", Some(&user)).await? {
            (StatusCode::CREATED, _) => println!("  {:<20} {zone:<20} prefers {preference}", email.as_str()),
            (StatusCode::CONFLICT, _) => println!("  {:<20} exists, and stays as it is", email.as_str()),
            (refused, body) => bail!("{} refused {email}: {refused} {body}", server.url),
        }
    }
    println!("\n{}", sample_requests(server));
    Ok(())
}

/// A team in seven time zones. A day that is absent has no time for meetings.
fn sample_users() -> Vec<(&'static str, &'static str, &'static str, Value)> {
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

/// The week after that of `now`, as `2026-W49`.
fn next_week(now: Timestamp) -> String {
    let week = Zone::utc().date_at(now).saturating_add(7.days()).iso_week_date();
    format!("{}-W{:02}", week.year(), week.week())
}

fn sample_requests(server: &Server) -> String {
    let url = &server.url;
    // the token itself is not printed
    let with = if server.token.is_some() { " -H \"Authorization: Bearer $W2MEET_TOKEN\"" } else { "" };
    let week = next_week(Timestamp::now());
    let requests = [
        (
            "Find a time for three users in three time zones",
            "suggestions?attendee=ana@example.com&attendee=emre@example.com&attendee=priya@example.com",
        ),
        (
            "Find three slots of 45 minutes next week, the best first",
            &*format!(
                "suggestions?attendee=ana@example.com&attendee=kenji@example.com&week={week}&pick=best&limit=3&duration_minutes=45"
            ),
        ),
        (
            "Show when two users are both free, and how many are free in each hour",
            "availability?attendee=ana@example.com&attendee=priya@example.com",
        ),
        (
            "See why two users cannot meet for four hours, and what would help",
            "suggestions?attendee=bruno@example.com&attendee=kenji@example.com&duration_minutes=240",
        ),
    ];
    let lines = requests.map(|(what, path)| format!("# {what}\ncurl{with} '{url}/api/{path}'"));
    let meeting =
        r#"{"organizer":"ana@example.com","attendees":["emre@example.com","priya@example.com"],"title":"Plan"}"#;
    let schedule = format!(
        "# Schedule a meeting; without a mail server the invitations are files in the outbox folder of the data directory\n\
         curl{with} '{url}/api/meetings' -H 'Content-Type: application/json' -d '{meeting}'"
    );
    format!("Try:\n{}\n{schedule}\n", lines.join("\n"))
}

#[expect(clippy::disallowed_methods, reason = "a command is not a role: it calls from outside")]
async fn send(
    method: Method,
    url: &str,
    token: Option<&str>,
    body: Option<&Value>,
) -> anyhow::Result<(StatusCode, Value)> {
    let client = awc::Client::builder().timeout(TIMEOUT).disable_redirects().finish();
    let mut request = client.request(method, url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let sent = match body {
        Some(body) => request.send_json(body).await,
        None => request.send().await,
    };
    let mut response = sent
        .map_err(|why| anyhow::anyhow!("{why}"))
        .with_context(|| format!("no W2Meet responds at {url}: start it with `w2meet`"))?;
    let text = response.body().limit(1 << 20).await.map_err(|why| anyhow::anyhow!("{why}"))?;
    Ok((response.status(), serde_json::from_slice(&text).unwrap_or(Value::Null)))
}
