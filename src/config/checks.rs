//! Values with which no role can work; each is refused by name.

use anyhow::{Context as _, bail};

use super::mask::mask;
use super::{Addresses, SecretUrl, Settings};

/// The fewest characters of a service secret.
const MIN_SECRET_LENGTH: usize = 32;

impl Settings {
    /// Refuses values with which no role can work.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let one_of = |key: &str, url: &SecretUrl, schemes: &[&str]| match schemes.contains(&url.scheme()) {
            true => Ok(()),
            false => {
                let known: Vec<String> =
                    schemes.iter().filter(|it| !it.is_empty()).map(|it| format!("{it}:")).collect();
                bail!("{key} is {url:?}: it must begin with {}", known.join(" or "))
            }
        };
        let databases = ["", "sqlite", "postgres", "postgresql"];
        one_of("database.url", &self.database.url, &databases)?;
        for (role, section) in &self.roles {
            one_of(&format!("{role}.database_url"), &section.database_url, &databases)?;
        }
        one_of("cache.url", &self.cache.url, &["memory", "redis", "rediss"])?;
        one_of("queue.url", &self.queue.url, &["embedded", "amqp", "amqps"])?;
        one_of("mail.smtp_url", &self.mail.smtp_url, &["", "smtp", "smtps"])?;
        for (role, Addresses(bases)) in &self.upstreams {
            for base in bases {
                let url = url::Url::parse(base)
                    .with_context(|| format!("upstreams.{role} holds {:?}, which is not a URL", mask(base)))?;
                if url.scheme() != "http" || url.host().is_none() || !url.username().is_empty() || url.query().is_some()
                {
                    bail!("upstreams.{role} holds {:?}: give base URLs such as http://host:8081", mask(base));
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
        let is_public = |url: url::Url| is_web(url.clone()) && url.username().is_empty() && url.password().is_none();
        if !public.is_empty() && !url::Url::parse(public).is_ok_and(is_public) {
            bail!(
                "server.public_url is {:?}: set the URL at which clients reach the gateway, such as https://meet.example.com",
                mask(public)
            );
        }
        let endpoint = &self.telemetry.otlp_endpoint;
        if !endpoint.is_empty() && !url::Url::parse(endpoint.expose()).is_ok_and(is_web) {
            bail!("telemetry.otlp_endpoint is {endpoint:?}: give a collector's address, such as http://127.0.0.1:4318");
        }
        for origin in &self.server.cors_origins.0 {
            let is_origin = |url: url::Url| is_web(url.clone()) && url.origin().ascii_serialization() == *origin;
            if origin != "*" && !url::Url::parse(origin).is_ok_and(is_origin) {
                bail!(
                    "server.cors_origins holds {:?}: give origins such as https://app.example.com, or *",
                    mask(origin)
                );
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
            ("auth.reset_minutes", self.auth.reset_minutes, 0.000_001, 1440.0),
            ("auth.verification_minutes", self.auth.verification_minutes, 0.000_001, 1440.0),
            ("invitations.join_seconds", self.invitations.join_seconds, 0.0, 86_400.0),
            ("invitations.per_hour", self.invitations.per_hour as f64, 0.0, unbounded),
            ("invitations.per_day", self.invitations.per_day as f64, 0.0, unbounded),
            ("invitations.organizer_per_hour", self.invitations.organizer_per_hour as f64, 0.0, unbounded),
            ("invitations.organizer_per_day", self.invitations.organizer_per_day as f64, 0.0, unbounded),
            ("invitations.actor_per_hour", self.invitations.actor_per_hour as f64, 0.0, unbounded),
            ("invitations.actor_per_day", self.invitations.actor_per_day as f64, 0.0, unbounded),
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
}
