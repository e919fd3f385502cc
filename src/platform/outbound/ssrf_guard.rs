//! Decides where a callback may go: checks the URL when a client sends it, and every address that its host resolves to.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use actix_web::http::Uri;
use ipnet::IpNet;
use url::{Host, Url};

use super::global_address::is_global;
use super::resolver::{Resolver, Unreachable};
use crate::config::{Networks, Webhooks};

/// The maximum length of a callback URL in bytes.
const MAX_URL: usize = 2048;
/// The number of addresses of a host that are tried in turn.
const MAX_ADDRESSES: usize = 4;

/// A URL that callbacks may go to, before its host is resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackUrl(Url);

/// The reason why a text is no URL for callbacks, or for subscriptions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a URL that {purpose}: {why}")]
pub struct Refused {
    purpose: &'static str,
    why: Cow<'static, str>,
}

/// The reason why an address is not allowed. It does not contain the address, which would reveal the network to the owner of the
/// URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Blocked {
    /// Private, loopback, reserved and the like.
    #[error("its host is not on the public internet")]
    Address,
    /// The port is not one of web servers.
    #[error("its port is not one of web servers: use 443 or 8443")]
    Port,
}

/// The rules of the settings about where callbacks may go.
#[derive(Clone, Debug)]
pub struct SsrfGuard {
    allow_http: bool,
    /// Networks that are allowed in any case, with any port.
    networks: Vec<IpNet>,
}

impl From<Blocked> for Refused {
    fn from(why: Blocked) -> Refused {
        Refused::new(why.to_string())
    }
}

impl Refused {
    /// `why` begins with the subject: `its host …`.
    pub(super) fn new(why: impl Into<Cow<'static, str>>) -> Refused {
        Refused { purpose: "callbacks can go to", why: why.into() }
    }

    /// The same reason, about the URL of a subscription.
    pub(super) fn of_subscription(self) -> Refused {
        Refused { purpose: "a calendar subscription can have", ..self }
    }
}

impl CallbackUrl {
    /// The URL of a reference, relative to this one.
    pub(super) fn join(&self, reference: &str) -> Result<String, Refused> {
        let joined = self.0.join(reference).map_err(|why| Refused::new(why.to_string()))?;
        Ok(joined.into())
    }

    /// Whether another URL has the same scheme, host and port.
    pub(super) fn has_same_origin(&self, other: &CallbackUrl) -> bool {
        self.0.origin() == other.0.origin()
    }

    /// The URL in its canonical form.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The canonical host: the key of the limit of deliveries, and the only part of the URL that is logged.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether the HTTP client parses the same host and port from it.
    fn is_unambiguous(&self) -> bool {
        self.as_str().parse::<Uri>().is_ok_and(|uri| {
            uri.host() == self.0.host_str()
                && uri.port_u16() == self.0.port()
                && uri.scheme_str() == Some(self.0.scheme())
        })
    }
}

impl fmt::Display for CallbackUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl SsrfGuard {
    /// The guard of these settings.
    pub fn new(settings: &Webhooks) -> SsrfGuard {
        let Networks(networks) = &settings.allow_networks;
        SsrfGuard { allow_http: settings.allow_http, networks: networks.clone() }
    }

    /// Parses a URL, and checks all of it without resolving a host name.
    ///
    /// # Errors
    /// [`Refused`], with the reason for the caller.
    pub fn parse(&self, text: &str) -> Result<CallbackUrl, Refused> {
        let refuse = |why: &'static str| Err(Refused::new(why));
        if text.len() > MAX_URL {
            return refuse("it is longer than 2048 bytes");
        }
        // URL parsers drop or correct these characters in different ways, and may find different hosts
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
            return refuse("it holds spaces, control characters or backslashes");
        }
        if !self.has_scheme(text) {
            return refuse(if self.allow_http {
                "it must begin with https:// or http://"
            } else {
                "it must begin with https://"
            });
        }
        let url = Url::parse(text).map_err(|why| Refused::new(why.to_string()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("it must not hold a user name or a password");
        }
        if url.fragment().is_some() {
            return refuse("it must not have a fragment, the part after #");
        }
        self.check_host(&url)?;
        let callback = CallbackUrl(url);
        if !callback.is_unambiguous() {
            return refuse("it holds characters that must be percent-encoded");
        }
        // percent-encoding may lengthen the URL, and the stored URL is checked again at each delivery
        match callback.as_str().len() > MAX_URL {
            true => refuse("it is longer than 2048 bytes, once percent-encoded"),
            false => Ok(callback),
        }
    }

    /// Whether the text begins with an allowed scheme, and a host follows.
    fn has_scheme(&self, text: &str) -> bool {
        let after = |scheme: &str| {
            let (head, rest) = text.split_at_checked(scheme.len())?;
            (head.eq_ignore_ascii_case(scheme) && !rest.starts_with('/')).then_some(())
        };
        after("https://").is_some() || self.allow_http && after("http://").is_some()
    }

    fn check_host(&self, url: &Url) -> Result<(), Refused> {
        let port = url.port_or_known_default().unwrap_or_default();
        let literal = |address: IpAddr| Ok(self.check(SocketAddr::new(address, port))?);
        match url.host() {
            None => Err(Refused::new("it has no host")),
            Some(Host::Ipv4(address)) => literal(address.into()),
            Some(Host::Ipv6(address)) => literal(address.into()),
            Some(Host::Domain(name)) if name.ends_with('.') => Err(Refused::new("its host must not end with a dot")),
            Some(Host::Domain(name)) if name == "localhost" || name.ends_with(".localhost") => {
                match self.is_allowed(Ipv4Addr::LOCALHOST.into()) || self.is_allowed(Ipv6Addr::LOCALHOST.into()) {
                    true => Ok(()),
                    false => Err(Blocked::Address.into()),
                }
            }
            // with allowed networks, only the address can decide, when a message is sent
            Some(Host::Domain(_)) if self.is_web(port) || !self.networks.is_empty() => Ok(()),
            Some(Host::Domain(_)) => Err(Blocked::Port.into()),
        }
    }

    fn is_allowed(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    fn is_web(&self, port: u16) -> bool {
        matches!(port, 443 | 8443) || self.allow_http && port == 80
    }

    /// Checks an address to connect to.
    ///
    /// # Errors
    /// [`Blocked`], with the reason.
    pub fn check(&self, address: SocketAddr) -> Result<(), Blocked> {
        let ip = address.ip().to_canonical();
        match self.is_allowed(ip) {
            true => Ok(()),
            false if !is_global(ip) => Err(Blocked::Address),
            false if !self.is_web(address.port()) => Err(Blocked::Port),
            false => Ok(()),
        }
    }

    /// Resolves a host. The caller connects to these addresses, and does not resolve the name again.
    ///
    /// # Errors
    /// [`Unreachable`] when the name does not resolve, and when any of its addresses is not allowed: a name with both a public and
    /// a private address is an attack. Both say the same of an address that is not public.
    pub async fn resolve(&self, names: &Resolver, host: &str, port: u16) -> Result<Vec<SocketAddr>, Unreachable> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let mut found = match bare.parse() {
            Ok(literal) => vec![SocketAddr::new(literal, port)],
            Err(_) => names.look_up(host, port).await?,
        };
        for address in &found {
            if let Err(why) = self.check(*address) {
                tracing::warn!(host, address = %address, why = %why, "callback blocked");
                // whether a name of a private network exists is no business of the owner of the URL
                return Err(if why == Blocked::Address { Unreachable::NotPublic } else { why.into() });
            }
        }
        found.truncate(MAX_ADDRESSES);
        Ok(found)
    }
}
