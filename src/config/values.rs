//! The types of settings: each is parsed strictly, and printed without secrets.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::de::IntoDeserializer as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::mask::mask_url;

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase", remote = "Self")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// Text for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Whether callers must sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase", remote = "Self")]
pub enum AuthMode {
    /// Open on loopback, else required.
    Auto,
    /// Every caller may do everything.
    Open,
    /// Callers must sign in.
    Required,
}

/// Who may see the free and busy time of a user. The user, administrators, and organizers of meetings with the user always may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase", remote = "Self")]
pub enum FreeBusy {
    /// To every account of the installation.
    Installation,
    /// To accounts with a verified address in the same domain.
    Domain,
    /// To no other account.
    Organizers,
}

/// How the next replica of a role is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", remote = "Self")]
pub enum Policy {
    /// One after the other.
    #[default]
    RoundRobin,
    /// Of two random replicas, the one with fewer requests in flight.
    LeastLoaded,
}

/// Parses an enum from text. The error then lists the valid names; the enum support of the settings crate does not.
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
by_name!(LogFormat AuthMode FreeBusy Policy);

/// A URL whose secrets are masked in output.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// The URL with its password, to connect.
    pub fn expose(&self) -> &str {
        &self.0
    }
    /// Whether it is not set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The text before the first `:`, or all of it.
    pub fn scheme(&self) -> &str {
        self.0.split_once(':').map_or(&self.0, |(scheme, _)| scheme)
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask_url(&self.0))
    }
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

/// A text that is masked in output.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// A secret of 256 random bits.
    pub fn random() -> Secret {
        Secret(format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>()))
    }
    /// The text itself, to send or compare it.
    pub fn expose(&self) -> &str {
        &self.0
    }
    /// Whether no secret is set.
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

/// Base URLs: a list in a file, comma-separated in the environment.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Addresses(pub Vec<String>);

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum ListOrText {
            List(Vec<String>),
            Text(String),
        }
        let addresses = match ListOrText::deserialize(deserializer)? {
            ListOrText::List(list) => list,
            ListOrText::Text(text) => text.split(',').map(str::to_owned).collect(),
        };
        let normalize = |base: String| base.trim().trim_end_matches('/').to_owned();
        Ok(Addresses(addresses.into_iter().map(normalize).filter(|base| !base.is_empty()).collect()))
    }
}

/// Networks in CIDR notation, or single addresses; written as [`Addresses`] are.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(try_from = "Addresses")]
pub struct Networks(pub Vec<IpNet>);

impl TryFrom<Addresses> for Networks {
    type Error = String;

    fn try_from(Addresses(texts): Addresses) -> Result<Self, String> {
        let parse = |text: &String| match text.parse() {
            Ok(network) => Ok(network),
            Err(_) => text
                .parse::<IpAddr>()
                .map(IpNet::from)
                .map_err(|_| format!("{text:?} is not a network: write 10.1.0.0/16, fd00::/8 or a single address")),
        };
        texts.iter().map(parse).collect::<Result<_, _>>().map(Networks)
    }
}
