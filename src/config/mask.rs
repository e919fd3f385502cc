//! Texts of settings without their secrets, for output.

/// What may begin the URL of a setting.
const SCHEMES: [&str; 13] = [
    "postgres",
    "postgresql",
    "sqlite",
    "redis",
    "rediss",
    "memory",
    "amqp",
    "amqps",
    "embedded",
    "smtp",
    "smtps",
    "http",
    "https",
];
/// Parameters of URLs that are no secrets, and say how a connection is protected.
const PUBLIC_PARAMETERS: [&str; 3] = ["sslmode", "sslrootcert", "tls"];
const STARS: &str = "***";

/// The setting of a URL, with stars in place of secrets: the password and the values of the query. It reads the text itself, because a
/// parser of URLs takes a mistyped one for another one or for none: then stars replace all from the scheme to the last `@`.
pub fn mask_url(text: &str) -> String {
    let (scheme, rest) = split_scheme(text);
    if scheme.is_empty() {
        return match rest.rsplit_once('@') {
            _ if SCHEMES.contains(&text) || text.is_empty() => text.to_owned(),
            Some((_, host)) => format!("{STARS}@{}", mask_query(host)),
            None => STARS.to_owned(),
        };
    }
    let slashes = if rest.starts_with("//") { "//" } else { "" };
    let rest = &rest[slashes.len()..];
    let Some((user_info, host)) = rest.rsplit_once('@') else {
        return format!("{scheme}{slashes}{}", mask_query(rest));
    };
    let is_well_formed = !slashes.is_empty() && !user_info.contains(['/', '?', '#']);
    let shown = match user_info.split_once(':') {
        Some((name, _)) if is_well_formed => format!("{name}:{STARS}"),
        // PostgreSQL admits users without a password; elsewhere it is a password without a user
        None if is_well_formed && scheme.starts_with("postgres") => user_info.to_owned(),
        _ => STARS.to_owned(),
    };
    format!("{scheme}{slashes}{shown}@{}", mask_query(host))
}

/// A text that should not have been a URL with secrets, and may be one.
pub fn mask(text: &str) -> String {
    if text.contains(['@', '?']) { mask_url(text) } else { text.to_owned() }
}

/// The scheme with its colon, and the rest. A user name before a password is no scheme.
fn split_scheme(text: &str) -> (&str, &str) {
    match text.split_once(':') {
        Some((scheme, rest)) if SCHEMES.contains(&scheme) || rest.starts_with("//") => text.split_at(scheme.len() + 1),
        _ => ("", text),
    }
}

/// The end of a URL, from its host on, without the values of its query and without its fragment.
fn mask_query(text: &str) -> String {
    let (text, fragment) = text.split_once('#').map_or((text, ""), |(text, _)| (text, "#***"));
    let Some((path, query)) = text.split_once('?') else { return format!("{text}{fragment}") };
    let mask_pair = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if PUBLIC_PARAMETERS.contains(&name) => pair.to_owned(),
        Some((name, _)) => format!("{name}={STARS}"),
        None => STARS.to_owned(),
    };
    let pairs: Vec<String> = query.split('&').map(mask_pair).collect();
    format!("{path}?{}{fragment}", pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::mask_url;

    #[test]
    fn secrets_are_masked_in_every_shape_of_a_url() {
        for (text, shown) in [
            ("", ""),
            ("memory", "memory"),
            ("memory:", "memory:"),
            ("sqlite:/data", "sqlite:/data"),
            ("redis://h:1/3", "redis://h:1/3"),
            ("redis://:secret@h/3", "redis://:***@h/3"),
            ("amqp://u:secret@h:5672/%2f", "amqp://u:***@h:5672/%2f"),
            ("postgres://u@h/db", "postgres://u@h/db"),
            ("redis://secret@h", "redis://***@h"),
            ("postgres://u:secret@a:1,b:2/db?sslmode=require", "postgres://u:***@a:1,b:2/db?sslmode=require"),
            ("postgres://h/db?user=secret&password=secret&secret", "postgres://h/db?user=***&password=***&***"),
            ("http://h:4318/v1?api-key=secret#secret", "http://h:4318/v1?api-key=***#***"),
            ("redis:/u:secret@h", "redis:***@h"),
            ("redis:u:secret@h", "redis:***@h"),
            ("redis:///u:secret@h", "redis://***@h"),
            ("redis://u:se/cret@h", "redis://***@h"),
            ("redis://u:se?cret=secret@h/0", "redis://***@h/0"),
            ("redis://u:se#cret@h", "redis://***@h"),
            ("redis://u:secret@secret/secret@h", "redis://***@h"),
            ("u:secret@h", "***@h"),
            ("u:secret@h?password=secret", "***@h?password=***"),
            ("host=h password=secret", "***"),
            ("mysql://u:secret@h", "mysql://u:***@h"),
        ] {
            assert_eq!(mask_url(text), shown, "{text}");
        }
    }
}
