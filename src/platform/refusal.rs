//! Why a server cannot be used: it is away, which passes by itself, or it refuses, which an operator must mend.

use std::time::Duration;

use tokio::time::timeout;

/// How long a server may take to let this process in before the log says that it does not respond.
const PATIENCE: Duration = Duration::from_millis(800);

/// One remedy for two errors each.
const NOT_TRUSTED: &str =
    "no authority that is trusted has signed the server's certificate: add its authority to the file of tls.ca_file";

const NO_TLS: &str = "the server does not speak TLS on this port: correct the port in its URL, or switch TLS on there";

/// The remedy of a disk without room.
const DISK_FULL: &str = "its disk is full: make room";

/// The remedy of a PostgreSQL server that only reads.
pub const READ_ONLY: &str = "the database is read-only: point the URL to the primary";

/// What servers say when they refuse, and what helps. The codes are those of PostgreSQL (`SQLSTATE`), SQLite, Redis, AMQP and SMTP, and the
/// errors of rustls. The first that fits counts.
const REMEDIES: [(&str, &str); 36] = [
    // the start has found the disk full, whatever SQLite calls it
    ("is full: make room there", DISK_FULL),
    ("the disk of the database is full", DISK_FULL),
    ("28P01", "PostgreSQL refuses the user or the password: correct them in the database URL"),
    ("28000", "PostgreSQL refuses the user: create it, correct the database URL, or allow it in pg_hba.conf"),
    ("3D000", "the database does not exist: create it, or correct its name in the database URL"),
    ("42501", "the database user lacks a permission: grant it CONNECT and CREATE on the database"),
    (
        "permission denied for database",
        "the database user lacks a permission: grant it CONNECT and CREATE on the database",
    ),
    ("permission denied for", "the database user lacks a permission: grant it the rights on the schema and its tables"),
    ("read-only transaction", READ_ONLY),
    (
        "SQLSTATE 53300",
        "PostgreSQL has no connection left: raise max_connections there, or the limit of the user, or lower database.pool_size",
    ),
    (
        "is not currently accepting connections",
        "the database accepts no connections: allow them there (ALTER DATABASE with ALLOW_CONNECTIONS true), or correct its name in the database URL",
    ),
    ("unable to open database file", "SQLite cannot open its file: let the user of this process write to data_dir"),
    ("readonly database", "SQLite may not write to its file: let the user of this process write to data_dir"),
    ("the file of the database is missing", "the file of SQLite is missing: put it back, or restore it from a backup"),
    ("Permission denied (os error 13)", "this process may not use a file: correct its owner or its permissions"),
    (
        "Operation not permitted (os error 1)",
        "this process may not change the permissions of a file: make its user the owner of the files in data_dir",
    ),
    ("WRONGPASS", "Redis refuses the user or the password: correct them in cache.url"),
    ("AuthenticationFailed", "Redis refuses the user or the password: correct them in cache.url"),
    ("NOAUTH", "Redis needs a password: put it into cache.url"),
    ("DB index is out of range", "Redis has no database with this number: correct the number at the end of cache.url"),
    ("NOPERM", "the Redis user lacks a permission: allow it the commands and the keys with the prefix cache.prefix"),
    ("permanent error (535)", "the mail server refuses the user or the password: correct them in mail.smtp_url"),
    ("ACCESS_REFUSED - Login", "RabbitMQ refuses the user or the password: correct them in queue.url"),
    ("ACCESS_REFUSED", "the RabbitMQ user lacks a permission: grant it configure, write and read on the virtual host"),
    ("UnknownIssuer", NOT_TRUSTED),
    // there is an authority of this name, with another key
    ("invalid peer certificate: BadSignature", NOT_TRUSTED),
    (
        "CaUsedAsEndEntity",
        "the server presents the certificate of an authority as its own: give it one that the authority has signed",
    ),
    (
        "certificate not valid for name",
        "the server's certificate is for another host name: write a name of the certificate in the URL, or renew it with this one",
    ),
    ("certificate expired", "the server's certificate has expired: renew it, or correct the clock of this machine"),
    ("certificate not valid yet", "the server's certificate is not valid yet: correct the clock of this machine"),
    ("invalid peer certificate", "the server's certificate is refused, for the reason in the log: give it another one"),
    (
        "server does not support TLS",
        "PostgreSQL has TLS switched off, and sslmode demands it: set ssl = on there, or another sslmode in the database URL",
    ),
    ("InvalidContentType", NO_TLS),
    ("it responds without TLS", NO_TLS),
    (
        "received fatal alert",
        "the server refuses TLS with this client: it must offer TLS 1.2 or 1.3, and demand no certificate of its clients",
    ),
    ("NOT_ALLOWED", "RabbitMQ has no such virtual host, or the user may not use it: create it, or correct queue.url"),
];

