//! Settings: one documented file of defaults, and one struct that is read at start.

mod values;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use config::{Config, File, FileFormat};
use serde::{Deserialize, Serialize};
pub use values::{Addresses, AuthMode, LogFormat, Networks, Policy, Secret, SecretUrl};

/// The documented defaults, compiled in.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

const PREFIX: &str = "W2MEET_";
/// The fewest characters of a service secret.
const MIN_SECRET_LENGTH: usize = 32;
/// Variables that set flags, not settings.
const FLAG_VARIABLES: [&str; 3] = ["W2MEET_ROLE", "W2MEET_CONFIG", "W2MEET_TOKEN"];

/// All settings; `config/default.toml` documents each.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml documents every setting, and is compiled in")]
pub struct Settings {
    pub data_dir: PathBuf,
    pub log: Log,
    pub server: Server,
    pub limits: Limits,
    pub balance: Balance,
    pub database: Database,
    pub cache: Cache,
    pub queue: Queue,
    pub jobs: Jobs,
    pub calendars: Calendars,
    pub mail: Mail,
    pub auth: Auth,
    pub gateway: Listener,
    pub user: Listener,
    pub reservation: Listener,
    pub availability: Listener,
    pub suggestion: Listener,
    pub worker: Listener,
    pub webhooks: Webhooks,
    pub telemetry: Telemetry,
    pub upstreams: BTreeMap<String, Addresses>,
}

macro_rules! section {
    ($($name:ident { $($field:ident: $kind:ty),+ $(,)? })+) => {$(
        #[doc = concat!("A section of the settings; see `config/default.toml`.")]
        #[derive(Clone, Debug, Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        #[expect(missing_docs, reason = "config/default.toml documents every setting, and is compiled in")]
        pub struct $name { $(pub $field: $kind),+ }
    )+};
}

section! {
    Log { format: LogFormat, level: String }
    Server {
        workers: usize, linger_ms: u64, share_port: bool, drain_seconds: u64, public_url: String, hosts: Addresses,
        trusted_proxies: Networks, cors_origins: Addresses, connections: usize, connections_per_address: usize,
        security_contact: String,
    }
    Limits {
        body: usize, list_body: usize, calendar_body: usize, internal_body: usize, call_seconds: f64, body_seconds: u64,
        streams: usize, per_address: u32, per_account: u32, sign_in: u32,
    }
    Balance { policy: Policy, in_flight: usize, hedge_ms: u64, probe_ms: u64 }
    Database { url: SecretUrl, schema_prefix: String, pool_size: usize, statement_ms: u64, answer_ms: u64 }
    Cache { url: SecretUrl, ttl_seconds: u64, negative_ttl_seconds: u64, capacity: u64, timeout_ms: u64, prefix: String }
    Queue { url: SecretUrl, name: String, exchange: String }
    Jobs {
        concurrency: u16, max_attempts: i32, retry_seconds: f64, sweep_seconds: f64, attempt_seconds: u64, drain_seconds: u64,
        keep_days: i32, backlog: i64,
    }
    Calendars { refresh_minutes: f64, horizon_days: i32, per_user: i64 }
    Mail { smtp_url: SecretUrl, from: String, outbox_dir: PathBuf, timeout_seconds: u64 }
    Auth {
        mode: AuthMode, allow_open_beyond_loopback: bool, service_secret: Secret, issuer: String, token_seconds: u32,
        session_days: u32, hashing_threads: usize, hashing_queue: usize, password_memory_kib: u32, password_passes: u32,
        verify_email: bool, verification_minutes: f64, reset_minutes: f64, letters_per_hour: i64,
        invitations_per_day: i64,
    }
    Telemetry { otlp_endpoint: String, otlp_headers: Secret, sample_ratio: f64 }
    Listener { listen: String, admin_listen: String }
    Webhooks { allow_http: bool, allow_networks: Networks, timeout_seconds: f64, per_host: usize }
}

/// The settings, and warnings about their sources.
pub struct Loaded {
    /// The effective settings.
    pub settings: Settings,
    /// A sentence for each `W2MEET_` variable that sets nothing.
    pub warnings: Vec<String>,
}

/// Reads the defaults, then `file`, then the environment of this process.
///
/// # Errors
/// A file that cannot be read or holds an unknown key, and values of the wrong kind; each names its source.
#[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
pub fn load(file: Option<&Path>) -> anyhow::Result<Loaded> {
    load_from(file, std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))))
}

