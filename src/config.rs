//! Settings: one documented file of defaults, one struct, read once and passed on.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use config::{Config, File, FileFormat};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The documented defaults, compiled in.
pub const DEFAULTS: &str = include_str!("../config/default.toml");

const PREFIX: &str = "W2MEET_";
/// Variables that are no settings: the flags' own, and those that only the test suite reads.
const NOT_SETTINGS: [&str; 2] = ["W2MEET_ROLE", "W2MEET_CONFIG"];

/// Everything that can be set; `config/default.toml` says what each means.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml documents every setting, and is compiled in")]
pub struct Settings {
    pub data_dir: PathBuf,
    pub log: Log,
    pub server: Server,
    pub limits: Limits,
    pub database: Database,
    pub cache: Cache,
    pub queue: Queue,
    pub auth: Auth,
    pub gateway: Listener,
    pub user: Listener,
    pub availability: Listener,
    pub suggestion: Listener,
    pub worker: Listener,
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
    Server { workers: usize, drain_seconds: u64 }
    Limits { body: usize, list_body: usize, internal_body: usize, call_seconds: f64, body_seconds: u64 }
    Database { url: SecretUrl, pool_size: usize, statement_ms: u64, answer_ms: u64 }
    Cache { url: SecretUrl, ttl_seconds: u64, negative_ttl_seconds: u64, capacity: u64, timeout_ms: u64, prefix: String }
    Queue { url: SecretUrl, name: String }
    Auth { mode: AuthMode, allow_open_beyond_loopback: bool }
    Listener { listen: String }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthMode {
    /// Open on loopback, required beyond.
    Auto,
    /// Everybody.
    Open,
    /// Those who signed in.
    Required,
}

/// A URL that may hold a password; it prints without it.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// The URL with its password, for whoever connects.
    pub fn expose(&self) -> &str {
        &self.0
    }
    /// What stands before the first `:`, or all of it when there is none.
    pub fn scheme(&self) -> &str {
        self.0.split_once(':').map_or(&self.0, |(scheme, _)| scheme)
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match url::Url::parse(&self.0) {
            Ok(url) => f.write_str(masked(url).as_deref().unwrap_or(&self.0)),
            Err(_) if self.0.is_empty() => Ok(()),
            Err(_) => f.write_str("***"),
        }
    }
}

/// The URL with stars for its password, wherever it stands; `None` if it has none.
fn masked(mut url: url::Url) -> Option<String> {
    const STARS: &str = "***";
    let is_secret = |name: &str| name.eq_ignore_ascii_case("password");
    let in_query = url.query_pairs().any(|(name, _)| is_secret(&name));
    if url.password().is_none() && !in_query {
        return None;
    }
    if url.password().is_some() && url.set_password(Some(STARS)).is_err() {
        return Some(STARS.to_owned());
    }
    if in_query {
        let star = |(name, value): (Cow<'_, str>, Cow<'_, str>)| {
            let value = if is_secret(&name) { STARS.to_owned() } else { value.into_owned() };
            (name.into_owned(), value)
        };
        let pairs: Vec<(String, String)> = url.query_pairs().map(star).collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
    }
    Some(url.to_string())
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for SecretUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Base URLs: a list in a file, a comma list in the environment.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Addresses(pub Vec<String>);

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            List(Vec<String>),
            Commas(String),
        }
        let given = match Given::deserialize(deserializer)? {
            Given::List(list) => list,
            Given::Commas(text) => text.split(',').map(str::to_owned).collect(),
        };
        let tidy = |base: String| base.trim().trim_end_matches('/').to_owned();
        Ok(Addresses(given.into_iter().map(tidy).filter(|base| !base.is_empty()).collect()))
    }
}

/// The settings, and what was odd about their sources but could be lived with.
pub struct Loaded {
    /// The effective settings.
    pub settings: Settings,
    /// A sentence for each variable that no setting answers to.
    pub warnings: Vec<String>,
}

/// Reads the defaults, then `file`, then this process's environment.
///
/// # Errors
/// A file that cannot be read or holds an unknown key, and values of the wrong kind; each names its source.
#[expect(clippy::disallowed_methods, reason = "this is where the environment is read")]
pub fn load(file: Option<&Path>) -> anyhow::Result<Loaded> {
    load_from(file, std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))))
}

/// [`load`] with the environment given.
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
        let so_far: Result<Settings, _> = builder.build_cloned().and_then(Config::try_deserialize);
        so_far.with_context(|| format!("the settings file {} is not right", path.display()))?;
    }
    let mut warnings = Vec::new();
    for (name, value) in
        environment.filter(|(name, _)| name.starts_with(PREFIX) && !NOT_SETTINGS.contains(&name.as_str()))
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
            (false, None) => warnings.push(format!("the environment variable {name} is no setting, and was ignored")),
        }
    }
    let settings: Settings = builder.build()?.try_deserialize().context("a setting is not right")?;
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
    /// Refuses what no role could work with, whichever roles run.
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
        for (role, Addresses(bases)) in &self.upstreams {
            for base in bases {
                let url = url::Url::parse(base)
                    .with_context(|| format!("upstreams.{role} holds {base:?}, which is no URL"))?;
                if url.scheme() != "http" || url.host().is_none() || !url.username().is_empty() {
                    bail!("upstreams.{role} holds {base:?}: give base URLs such as http://host:8081");
                }
            }
        }
        if !(0.001..=3600.0).contains(&self.limits.call_seconds) {
            bail!("limits.call_seconds is {}: it must lie between 0.001 and 3600", self.limits.call_seconds);
        }
        if self.server.workers > 512 {
            bail!("server.workers is {}: 512 is the most", self.server.workers);
        }
        if self.database.pool_size == 0 {
            bail!("database.pool_size must be above zero");
        }
        Ok(())
    }

    /// The `listen` of a role by its name; empty where it was left to the default.
    pub fn listen(&self, role: &str) -> &str {
        match role {
            "gateway" => &self.gateway.listen,
            "user" => &self.user.listen,
            "availability" => &self.availability.listen,
            "suggestion" => &self.suggestion.listen,
            "worker" => &self.worker.listen,
            _ => "",
        }
    }

    /// Base URLs configured for a role that runs elsewhere.
    pub fn upstreams(&self, role: &str) -> &[String] {
        self.upstreams.get(role).map_or(&[], |Addresses(bases)| bases)
    }

    /// Where the embedded database is, when it is the one in use.
    pub fn sqlite_path(&self) -> Option<PathBuf> {
        let rest = self.database.url.expose().trim_start_matches("sqlite:").trim_start_matches("//");
        match self.database.url.scheme() {
            "" | "sqlite" if rest.is_empty() => Some(self.data_dir.join("w2meet.db")),
            "sqlite" => Some(PathBuf::from(rest)),
            _ => None,
        }
    }
}