/// What an operator can do, if this error does not pass by itself.
pub fn remedy(error: &str) -> Option<&'static str> {
    REMEDIES.iter().find(|(code, _)| error.contains(code)).map(|(_, remedy)| *remedy)
}

/// The cause in a health report: the remedy, or that the server does not respond. It has no addresses.
pub fn cause(error: &str) -> &'static str {
    remedy(error).unwrap_or("it cannot be reached, or does not respond")
}

/// Runs an attempt to connect. The log says when the server does not respond, unless an outage was reported already.
pub async fn warn_when_slow<T>(server: &str, is_reported: bool, attempt: impl Future<Output = T>) -> T {
    let mut attempt = std::pin::pin!(attempt);
    match timeout(PATIENCE, &mut attempt).await {
        Ok(outcome) => outcome,
        Err(_) => {
            if !is_reported {
                tracing::warn!(server, "it does not respond; still connecting");
            }
            attempt.await
        }
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::{ServerName, UnixTime};
    use rustls::{AlertDescription, CertificateError, Error, InvalidMessage};

    use super::remedy;

    #[test]
    fn every_refusal_of_tls_has_a_remedy() -> Result<(), Box<dyn std::error::Error>> {
        let moment = UnixTime::since_unix_epoch(std::time::Duration::ZERO);
        let expected = ServerName::try_from("db.example")?;
        for (certificate, word) in [
            (CertificateError::UnknownIssuer, "tls.ca_file"),
            (CertificateError::BadSignature, "tls.ca_file"),
            (CertificateError::NotValidForNameContext { expected, presented: Vec::new() }, "host name"),
            (CertificateError::ExpiredContext { time: moment, not_after: moment }, "expired"),
            (CertificateError::NotValidYetContext { time: moment, not_before: moment }, "not valid yet"),
            (CertificateError::BadEncoding, "another one"),
        ] {
            let error = Error::InvalidCertificate(certificate).to_string();
            assert!(remedy(&error).is_some_and(|remedy| remedy.contains(word)), "{error}");
        }
        for (error, word) in [
            (Error::InvalidMessage(InvalidMessage::InvalidContentType), "port"),
            (Error::AlertReceived(AlertDescription::ProtocolVersion), "TLS 1.2"),
        ] {
            assert!(remedy(&error.to_string()).is_some_and(|remedy| remedy.contains(word)), "{error}");
        }
        Ok(())
    }

    #[test]
    fn a_refusal_is_distinguished_from_a_server_that_is_away() {
        for refused in [
            "cannot connect: db error: FATAL: no such user (SQLSTATE 28P01)",
            "db error: ERROR: permission denied for schema x",
            "cannot open /data/user.db: unable to open database file",
            "Error occurred while creating a new object: Password authentication failed - AuthenticationFailed",
            "failed to tune connection params, reason: Close { reply_text: \"ACCESS_REFUSED - Login was refused\" }",
            "NOT_ALLOWED - vhost nothing not found",
            "error performing TLS handshake: server does not support TLS",
            "the disk of /data is full: make room there, and the start goes on: unable to open database file",
            "cannot execute CREATE SCHEMA in a read-only transaction",
            "db error: FATAL: sorry, too many clients already (SQLSTATE 53300)",
            "db error: FATAL: database \"x\" is not currently accepting connections (SQLSTATE 55000)",
            "cannot open the database /data/user.db: Operation not permitted (os error 1)",
        ] {
            assert!(remedy(refused).is_some(), "{refused}");
        }
        for away in ["Connection refused (os error 111)", "no answer in time", "the connection ended"] {
            assert_eq!(remedy(away), None, "{away}");
        }
    }
}
