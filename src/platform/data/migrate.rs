//! Migrations: each owner's schema is brought up to date at its start.

use std::path::Path;

use anyhow::Context as _;
use diesel::dsl::sql;
use diesel::sql_types::{Bool, Text};
use diesel_async::{AsyncConnection, AsyncMigrationHarness, SimpleAsyncConnection as _};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::connect::{establish_sqlite, sqlite_url};
use super::damage::{Damaged, is_damage};
use super::error::DISK_FULL;
use super::files::{is_full, make_database};
use super::postgres::Server;
use crate::config::Settings;

/// The lock that lets one replica migrate while the others wait; any number that nothing else in the database uses.
const MIGRATION_LOCK: i64 = 0x5732_4d65_6574;

/// The tables that every owner has.
const PLATFORM: EmbeddedMigrations = embed_migrations!("migrations/platform");

/// Whether an owner's database exists: its file, or its schema.
///
/// # Errors
/// A database that cannot be reached.
pub async fn exists(settings: &Settings, role: &str) -> anyhow::Result<bool> {
    if let Some(path) = settings.sqlite_path(role) {
        return Ok(path.exists());
    }
    let conn = Server::of_role(settings, role, 0)?.connect().await;
    let mut conn = conn.context("cannot connect to PostgreSQL")?;
    let found = sql::<Bool>("SELECT EXISTS (SELECT FROM information_schema.schemata WHERE schema_name = ");
    let found = found.bind::<Text, _>(settings.schema(role)).sql(")");
    Ok(diesel_async::RunQueryDsl::get_result(found, &mut conn).await?)
}

/// Brings an owner's schema up to date: safe when several replicas start at once, and when nothing is to be done.
///
/// # Errors
/// A database that cannot be reached, a migration that fails, or a [`Damaged`] database.
pub async fn migrate(settings: &Settings, role: &str, own: EmbeddedMigrations) -> anyhow::Result<()> {
    let migrated = migrate_schema(settings, role, own).await;
    migrated.map_err(|why| {
        let (path, reason) = (settings.sqlite_path(role), format!("{why:#}"));
        let folder = path.as_deref().and_then(Path::parent);
        match () {
            () if why.is::<Damaged>() => why,
            () if is_damage(&reason) => Damaged::of_role(settings, role).into(),
            () if DISK_FULL.iter().any(|full| reason.contains(full)) || folder.is_some_and(is_full) => {
                let disk = folder.map_or("the database".to_owned(), |folder| folder.display().to_string());
                why.context(format!("the disk of {disk} is full: make room there, and the start goes on"))
            }
            () => why,
        }
    })
}

async fn migrate_schema(settings: &Settings, role: &str, own: EmbeddedMigrations) -> anyhow::Result<()> {
    let applied = match settings.sqlite_path(role) {
        Some(path) => {
            make_database(&path)?;
            let open = async || {
                let conn = establish_sqlite(&sqlite_url(&path)?).await;
                conn.with_context(|| format!("cannot open {}", path.display()))
            };
            run_pending(open().await?, PLATFORM)? + run_pending(open().await?, own)?
        }
        None => {
            let open = || async move {
                // no time limit: waiting for the replica that migrates is right; the lock ends with this connection
                let conn = Server::of_role(settings, role, 0)?.connect().await;
                conn.context("cannot connect to PostgreSQL")
            };
            let mut lock = open().await?;
            lock.batch_execute(&format!("SELECT pg_advisory_lock({MIGRATION_LOCK})")).await?;
            lock.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS \"{}\"", settings.schema(role))).await?;
            run_pending(open().await?, PLATFORM)? + run_pending(open().await?, own)?
        }
    };
    if applied > 0 {
        tracing::info!(applied, "the database schema is up to date");
    }
    Ok(())
}

fn run_pending<C>(conn: C, migrations: EmbeddedMigrations) -> anyhow::Result<usize>
where
    C: AsyncConnection,
    AsyncMigrationHarness<C>: MigrationHarness<C::Backend>,
    EmbeddedMigrations: diesel::migration::MigrationSource<C::Backend>,
{
    let mut harness = AsyncMigrationHarness::new(conn);
    let applied = harness.run_pending_migrations(migrations).map(|versions| versions.len());
    applied.map_err(|why| anyhow::anyhow!("a migration failed: {why}"))
}
