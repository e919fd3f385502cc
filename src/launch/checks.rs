//! Checks at start: incomplete settings, open access beyond loopback, and a data directory in use are refused.

use std::fs::File;

use anyhow::{Context as _, bail};

use super::listeners::{Bound, is_unseen};
use crate::config::{AuthMode, Secret, Settings};
use crate::platform::data;
use crate::platform::role::Role;

pub fn runs(roles: &[&'static Role], name: &str) -> bool {
    roles.iter().any(|role| role.name == name)
}

/// Refuses settings that are incomplete, and names what is missing.
pub fn check(settings: &Settings, roles: &[&'static Role], table: &[Role]) -> anyhow::Result<()> {
    for role in roles {
        for called in role.required_roles(table) {
            if !runs(roles, called) && settings.upstreams(called).is_empty() {
                bail!(
                    "{} calls {called}, and nobody says where {called} is: add it to --role, or set \
                     W2MEET_UPSTREAMS__{}=http://host:port",
                    role.name,
                    called.to_uppercase()
                );
            }
        }
        if role.keeps_cache && !is_unseen(role, roles, table) && settings.cache.url.scheme() == "memory" {
            bail!(
                "{} would keep its cache inside this process, but its callers run elsewhere, so a second {} would answer with \
                 what the first has changed: set W2MEET_CACHE__URL=redis://host:6379 for all of them, or run every role in \
                 one process (--role all)",
                role.name,
                role.name
            );
        }
    }
    let user_of_queue = roles.iter().find(|role| role.uses_queue);
    let elsewhere = table.iter().find(|role| role.uses_queue && !runs(roles, role.name));
    if let (Some(role), Some(elsewhere), "embedded") = (user_of_queue, elsewhere, settings.queue.url.scheme()) {
        bail!(
            "{} would use the queue inside this process, but {} runs elsewhere and would never hear of it: set \
             W2MEET_QUEUE__URL=amqp://user:password@host:5672 for all of them, or run every role in one process (--role all)",
            role.name,
            elsewhere.name
        );
    }
    Ok(())
}

/// Resolves the auth mode, now that the addresses are known. `auto` is open on loopback alone; open access beyond loopback must
/// be allowed explicitly. Roles in several processes need a shared secret.
pub fn settle_access(settings: &mut Settings, apart: bool, bound: &[Bound]) -> anyhow::Result<()> {
    let beyond = bound.iter().find(|bound| !bound.address.ip().is_loopback());
    let auth = &mut settings.auth;
    auth.mode = match auth.mode {
        AuthMode::Auto if auth.allow_open_beyond_loopback => AuthMode::Open,
        AuthMode::Auto if beyond.is_some() || apart && !auth.service_secret.is_empty() => AuthMode::Required,
        AuthMode::Auto => AuthMode::Open,
        given => given,
    };
    match (auth.mode, beyond) {
        (AuthMode::Open, Some(Bound { role, address, .. })) if !auth.allow_open_beyond_loopback => bail!(
            "{} would listen on {address}, where others can reach it, and everybody may do everything: listen on 127.0.0.1, have \
             callers sign in with W2MEET_AUTH__MODE=required, or say that this is meant with \
             W2MEET_AUTH__ALLOW_OPEN_BEYOND_LOOPBACK=true",
            role.name
        ),
        (AuthMode::Required, _) if auth.service_secret.is_empty() && apart => bail!(
            "callers must sign in, and roles that run apart must know each other by a secret: give all of them the same with \
             W2MEET_AUTH__SERVICE_SECRET, such as what `openssl rand -hex 32` says"
        ),
        (AuthMode::Required, _) if auth.service_secret.is_empty() => auth.service_secret = Secret::random(),
        _ => {}
    }
    tracing::info!(access = ?auth.mode, "who may call");
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