/// [`load`] with a given environment.
///
/// # Errors
/// As for [`load`].
pub fn load_from(file: Option<&Path>, environment: impl Iterator<Item = (String, String)>) -> anyhow::Result<Loaded> {
    let known = known_keys()?;
    let mut builder = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the settings file {}", path.display()))?;
        builder = builder.add_source(File::from_str(&text, FileFormat::Toml));
        let parsed: Result<Settings, _> = builder.build_cloned().and_then(Config::try_deserialize);
        parsed.with_context(|| format!("the settings file {} is invalid", path.display()))?;
    }
    let mut warnings = Vec::new();
    for (name, value) in
        environment.filter(|(name, _)| name.starts_with(PREFIX) && !FLAG_VARIABLES.contains(&name.as_str()))
    {
        let key = name[PREFIX.len()..].to_lowercase().replace("__", ".");
        match (known.contains(&key), key.strip_suffix("_file").filter(|key| known.iter().any(|one| one == key))) {
            (true, _) => builder = builder.set_override(key, value)?,
            (false, Some(key)) => {
                let text = std::fs::read_to_string(&value)
                    .with_context(|| format!("cannot read {value}, the file that {name} names"))?;
                builder = builder.set_override(key, text.trim_end())?;
            }
            (false, None) if name.starts_with("W2MEET_TEST_") => {}
            (false, None) => warnings.push(format!("the environment variable {name} is not a setting, and is ignored")),
        }
    }
    let settings: Settings = builder.build()?.try_deserialize().context("a setting is invalid")?;
    settings.check()?;
    Ok(Loaded { settings, warnings })
}

/// The path of every setting, such as `database.url`.
fn known_keys() -> anyhow::Result<Vec<String>> {
    let defaults: toml::Table = DEFAULTS.parse().context("config/default.toml")?;
    let leaves = |(section, value): (&String, &toml::Value)| match value {
        toml::Value::Table(table) => table.keys().map(|key| format!("{section}.{key}")).collect(),
        _ => vec![section.clone()],
    };
    Ok(defaults.iter().flat_map(leaves).collect())
}

