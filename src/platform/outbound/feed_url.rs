//! The URL of a subscribed calendar: one that callbacks may go to, perhaps with a user name and a password before the host.

use percent_encoding::percent_decode_str;

use super::ssrf_guard::{CallbackUrl, Refused, SsrfGuard};

/// A URL of a calendar. It is private, so its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct FeedUrl {
    /// The URL without its credentials.
    pub url: CallbackUrl,
    /// The user name and the password as they are written in the URL: `user:password`.
    credentials: Option<String>,
}

impl FeedUrl {
    /// Parses a URL; all but the credentials must be a URL that callbacks may go to.
    ///
    /// # Errors
    /// [`Refused`], with the reason for the caller.
    pub fn parse(guard: &SsrfGuard, text: &str) -> Result<FeedUrl, Refused> {
        FeedUrl::split(guard, text).map_err(Refused::of_subscription)
    }

    fn split(guard: &SsrfGuard, text: &str) -> Result<FeedUrl, Refused> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()));
        match authority.rsplit_once('@').filter(|_| !scheme.is_empty()) {
            None => Ok(FeedUrl { url: guard.parse(text)?, credentials: None }),
            Some((credentials, host)) => {
                let is_clear = |c: char| c.is_ascii_graphic() && !matches!(c, '@' | '"' | '<' | '>');
                if !credentials.chars().all(is_clear) {
                    return Err(Refused::new(
                        "its user name or password holds characters that must be percent-encoded",
                    ));
                }
                let url = guard.parse(&format!("{scheme}://{host}{path}"))?;
                Ok(FeedUrl { url, credentials: Some(credentials.to_owned()) })
            }
        }
    }

    /// The whole URL, with its credentials: what is stored.
    pub fn to_secret_text(&self) -> String {
        match (&self.credentials, self.url.as_str().split_once("://")) {
            (Some(credentials), Some((scheme, rest))) => format!("{scheme}://{credentials}@{rest}"),
            _ => self.url.as_str().to_owned(),
        }
    }

    /// The user name and the password, decoded.
    pub fn credentials(&self) -> Option<(String, String)> {
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (user, password) = self.credentials.as_ref()?.split_once(':').unwrap_or((self.credentials.as_ref()?, ""));
        Some((decode(user), decode(password)))
    }

    /// The URL that this one redirects to. It keeps the credentials on the same origin alone.
    ///
    /// # Errors
    /// [`Refused`]: a redirect must lead where callbacks may go.
    pub fn redirect(&self, guard: &SsrfGuard, location: &str) -> Result<FeedUrl, Refused> {
        let location = location.split('#').next().unwrap_or_default();
        let url = self.url.join(location).and_then(|url| guard.parse(&url)).map_err(Refused::of_subscription)?;
        let credentials = self.credentials.clone().filter(|_| url.has_same_origin(&self.url));
        Ok(FeedUrl { url, credentials })
    }
}

/// A stored URL with stars in place of its user name and password.
pub fn mask_credentials(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://***@{host}{path}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{FeedUrl, SsrfGuard, mask_credentials};
    use crate::config::{Networks, Webhooks};

    fn guard() -> SsrfGuard {
        let (allow_http, allow_networks) = (false, Networks(Vec::new()));
        SsrfGuard::new(&Webhooks { allow_http, allow_networks, timeout_seconds: 1.0, per_host: 1 })
    }

    #[test]
    fn credentials_are_split_from_the_url_and_kept() {
        let feed = FeedUrl::parse(&guard(), "https://ana%40x:p%3Aw:d@cloud.example.com/a.ics?b=@c").ok();
        let feed = feed.map(|feed| (feed.url.as_str().to_owned(), feed.credentials(), feed.to_secret_text()));
        let url = "https://cloud.example.com/a.ics?b=@c".to_owned();
        let whole = "https://ana%40x:p%3Aw:d@cloud.example.com/a.ics?b=@c".to_owned();
        assert_eq!(feed, Some((url, Some(("ana@x".to_owned(), "p:w:d".to_owned())), whole)));
        assert_eq!(mask_credentials("https://ana:p@h.example.com/a?b=@c"), "https://***@h.example.com/a?b=@c");
        for bad in [
            "https://ana:pw@127.0.0.1/a",
            "https://a b:pw@cloud.example.com/a",
            "https://a@b@127.0.0.1/",
            "https://a:b@",
            "https://cloud.example.com\\@127.0.0.1/",
            "http://ana:pw@cloud.example.com/",
        ] {
            let refused = FeedUrl::parse(&guard(), bad).map(|_| ()).map_err(|refused| refused.to_string());
            let begin = "is not a URL that a calendar subscription can have: ";
            let is_clear = |why: &String| why.starts_with(begin) && !why.contains("callback");
            assert!(refused.as_ref().is_err_and(is_clear), "{bad}: {refused:?}");
        }
    }

    #[test]
    fn a_redirect_is_checked_and_keeps_the_credentials_on_its_origin() {
        let Ok(feed) = FeedUrl::parse(&guard(), "https://ana:pw@cloud.example.com/a/b.ics") else { panic!("a URL") };
        let to = |location: &str| feed.redirect(&guard(), location).map(|feed| feed.to_secret_text()).ok();
        assert_eq!(to("c.ics").as_deref(), Some("https://ana:pw@cloud.example.com/a/c.ics"));
        assert_eq!(to("https://other.example.com/#x").as_deref(), Some("https://other.example.com/"));
        for bad in [
            "https://10.0.0.1/",
            "http://cloud.example.com/",
            "https://localhost/",
            "//169.254.169.254/x",
            "file:///etc",
        ] {
            assert_eq!(to(bad), None, "{bad}");
        }
    }
}
