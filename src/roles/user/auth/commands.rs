//! What `w2meet user` and `w2meet keys` do, on the configured database itself: whoever may do that needs no account.

use anyhow::{Context as _, bail, ensure};

use super::keys::KeyRow;
use crate::config::Settings;
use crate::platform::auth::Scope;
use crate::platform::data::{self, instant};
use crate::platform::email::Email;
use crate::roles::user::MIGRATIONS;
use crate::roles::user::api::ROLE;
use crate::roles::user::store::Store;

async fn open(settings: &Settings) -> anyhow::Result<Store> {
    data::migrate(settings, ROLE, MIGRATIONS).await?;
    Store::open(settings)
}

/// Gives an account these rights.
///
/// # Errors
/// No such account, or a database that is away.
pub async fn set_scope(settings: &Settings, email: &str, scope: Scope) -> anyhow::Result<()> {
    let email = Email::parse(email).context("that is no e-mail address")?;
    let done = open(settings).await?.set_scope(&email, scope).await?;
    ensure!(done, "{email} has no account with a password: register it first (POST /api/auth/register)");
    Ok(())
}

/// The public path of a page on which this account's password is set anew; for who cannot be sent a letter.
///
/// # Errors
/// No such user, or a database that is away.
pub async fn reset_link(settings: &Settings, email: &str) -> anyhow::Result<String> {
    let email = Email::parse(email).context("that is no e-mail address")?;
    let link = open(settings).await?.reset_link(&email).await?;
    link.with_context(|| format!("nobody is registered as {email}"))
}

/// A line for each key: its id, and what it does.
///
/// # Errors
/// A database that is away.
pub async fn list_keys(settings: &Settings) -> anyhow::Result<Vec<String>> {
    let line = |row: &KeyRow| {
        let state = match (row.retires_at.and_then(instant::read), instant::read(row.signs_from)) {
            (Some(end), _) => format!("verifies until {end}"),
            (None, Some(begin)) if begin > instant::now() => format!("signs from {begin}"),
            _ => "signs".to_owned(),
        };
        format!("{}  {state}", row.id)
    };
    Ok(open(settings).await?.keys().await?.iter().map(line).collect())
}

/// Makes a new key, and gives its id.
///
/// # Errors
/// A database that is away.
pub async fn rotate_keys(settings: &Settings) -> anyhow::Result<String> {
    Ok(open(settings).await?.rotate_keys().await?)
}

/// Takes a key back.
///
/// # Errors
/// No such key, or a database that is away.
pub async fn revoke_key(settings: &Settings, id: &str) -> anyhow::Result<()> {
    if !open(settings).await?.revoke_key(id).await? {
        bail!("no key has the id {id}; `w2meet keys list` shows them");
    }
    Ok(())
}
