//! Checks at start: incomplete settings, open access beyond loopback, and a data directory in use are refused.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::listeners::{BoundListener, is_internal_only};
use crate::config::{AuthMode, Secret, Settings};
use crate::platform::data;
use crate::platform::role::Role;
use crate::platform::tls::own_roots;

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
    own_roots(&settings.tls)?;
    let stray = table.iter().find(|role| {
        !role.owns_data() && settings.roles.get(role.name).is_some_and(|section| !section.database_url.is_empty())
    });
    if let Some(role) = stray {
        bail!("{0}.database_url is set, but {0} has no data: remove it", role.name);
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

/// Locks the folders of SQLite databases against other processes.
pub fn lock_data(settings: &Settings, roles: &[&'static Role]) -> anyhow::Result<Vec<File>> {
    let owners = roles.iter().filter(|role| role.owns_data());
    let files = owners
        .filter_map(|role| settings.sqlite_path(role.name))
        .map(|file| Ok(data::make_folder(&file)?.canonicalize()?));
    let folders: BTreeSet<PathBuf> = files.collect::<anyhow::Result<_>>()?;
    // the data directory may have been there before, and readable for everybody
    let own = settings.data_dir.canonicalize().ok().filter(|own| folders.contains(own));
    let private = own.map(|own| std::fs::set_permissions(own, Permissions::from_mode(0o700)));
    if let Some(Err(why)) = private {
        tracing::warn!(folder = %settings.data_dir.display(), %why, "the data directory could not be made private");
    }
    folders.iter().map(|folder| lock_folder(folder)).collect()
}

fn lock_folder(folder: &Path) -> anyhow::Result<File> {
    let (path, private) = (folder.join("w2meet.lock"), Permissions::from_mode(0o600));
    let open = || OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    // an earlier release may have made it readable for everybody
    let file = open().and_then(|file| file.set_permissions(private).map(|()| file));
    let file = file.with_context(|| format!("cannot write in the data directory {}", folder.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => bail!(
            "another w2meet uses the data directory {}: stop it, or give this one its own with W2MEET_DATA_DIR",
            folder.display()
        ),
    }
}
