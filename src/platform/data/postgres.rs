//! A PostgreSQL server: how it is reached, and the settings of each connection to it.

use std::str::FromStr as _;
use std::time::Duration;

use anyhow::Context as _;
use diesel::ConnectionResult;
use diesel::result::ConnectionError;
use diesel_async::AsyncPgConnection;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::TlsStream;
use tokio_postgres::{Client, Config, Connection, NoTls, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::encryption;
use crate::config::Settings;

/// How long a connection may take to open.
const OPENING: Duration = Duration::from_secs(5);
/// After so many milliseconds PostgreSQL ends a transaction whose replica hangs: others wait for the rows that it holds.
const ABANDONED_MS: u64 = 5000;

/// The server behind a database URL.
#[derive(Clone)]
pub struct Server {
    config: Config,
    /// The client side of TLS, unless the connection is never encrypted.
    tls: Option<MakeRustlsConnect>,
}

impl Server {
    /// The server of an owner. A dead one is noticed in seconds, not in the kernel's quarter of an hour.
    ///
    /// # Errors
    /// A URL that cannot be read, and authorities that cannot be read.
    pub fn of_role(settings: &Settings, role: &str, statement_ms: u64) -> anyhow::Result<Server> {
        let url = settings.database_url(role);
        let in_url = || format!("the database URL of {role} is {url}");
        let (rest, encryption) = encryption::split(url.expose()).with_context(in_url)?;
        let mut config = Config::from_str(&rest).with_context(in_url)?;
        let tls = encryption.apply(&settings.tls, &mut config).with_context(in_url)?;
        let given = config.get_options().unwrap_or_default();
        let schema = settings.schema(role);
        let options = format!(
            "{given} -c statement_timeout={statement_ms} -c idle_in_transaction_session_timeout={ABANDONED_MS} \
             -c search_path=\"{schema}\""
        );
        config
            .options(options.trim())
            .application_name("w2meet")
            .connect_timeout(OPENING)
            .tcp_user_timeout(Duration::from_secs(2))
            .keepalives_idle(Duration::from_secs(5))
            .keepalives_interval(Duration::from_secs(1))
            .keepalives_retries(3);
        Ok(Server { config, tls })
    }

    /// Opens a connection; its driver runs on the current runtime.
    ///
    /// # Errors
    /// A server that is away, or refuses.
    pub async fn connect(&self) -> ConnectionResult<AsyncPgConnection> {
        let Some(tls) = self.tls.clone() else { return adopt(self.config.connect(NoTls).await).await };
        match self.config.connect(tls).await {
            Err(why) if self.config.get_ssl_mode() == SslMode::Prefer && is_about_tls(&why) => {
                let plain = self.config.connect(NoTls).await;
                // if neither works, the first error says more
                adopt(plain.map_err(|_| why)).await
            }
            opened => adopt(opened).await,
        }
    }
}

/// Whether a connection that is not encrypted may work: TLS failed, or no rule in pg_hba.conf admits an encrypted connection.
fn is_about_tls(why: &tokio_postgres::Error) -> bool {
    why.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
        || why.to_string().starts_with("error performing TLS handshake")
}

async fn adopt<S>(
    opened: Result<(Client, Connection<Socket, S>), tokio_postgres::Error>,
) -> ConnectionResult<AsyncPgConnection>
where
    S: TlsStream + Unpin + Send + 'static,
{
    // what the server says is the last of the causes; its code is the same in every language
    let with_causes = |why: tokio_postgres::Error| {
        let code = why.code().map_or_else(String::new, |code| format!(" (SQLSTATE {})", code.code()));
        ConnectionError::BadConnection(format!("{:#}{code}", anyhow::Error::from(why)))
    };
    let (client, connection) = opened.map_err(with_causes)?;
    AsyncPgConnection::try_from_client_and_connection(client, connection).await
}
