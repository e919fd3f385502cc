//! Opening databases: pools, and the settings of each connection.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context as _;
use diesel::ConnectionResult;
use diesel::result::ConnectionError;
use diesel_async::pooled_connection::deadpool::{Object as PooledConnection, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use futures_util::FutureExt;
use tokio::runtime::Handle;

use super::damage::EMPTY;
use super::postgres::Server;
use super::{Engine, Error, SqliteConn, unavailable};
use crate::config::Settings;

/// `busy_timeout` first: setting WAL may itself find the file locked; below a second, so that whoever waits for somebody else's
/// lock still gets an answer. FULL: an answered write outlives a power cut. `secure_delete`: what is deleted is overwritten.
const PRAGMAS: &str = "PRAGMA busy_timeout=800; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; \
                       PRAGMA secure_delete=ON;";
/// Readers beside the one writer, so that a slow read holds up no other.
const SQLITE_READERS: usize = 8;
/// What is said of a file of SQLite that is not there.
const MISSING: &str = "the file of the database is missing";

/// Makes the pools.
pub(super) fn open(settings: &Settings, role: &str) -> anyhow::Result<Engine> {
    let limits = &settings.database;
    Ok(match settings.sqlite_path(role) {
        Some(path) => Engine::Sqlite { readers: sqlite_pool(&path, SQLITE_READERS)?, writer: sqlite_pool(&path, 1)? },
        None => {
            Engine::Postgres(postgres_pool(Server::of_role(settings, role, limits.statement_ms)?, limits.pool_size)?)
        }
    })
}

pub(super) fn sqlite_url(path: &Path) -> anyhow::Result<String> {
    path.to_str()
        .map(str::to_owned)
        .with_context(|| format!("the path of the database is not UTF-8: {}", path.display()))
}

fn sqlite_pool(path: &Path, size: usize) -> anyhow::Result<Pool<SqliteConn>> {
    let mut config = ManagerConfig::<SqliteConn>::default();
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(|path| async move { establish_sqlite(path).await }.boxed());
    let manager = AsyncDieselConnectionManager::new_with_config(sqlite_url(path)?, config);
    Ok(Pool::builder(manager).max_size(size).build()?)
}

/// Opens a file. SQLite would make a new database of one that is missing or empty.
pub(super) async fn establish_sqlite(path: &str) -> ConnectionResult<SqliteConn> {
    match std::fs::metadata(path) {
        Ok(file) if file.len() == 0 => return Err(ConnectionError::BadConnection(EMPTY.to_owned())),
        Err(why) if why.kind() == ErrorKind::NotFound => {
            return Err(ConnectionError::BadConnection(MISSING.to_owned()));
        }
        _ => {}
    }
    let mut conn = SqliteConn::establish(path).await?;
    conn.batch_execute(PRAGMAS).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

fn postgres_pool(server: Server, size: usize) -> anyhow::Result<Pool<AsyncPgConnection>> {
    let home = Handle::current();
    let mut setup = ManagerConfig::<AsyncPgConnection>::default();
    setup.recycling_method = RecyclingMethod::Fast;
    // A connection's driver lives on the runtime that opened it: not on a server's worker thread, whose end would end it.
    setup.custom_setup = Box::new(move |_| {
        let server = server.clone();
        let opening = home.spawn(async move { server.connect().await });
        async move { opening.await.map_err(|why| ConnectionError::BadConnection(why.to_string()))? }.boxed()
    });
    let manager = AsyncDieselConnectionManager::new_with_config(String::new(), setup);
    Ok(Pool::builder(manager).max_size(size).build()?)
}

/// A connection of the pool. One that must be opened first is opened by a task of its own: if the caller gives up, the pool gets it all
/// the same, so that a database that is slow to connect serves the next caller. The size of the pool bounds the openings and their tasks.
pub(super) async fn get_connection(
    pool: &Pool<AsyncPgConnection>,
) -> Result<PooledConnection<AsyncPgConnection>, Error> {
    let status = pool.status();
    if status.available > 0 || status.waiting >= status.max_size {
        return pool.get().await.map_err(unavailable);
    }
    let pool = pool.clone();
    tokio::spawn(async move { pool.get().await }).await.map_err(unavailable)?.map_err(unavailable)
}

#[cfg(test)]
mod tests {
    use diesel::sql_types::{Integer, Text};
    use diesel_async::RunQueryDsl;

    use super::establish_sqlite;
    use crate::platform::data::files::make_database;

    #[derive(diesel::QueryableByName)]
    struct Pragmas {
        #[diesel(sql_type = Integer)]
        synchronous: i32,
        #[diesel(sql_type = Text)]
        journal_mode: String,
    }

    #[actix_rt::test]
    async fn an_answered_write_to_sqlite_outlives_a_power_cut() -> Result<(), Box<dyn std::error::Error>> {
        let path = std::env::temp_dir().join(format!("w2meet-pragmas-{:016x}.db", rand::random::<u64>()));
        make_database(&path)?;
        let mut conn = establish_sqlite(path.to_str().unwrap_or_default()).await?;
        let asked = diesel::sql_query("SELECT * FROM pragma_synchronous, pragma_journal_mode");
        let found: Pragmas = asked.get_result(&mut conn).await?;
        assert_eq!((found.synchronous, found.journal_mode.as_str()), (2, "wal"), "FULL, with a write-ahead log");
        drop(conn);
        std::fs::remove_file(path)?;
        Ok(())
    }
}
