//! Who may register.

use serde::{Deserialize, Serialize, Serializer};

use super::values::Addresses;

/// Who may register: every client, no client, or the owners of addresses in some domains.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Addresses")]
pub enum Registration {
    /// Every client.
    Open,
    /// No client: administrators create users.
    Closed,
    /// Owners of addresses in these domains, written in lower-case ASCII.
    Domains(Vec<String>),
}

impl TryFrom<Addresses> for Registration {
    type Error = String;

    fn try_from(Addresses(texts): Addresses) -> Result<Self, String> {
        match texts.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [] => Err("nothing is given: write open, closed, or domains such as example.com".to_owned()),
            ["open"] => Ok(Registration::Open),
            ["closed"] => Ok(Registration::Closed),
            domains => domains.iter().map(|text| domain(text)).collect::<Result<_, _>>().map(Registration::Domains),
        }
    }
}

fn domain(text: &str) -> Result<String, String> {
    let domain = idna::domain_to_ascii_strict(text).ok().filter(|domain| domain.contains('.'));
    domain.ok_or_else(|| {
        format!(
            "{text:?} is not a domain: write open, closed, or domains such as example.com (several in the environment: \
             example.com,example.org)"
        )
    })
}

impl Serialize for Registration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Registration::Open => serializer.serialize_str("open"),
            Registration::Closed => serializer.serialize_str("closed"),
            Registration::Domains(domains) => serializer.collect_seq(domains),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Registration;
    use crate::config::{Addresses, load_from};

    #[test]
    fn registration_is_open_closed_or_for_domains() {
        let read = |text: &[&str]| Registration::try_from(Addresses(text.iter().map(ToString::to_string).collect()));
        assert_eq!(read(&["open"]), Ok(Registration::Open));
        assert_eq!(read(&["closed"]), Ok(Registration::Closed));
        let domains = Registration::Domains(vec!["example.com".to_owned(), "xn--exmple-cua.de".to_owned()]);
        assert_eq!(read(&["Example.COM", "ex\u{e4}mple.de"]), Ok(domains));
        for wrong in [&[][..], &["opened"], &["open", "closed"], &["a@example.com"], &["example.com", ""]] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_environment_gives_domains_with_commas() -> anyhow::Result<()> {
        let read = |text: &str| {
            let variable = ("W2MEET_AUTH__REGISTRATION".to_owned(), text.to_owned());
            load_from(None, [variable].into_iter()).map(|loaded| loaded.settings.auth.registration)
        };
        let domains = |all: &[&str]| Registration::Domains(all.iter().map(ToString::to_string).collect());
        assert_eq!(read("closed")?, Registration::Closed);
        assert_eq!(read("example.com")?, domains(&["example.com"]));
        assert_eq!(read("example.com, Example.ORG")?, domains(&["example.com", "example.org"]));
        for wrong in ["", "[\"example.com\"]", "example.com;example.org", "closed,example.com"] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
        Ok(())
    }
}
