//! Where a callback may go: judged when its URL is given to us, and again for every address that it turns out to mean.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use actix_web::http::Uri;
use ipnet::IpNet;
use url::{Host, Url};

use super::global_address::is_global;
use super::resolver::{Resolver, Unreachable};
use crate::config::{Networks, Webhooks};

/// Bytes a callback URL may have.
const LONGEST: usize = 2048;
/// Addresses of one host that are tried in turn.
const TRIED: usize = 4;

/// A URL that callbacks may go to, as far as it can be told without asking what its host means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackUrl(Url);

/// Why a text is no URL that callbacks can go to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a URL that callbacks can go to: {0}")]
pub struct Refused(Cow<'static, str>);

/// Why an address is not connected to. It does not tell the address: the owner of the URL may not know our network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Blocked {
    /// Private, loopback, reserved and the like.
    #[error("its host is not on the public internet")]
    Address,
    /// Something other than web servers may listen there.
    #[error("its port is not one that callbacks may use")]
    Port,
}

/// What the settings say about where callbacks may go.
#[derive(Clone, Debug)]
pub struct SsrfGuard {
    allow_http: bool,
    /// Beyond all rules on addresses and ports.
    networks: Vec<IpNet>,
}

impl From<Blocked> for Refused {
    fn from(why: Blocked) -> Refused {
        Refused(why.to_string().into())
    }
}

impl CallbackUrl {
    /// The URL in its canonical form.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The host alone, canonical: what deliveries are counted by, and all of the URL that is logged.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether the HTTP client reads the same host and port out of it.
    fn is_read_alike(&self) -> bool {
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

    /// Reads a URL, and judges all of it but what a name means.
    ///
    /// # Errors
    /// [`Refused`], with the reason as a sentence for whoever gave it.
    pub fn parse(&self, text: &str) -> Result<CallbackUrl, Refused> {
        let refuse = |why: &'static str| Err(Refused(why.into()));
        if text.len() > LONGEST {
            return refuse("it is longer than 2048 bytes");
        }
        // a URL parser drops or mends these without a word; another one might read another host
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
        let url = Url::parse(text).map_err(|why| Refused(why.to_string().into()))?;
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("it must not hold a user name or a password");
        }
        if url.fragment().is_some() {
            return refuse("it must not have a fragment, the part after #");
        }
        self.check_host(&url)?;
        let callback = CallbackUrl(url);
        if !callback.is_read_alike() {
            return refuse("it holds characters that must be percent-encoded");
        }
        // percent-encoding made it longer, and what is kept must pass again when something is sent
        match callback.as_str().len() > LONGEST {
            true => refuse("it is longer than 2048 bytes, once percent-encoded"),
            false => Ok(callback),
        }
    }

    /// `https://` and something, which is what makes the rest a host.
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
            None => Err(Refused("it has no host".into())),
            Some(Host::Ipv4(address)) => literal(address.into()),
            Some(Host::Ipv6(address)) => literal(address.into()),
            Some(Host::Domain(name)) if name.ends_with('.') => Err(Refused("its host must not end with a dot".into())),
            Some(Host::Domain(name)) if name == "localhost" || name.ends_with(".localhost") => {
                match self.is_allowed(Ipv4Addr::LOCALHOST.into()) || self.is_allowed(Ipv6Addr::LOCALHOST.into()) {
                    true => Ok(()),
                    false => Err(Blocked::Address.into()),
                }
            }
            // with networks of one's own, only the address can tell; it is asked for when something is sent
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

    /// Judges an address to connect to.
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

    /// What a host means right now. The caller connects to these addresses, and asks nobody again.
    ///
    /// # Errors
    /// [`Unreachable`] when nobody knows the host, and when any of its addresses may not be connected to: a name that
    /// means both a public and a private address is up to no good.
    pub async fn resolve(&self, names: &Resolver, host: &str, port: u16) -> Result<Vec<SocketAddr>, Unreachable> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let mut found = match bare.parse() {
            Ok(literal) => vec![SocketAddr::new(literal, port)],
            Err(_) => names.look_up(host, port).await?,
        };
        for address in &found {
            if let Err(why) = self.check(*address) {
                tracing::warn!(host, address = %address, why = %why, "callback blocked");
                return Err(why.into());
            }
        }
        found.truncate(TRIED);
        Ok(found)
    }
}
