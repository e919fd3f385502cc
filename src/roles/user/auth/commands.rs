//! The commands `w2meet user` and `w2meet keys`. They use the configured database directly, and need no account.

use anyhow::{Context as _, bail, ensure};

use super::keys::SigningKeyRow;
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

/// Sets the rights of an account.
///
/// # Errors
/// No such account, or an unavailable database.
pub async fn set_scope(settings: &Settings, email: &str, scope: Scope) -> anyhow::Result<()> {
    let email = Email::parse(email).context("that is no e-mail address")?;
    let done = open(settings).await?.set_scope(&email, scope).await?;
    ensure!(done, "{email} has no account with a password: register it first (POST /api/auth/register)");
    Ok(())
}

/// The public path of the page that sets a new password, for an account that cannot receive e-mail.
///
/// # Errors
/// No such user, or an unavailable database.
pub async fn reset_link(settings: &Settings, email: &str) -> anyhow::Result<String> {
    let email = Email::parse(email).context("that is no e-mail address")?;
    let link = open(settings).await?.reset_link(&email).await?;
    link.with_context(|| format!("no user has the e-mail address {email}"))
}

/// One line per key: its id and its state.
///
/// # Errors
/// An unavailable database.
pub async fn list_keys(settings: &Settings) -> anyhow::Result<Vec<String>> {
    let line = |row: &SigningKeyRow| {
        let state = match (row.retires_at.and_then(instant::read), instant::read(row.signs_from)) {
            (Some(end), _) => format!("verifies until {end}"),
            (None, Some(begin)) if begin > instant::now() => format!("signs from {begin}"),
            _ => "signs".to_owned(),
        };
        format!("{}  {state}", row.id)
    };
    Ok(open(settings).await?.keys().await?.iter().map(line).collect())
}

/// Creates a key, and returns its id.
///
/// # Errors
/// An unavailable database.
pub async fn rotate_keys(settings: &Settings) -> anyhow::Result<String> {
    Ok(open(settings).await?.rotate_keys().await?)
}

/// Revokes a key.
///
/// # Errors
/// No such key, or an unavailable database.
pub async fn revoke_key(settings: &Settings, id: &str) -> anyhow::Result<()> {
    if !open(settings).await?.revoke_key(id).await? {
        bail!("no key has the id {id}; `w2meet keys list` shows them");
    }
    Ok(())
}
