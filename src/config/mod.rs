//! Settings: one documented file of defaults, and one struct that is read at start.

mod checks;
mod mask;
mod registration;
mod values;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use config::{Config, File, FileFormat};
use mask::mask;
pub use registration::Registration;
use serde::{Deserialize, Serialize};
pub use values::{Addresses, AuthMode, FreeBusy, LogFormat, Networks, Policy, Secret, SecretUrl};

/// The documented defaults, compiled in.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

const PREFIX: &str = "W2MEET_";
/// Variables that set flags, not settings.
const FLAG_VARIABLES: [&str; 3] = ["W2MEET_ROLE", "W2MEET_CONFIG", "W2MEET_TOKEN"];

/// All settings; `config/default.toml` documents each.
#[derive(Clone, Debug, Deserialize, Serialize)]
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
    pub time: Time,
    pub mail: Mail,
    pub invitations: Invitations,
    pub auth: Auth,
    pub webhooks: Webhooks,
    pub tls: Tls,
    pub telemetry: Telemetry,
    pub upstreams: BTreeMap<String, Addresses>,
    /// The section of each role.
    #[serde(flatten)]
    pub roles: BTreeMap<String, RoleSettings>,
}

/// The section of one role; see `config/default.toml`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoleSettings {
    /// The address that it listens on; empty for the default.
    pub listen: String,
    /// Its second address, for metrics and probes; empty if there is none.
    pub admin_listen: String,
    /// The database of an owner, in place of `database.url`; empty if it has no other.
    #[serde(skip_serializing_if = "SecretUrl::is_empty")]
    pub database_url: SecretUrl,
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
    Time { zoneinfo: PathBuf }
    Mail { smtp_url: SecretUrl, from: String, outbox_dir: PathBuf, timeout_seconds: u64 }
    Invitations {
        join_seconds: f64, per_hour: i64, per_day: i64, organizer_per_hour: i64, organizer_per_day: i64,
        actor_per_hour: i64, actor_per_day: i64,
    }
    Auth {
        mode: AuthMode, allow_open_beyond_loopback: bool, service_secret: Secret, issuer: String, token_seconds: u32,
        session_days: u32, hashing_threads: usize, hashing_queue: usize, password_memory_kib: u32, password_passes: u32,
        verify_email: bool, verification_minutes: f64, reset_minutes: f64, letters_per_hour: i64,
        registration: Registration, free_busy: FreeBusy,
    }
    Tls { ca_file: PathBuf }
    Telemetry { otlp_endpoint: SecretUrl, otlp_headers: Secret, sample_ratio: f64 }
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
        check_syntax(&text).with_context(|| format!("the settings file {} is invalid", path.display()))?;
        builder = builder.add_source(File::from_str(&text, FileFormat::Toml));
        let parsed: Result<Settings, _> = builder.build_cloned().and_then(Config::try_deserialize);
        let invalid = || format!("the settings file {} is invalid", path.display());
        let parsed = parsed.with_context(invalid)?;
        if let Some(unknown) =
            parsed.roles.keys().find(|name| !known.iter().any(|key| key.starts_with(&format!("{name}."))))
        {
            return Err(anyhow!("there is no section {unknown}")).with_context(invalid);
        }
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
                    .with_context(|| format!("cannot read {}, the file that {name} names", mask(&value)))?;
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

/// Refuses a text that is no TOML. The error does not quote the line: it may hold a secret.
fn check_syntax(text: &str) -> anyhow::Result<()> {
    text.parse::<toml::Table>().map(drop).map_err(|why| {
        let begin = why.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        anyhow!("line {}: {}", begin.matches('\n').count() + 1, why.message())
    })
}

impl Settings {
    /// The address that a role listens on; empty for the default.
    pub fn listen(&self, role: &str) -> &str {
        self.roles.get(role).map_or("", |section| &section.listen)
    }

    /// The second address of a role, for metrics and probes; empty if there is none.
    pub fn admin_listen(&self, role: &str) -> &str {
        self.roles.get(role).map_or("", |section| &section.admin_listen)
    }

    /// Whether this process serves metrics.
    pub fn serves_metrics(&self) -> bool {
        self.roles.values().any(|section| !section.admin_listen.is_empty())
    }

    /// The database of an owner: its own, or the one that all owners share.
    pub fn database_url(&self, role: &str) -> &SecretUrl {
        let own = self.roles.get(role).map(|section| &section.database_url);
        own.filter(|url| !url.is_empty()).unwrap_or(&self.database.url)
    }

    /// The configured base URLs of a role that runs elsewhere.
    pub fn upstreams(&self, role: &str) -> &[String] {
        self.upstreams.get(role).map_or(&[], |Addresses(bases)| bases)
    }

    /// The file of an owner's SQLite database, if that is the one in use.
    pub fn sqlite_path(&self, role: &str) -> Option<PathBuf> {
        let url = self.database_url(role);
        let rest = url.expose().trim_start_matches("sqlite:").trim_start_matches("//");
        let folder = match url.scheme() {
            "" | "sqlite" if rest.is_empty() => self.data_dir.as_path(),
            "sqlite" => Path::new(rest),
            _ => return None,
        };
        Some(folder.join(format!("{role}.db")))
    }

    /// An owner's database, for people: the file, or the URL without its password and the schema.
    pub fn database_name(&self, role: &str) -> String {
        match self.sqlite_path(role) {
            Some(path) => path.display().to_string(),
            None => format!("{}, schema {}", self.database_url(role), self.schema(role)),
        }
    }

    /// The schema of an owner in PostgreSQL.
    pub fn schema(&self, role: &str) -> String {
        format!("{}{role}", self.database.schema_prefix)
    }
}
