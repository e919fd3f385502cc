//! The commands `w2meet user` and `w2meet keys`. They use the configured database directly, and need no account.

use anyhow::{Context as _, bail, ensure};

use super::keys::SigningKeyRow;
use super::store::UserEntry;
use crate::config::Settings;
use crate::platform::auth::Scope;
use crate::platform::data::{self, instant};
use crate::platform::email::Email;
use crate::roles::user::MIGRATIONS;
use crate::roles::user::api::ROLE;
use crate::roles::user::store::Store;

/// Opens the configured database, and says which one it is.
async fn open(settings: &Settings) -> anyhow::Result<Store> {
    let name = settings.database_name(ROLE);
    ensure!(
        data::exists(settings, ROLE).await?,
        "there is no database {name}: name the right one by W2MEET_DATA_DIR, W2MEET_DATABASE__URL or --config, or start \
         w2meet once to create it"
    );
    eprintln!("w2meet: in the database {name}");
    data::migrate(settings, ROLE, MIGRATIONS).await?;
    Store::open(settings)
}

/// Sets the rights of an account. An account that must verify its mailbox, and has not, becomes no administrator, unless
/// `even_unverified`.
///
/// # Errors
/// No such account, an unverified one, or an unavailable database.
pub async fn set_scope(settings: &Settings, email: &str, scope: Scope, even_unverified: bool) -> anyhow::Result<()> {
    let email = Email::parse(email).context("that is no e-mail address")?;
    let store = open(settings).await?;
    let account = store.account(&email).await?;
    let account = account.with_context(|| {
        format!("{email} has no account with a password: register it first (POST /api/auth/register)")
    })?;
    let needs_proof = scope == Scope::Admin && settings.auth.verify_email && !even_unverified;
    ensure!(
        !needs_proof || account.email_verified_at.is_some(),
        "the mailbox of {email} is not verified, so another person may have registered it: follow the link in the e-mail first, \
         or add --unverified if you know whose account it is"
    );
    store.set_scope(&account.id, scope).await?;
    Ok(())
}

/// One line per user, in the order of creation: address, rights, and whether the mailbox is verified.
///
/// # Errors
/// An unavailable database.
pub async fn list_users(settings: &Settings) -> anyhow::Result<Vec<String>> {
    let line = |entry: UserEntry| {
        let state = match entry.credentials {
            None => "no password".to_owned(),
            Some((rights, verified_at)) => {
                let verified = if verified_at.is_some() { "verified" } else { "unverified" };
                format!("{rights:<5}  {verified}")
            }
        };
        format!("{}  {:<32}  {state}", entry.id, entry.email)
    };
    Ok(open(settings).await?.list_users().await?.into_iter().map(line).collect())
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
