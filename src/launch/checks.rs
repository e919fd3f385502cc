//! Checks at start: incomplete settings, open access beyond loopback, and a data directory in use are refused.

use std::fs::File;

use anyhow::{Context as _, bail};

use super::listeners::{BoundListener, is_internal_only};
use crate::config::{AuthMode, Secret, Settings};
use crate::platform::data;
use crate::platform::role::Role;

pub fn contains(roles: &[&'static Role], name: &str) -> bool {
    roles.iter().any(|role| role.name == name)
}

/// Refuses settings that are incomplete, and names what is missing.
pub fn check(settings: &Settings, roles: &[&'static Role], table: &[Role]) -> anyhow::Result<()> {
    for role in roles {
        for called in role.required_roles(table) {
            if !contains(roles, called) && settings.upstreams(called).is_empty() {
                bail!(
                    "{} calls {called}, but the address of {called} is unknown: add it to --role, or set \
                     W2MEET_UPSTREAMS__{}=http://host:port",
                    role.name,
                    called.to_uppercase()
                );
            }
        }
        if role.keeps_cache && !is_internal_only(role, roles, table) && settings.cache.url.scheme() == "memory" {
            bail!(
                "the cache of {} is inside this process, but its callers run in other processes, so a second {} would serve stale \
                 data: set W2MEET_CACHE__URL=redis://host:6379 for all of them, or run every role in one process (--role all)",
                role.name,
                role.name
            );
        }
    }
    let queue_role = roles.iter().find(|role| role.uses_queue);
    let elsewhere = table.iter().find(|role| role.uses_queue && !contains(roles, role.name));
    if let (Some(role), Some(elsewhere), "embedded") = (queue_role, elsewhere, settings.queue.url.scheme()) {
        bail!(
            "the queue of {} is inside this process, but {} runs in another process and cannot reach it: set \
             W2MEET_QUEUE__URL=amqp://user:password@host:5672 for all of them, or run every role in one process (--role all)",
            role.name,
            elsewhere.name
        );
    }
    Ok(())
}

/// Resolves the auth mode, now that the addresses are known. `auto` is open on loopback alone; open access beyond loopback must
/// be allowed explicitly. Roles in several processes need a shared secret.
pub fn resolve_auth_mode(settings: &mut Settings, is_split: bool, bound: &[BoundListener]) -> anyhow::Result<()> {
    let exposed = bound.iter().find(|bound| !bound.address.ip().is_loopback());
    let auth = &mut settings.auth;
    auth.mode = match auth.mode {
        AuthMode::Auto if auth.allow_open_beyond_loopback => AuthMode::Open,
        AuthMode::Auto if exposed.is_some() || is_split && !auth.service_secret.is_empty() => AuthMode::Required,
        AuthMode::Auto => AuthMode::Open,
        given => given,
    };
    match (auth.mode, exposed) {
        (AuthMode::Open, Some(BoundListener { role, address, .. })) if !auth.allow_open_beyond_loopback => bail!(
            "{} would listen on {address}, which other hosts can reach, without any sign-in: listen on 127.0.0.1, require sign-in \
             with W2MEET_AUTH__MODE=required, or allow open access with W2MEET_AUTH__ALLOW_OPEN_BEYOND_LOOPBACK=true",
            role.name
        ),
        (AuthMode::Required, _) if auth.service_secret.is_empty() && is_split => bail!(
            "sign-in is required, so roles in several processes need a shared secret: set W2MEET_AUTH__SERVICE_SECRET to the same \
             value for all of them, for example the output of `openssl rand -hex 32`"
        ),
        (AuthMode::Required, _) if auth.service_secret.is_empty() => auth.service_secret = Secret::random(),
        _ => {}
    }
    tracing::info!(access = ?auth.mode, "auth mode");
    Ok(())
}

/// Locks the data directory against other processes.
pub fn lock_data(settings: &Settings, roles: &[&'static Role]) -> anyhow::Result<Option<File>> {
    let owner = roles.iter().find(|role| role.owns_data);
    let Some(database) = owner.and_then(|role| settings.sqlite_path(role.name)) else { return Ok(None) };
    let folder = data::make_folder(&database)?;
    let file = File::create(folder.join("w2meet.lock"))
        .with_context(|| format!("cannot write in the data directory {}", folder.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(_) => bail!(
            "another w2meet uses the data directory {}: stop it, or give this one its own with W2MEET_DATA_DIR",
            folder.display()
        ),
    }
}