impl Settings {
    /// Refuses values with which no role can work.
    fn check(&self) -> anyhow::Result<()> {
        let one_of = |key: &str, url: &SecretUrl, schemes: &[&str]| match schemes.contains(&url.scheme()) {
            true => Ok(()),
            false => {
                let known: Vec<String> =
                    schemes.iter().filter(|it| !it.is_empty()).map(|it| format!("{it}:")).collect();
                bail!("{key} is {url:?}: it must begin with {}", known.join(" or "))
            }
        };
        one_of("database.url", &self.database.url, &["", "sqlite", "postgres", "postgresql"])?;
        one_of("cache.url", &self.cache.url, &["memory", "redis"])?;
        one_of("queue.url", &self.queue.url, &["embedded", "amqp"])?;
        one_of("mail.smtp_url", &self.mail.smtp_url, &["", "smtp", "smtps"])?;
        for (role, Addresses(bases)) in &self.upstreams {
            for base in bases {
                let url = url::Url::parse(base)
                    .with_context(|| format!("upstreams.{role} holds {base:?}, which is not a URL"))?;
                if url.scheme() != "http" || url.host().is_none() || !url.username().is_empty() {
                    bail!("upstreams.{role} holds {base:?}: give base URLs such as http://host:8081");
                }
            }
        }
        self.check_addresses()?;
        if self.limits.calendar_body.saturating_mul(6) > self.limits.internal_body {
            bail!(
                "limits.calendar_body may be at most a sixth of limits.internal_body: a calendar can grow that much as JSON"
            );
        }
        let secret = self.auth.service_secret.expose();
        if !secret.is_empty() && (secret.len() < MIN_SECRET_LENGTH || !secret.bytes().all(|b| b.is_ascii_graphic())) {
            bail!(
                "auth.service_secret must be at least {MIN_SECRET_LENGTH} printable ASCII characters: openssl rand -hex 32 makes one"
            );
        }
        if self.auth.issuer.is_empty() {
            bail!("auth.issuer must not be empty: every token names it");
        }
        let prefix = &self.database.schema_prefix;
        if prefix.len() > 40 || !prefix.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
            bail!(
                "database.schema_prefix is {prefix:?}: it may have 40 lower-case letters, digits and underscores at most"
            );
        }
        self.check_numbers()
    }

    /// Refuses addresses of the web that are none.
    fn check_addresses(&self) -> anyhow::Result<()> {
        let public = &self.server.public_url;
        let is_web = |url: url::Url| ["http", "https"].contains(&url.scheme());
        if !public.is_empty() && !url::Url::parse(public).is_ok_and(is_web) {
            bail!(
                "server.public_url is {public:?}: set the URL at which clients reach the gateway, such as https://meet.example.com"
            );
        }
        let endpoint = &self.telemetry.otlp_endpoint;
        if !endpoint.is_empty() && !url::Url::parse(endpoint).is_ok_and(is_web) {
            bail!("telemetry.otlp_endpoint is {endpoint:?}: give a collector's address, such as http://127.0.0.1:4318");
        }
        for origin in &self.server.cors_origins.0 {
            let is_origin = |url: url::Url| is_web(url.clone()) && url.origin().ascii_serialization() == *origin;
            if origin != "*" && !url::Url::parse(origin).is_ok_and(is_origin) {
                bail!("server.cors_origins holds {origin:?}: give origins such as https://app.example.com, or *");
            }
        }
        let contact = &self.server.security_contact;
        if !contact.is_empty() && !["mailto:", "https://"].iter().any(|scheme| contact.starts_with(scheme)) {
            bail!("server.security_contact is {contact:?}: it must begin with mailto: or https://");
        }
        Ok(())
    }

    fn check_numbers(&self) -> anyhow::Result<()> {
        let (jobs, calendars) = (&self.jobs, &self.calendars);
        let unbounded = 1e9;
        for (key, value, least, most) in [
            ("auth.hashing_queue", self.auth.hashing_queue as f64, 0.0, 10_000.0),
            ("auth.hashing_threads", self.auth.hashing_threads as f64, 0.0, 512.0),
            ("auth.password_memory_kib", self.auth.password_memory_kib.into(), 8.0, 4_194_304.0),
            ("auth.password_passes", self.auth.password_passes.into(), 1.0, 1000.0),
            ("auth.session_days", self.auth.session_days.into(), 1.0, 3650.0),
            ("auth.token_seconds", self.auth.token_seconds.into(), 1.0, 86_400.0),
            ("balance.in_flight", self.balance.in_flight as f64, 1.0, unbounded),
            ("calendars.horizon_days", calendars.horizon_days.into(), 62.0, 3650.0),
            ("calendars.refresh_minutes", calendars.refresh_minutes, 0.001, 10_080.0),
            ("database.pool_size", self.database.pool_size as f64, 1.0, 10_000.0),
            ("jobs.backlog", jobs.backlog as f64, 1.0, unbounded),
            ("jobs.concurrency", jobs.concurrency.into(), 1.0, 65_535.0),
            ("jobs.keep_days", jobs.keep_days.into(), 1.0, 36_500.0),
            ("auth.letters_per_hour", self.auth.letters_per_hour as f64, 1.0, unbounded),
            ("auth.invitations_per_day", self.auth.invitations_per_day as f64, 0.0, unbounded),
            ("auth.reset_minutes", self.auth.reset_minutes, 0.000_001, 1440.0),
            ("auth.verification_minutes", self.auth.verification_minutes, 0.000_001, 1440.0),
            ("jobs.max_attempts", jobs.max_attempts.into(), 1.0, unbounded),
            ("jobs.retry_seconds", jobs.retry_seconds, 0.001, 86_400.0),
            ("jobs.sweep_seconds", jobs.sweep_seconds, 0.001, 86_400.0),
            ("limits.call_seconds", self.limits.call_seconds, 0.001, 3600.0),
            ("mail.timeout_seconds", self.mail.timeout_seconds as f64, 1.0, 600.0),
            ("server.connections", self.server.connections as f64, 1.0, unbounded),
            ("server.connections_per_address", self.server.connections_per_address as f64, 1.0, unbounded),
            ("server.linger_ms", self.server.linger_ms as f64, 0.0, 600_000.0),
            ("server.workers", self.server.workers as f64, 0.0, 512.0),
            ("telemetry.sample_ratio", self.telemetry.sample_ratio, 0.0, 1.0),
            ("webhooks.per_host", self.webhooks.per_host as f64, 1.0, unbounded),
            ("webhooks.timeout_seconds", self.webhooks.timeout_seconds, 0.001, 60.0),
        ] {
            if !(least..=most).contains(&value) {
                bail!("{key} is {value}: it must be between {least} and {most}");
            }
        }
        Ok(())
    }

    /// The address that a role listens on; empty for the default.
    pub fn listen(&self, role: &str) -> &str {
        self.listener(role).map_or("", |section| &section.listen)
    }

    /// The second address of a role, for metrics and probes; empty if there is none.
    pub fn admin_listen(&self, role: &str) -> &str {
        self.listener(role).map_or("", |section| &section.admin_listen)
    }

    /// Whether this process serves metrics.
    pub fn serves_metrics(&self) -> bool {
        let sections =
            [&self.gateway, &self.user, &self.reservation, &self.availability, &self.suggestion, &self.worker];
        sections.iter().any(|section| !section.admin_listen.is_empty())
    }

    fn listener(&self, role: &str) -> Option<&Listener> {
        match role {
            "gateway" => Some(&self.gateway),
            "user" => Some(&self.user),
            "reservation" => Some(&self.reservation),
            "availability" => Some(&self.availability),
            "suggestion" => Some(&self.suggestion),
            "worker" => Some(&self.worker),
            _ => None,
        }
    }

    /// The configured base URLs of a role that runs elsewhere.
    pub fn upstreams(&self, role: &str) -> &[String] {
        self.upstreams.get(role).map_or(&[], |Addresses(bases)| bases)
    }

    /// The file of an owner's SQLite database, if that is the one in use.
    pub fn sqlite_path(&self, role: &str) -> Option<PathBuf> {
        let rest = self.database.url.expose().trim_start_matches("sqlite:").trim_start_matches("//");
        let folder = match self.database.url.scheme() {
            "" | "sqlite" if rest.is_empty() => self.data_dir.as_path(),
            "sqlite" => Path::new(rest),
            _ => return None,
        };
        Some(folder.join(format!("{role}.db")))
    }

    /// The schema of an owner in PostgreSQL.
    pub fn schema(&self, role: &str) -> String {
        format!("{}{role}", self.database.schema_prefix)
    }
}
