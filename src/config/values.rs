//! The kinds of values that settings have, each read strictly and printed without secrets.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::de::IntoDeserializer as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase", remote = "Self")]
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
#[serde(rename_all = "lowercase", remote = "Self")]
pub enum AuthMode {
    /// Open on loopback, required beyond.
    Auto,
    /// Everybody.
    Open,
    /// Those who signed in.
    Required,
}

/// Which replica of a role is asked next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", remote = "Self")]
pub enum Policy {
    /// Each in its turn.
    #[default]
    RoundRobin,
    /// Of two drawn at random, the one with less in hand.
    LeastLoaded,
}

/// Reads one of several names as text, for then the error says which there are; the crate that reads settings would not.
macro_rules! by_name {
    ($($kind:ident)+) => {$(
        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $kind::deserialize(String::deserialize(from)?.into_deserializer())
            }
        }

        impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                $kind::serialize(self, to)
            }
        }
    )+};
}
by_name!(LogFormat AuthMode Policy);

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

/// A text that nobody may read who is not meant to; it prints as stars.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// A secret of 256 random bits.
    pub fn random() -> Secret {
        Secret(format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>()))
    }
    /// The text itself, for whoever sends or compares it.
    pub fn expose(&self) -> &str {
        &self.0
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "" } else { "***" })
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:?}"))
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

/// Networks in CIDR notation, or single addresses; given as [`Addresses`] are.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(try_from = "Addresses")]
pub struct Networks(pub Vec<IpNet>);

impl TryFrom<Addresses> for Networks {
    type Error = String;

    fn try_from(Addresses(given): Addresses) -> Result<Self, String> {
        let read = |text: &String| match text.parse() {
            Ok(network) => Ok(network),
            Err(_) => text
                .parse::<IpAddr>()
                .map(IpNet::from)
                .map_err(|_| format!("{text:?} is no network: write 10.1.0.0/16, fd00::/8 or a single address")),
        };
        given.iter().map(read).collect::<Result<_, _>>().map(Networks)
    }
}
