//! The mail server: where it is, connections to it that are kept for the next letter, and what its answers mean.
//!
//! Not lettre's own pool: that one keeps a connection whose letter ran out of time, and would take the late answer to it for
//! the answer to the next letter.

use std::fmt::Display;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use lettre::Address;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection as Connection, Tls, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::{Error, SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT};
use percent_encoding::percent_decode_str;
use tokio::time::timeout;
use url::Url;

use super::mailer::Outcome;
use super::message::InvitationMessage;
use crate::calendar::icalendar::one_line;
use crate::config::SecretUrl;

/// Connections kept for later letters, and for how long: shorter than any server waits.
const KEPT: usize = 4;
const KEPT_FOR: Duration = Duration::from_secs(30);
/// Characters that are shown of what a server said.
const SHOWN: usize = 200;

/// A mail server.
pub struct Server {
    host: String,
    port: u16,
    tls: Tls,
    login: Option<Credentials>,
    hello: ClientId,
    patience: Duration,
    idle: Mutex<Vec<(Connection, Instant)>>,
}

impl Server {
    /// Reads `mail.smtp_url`, which is in lettre's syntax.
    pub fn open(url: &SecretUrl, from: &Mailbox, patience: Duration) -> anyhow::Result<Server> {
        let remedy =
            || format!("mail.smtp_url is {url}: write smtp://user:password@host:587?tls=required, or smtps://…");
        Server::read(url.expose(), from, patience).with_context(remedy)
    }

    fn read(url: &str, from: &Mailbox, patience: Duration) -> anyhow::Result<Server> {
        let url = Url::parse(url)?;
        let host = url.host_str().context("it names no host")?.trim_matches(['[', ']']).to_owned();
        let mut wishes = url.query_pairs();
        let wish = wishes.next();
        ensure!(wishes.next().is_none(), "it says more than tls= after the question mark");
        let secure = || TlsParameters::new(host.clone());
        let (tls, port) = match (url.scheme(), wish.as_ref().map(|(name, value)| (&**name, &**value))) {
            ("smtps", None) => (Tls::Wrapper(secure()?), SUBMISSIONS_PORT),
            ("smtp", None) => (Tls::None, SMTP_PORT),
            ("smtp", Some(("tls", "required"))) => (Tls::Required(secure()?), SUBMISSION_PORT),
            ("smtp", Some(("tls", "opportunistic"))) => (Tls::Opportunistic(secure()?), SUBMISSION_PORT),
            _ => bail!("it must begin with smtp: or smtps:, and may end with ?tls=required or ?tls=opportunistic"),
        };
        let local = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        let decoded = |text: &str| anyhow::Ok(percent_decode_str(text).decode_utf8()?.into_owned());
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            ("", _) | (_, None) => bail!("it holds only one of user and password"),
            _ if !local && matches!(tls, Tls::None | Tls::Opportunistic(_)) => {
                bail!("the password could cross the network for all to read: add ?tls=required")
            }
            (user, password) => Some(Credentials::new(decoded(user)?, decoded(password.unwrap_or_default())?)),
        };
        let domain = from.email.domain();
        if domain == "localhost" && !local {
            bail!("{host} cannot take mail from {}: set mail.from to an address of yours", from.email);
        }
        // lettre's syntax: a path is the name to say hello with
        let name = Some(url.path().trim_matches('/')).filter(|path| !path.is_empty()).unwrap_or(domain);
        let (hello, port) = (ClientId::Domain(name.to_owned()), url.port().unwrap_or(port));
        Ok(Server { host, port, tls, login, hello, patience, idle: Mutex::default() })
    }

    /// Sends one letter, within the time there is for it.
    pub async fn send(&self, from: &Address, letter: &InvitationMessage) -> Outcome {
        let late = |_| later(format!("the mail server did not answer within {:?}", self.patience));
        timeout(self.patience, self.try_send(from, letter)).await.unwrap_or_else(late)
    }

    async fn try_send(&self, from: &Address, letter: &InvitationMessage) -> Outcome {
        let mut connection = match self.connection().await {
            Ok(connection) => connection,
            Err(why) => return later(why),
        };
        let sent = deliver(&mut connection, from, letter).await;
        // After a whole answer, good or bad, both sides know where they are.
        if matches!(&sent, Ok(()) | Err(Failure::Said { .. })) {
            self.keep(connection);
        }
        match sent {
            Ok(()) => Outcome::Sent,
            Err(Failure::Said { for_good: true, why } | Failure::Unable { why }) => Outcome::Refused { why },
            Err(Failure::Said { why, .. } | Failure::Broken { why }) => Outcome::Later { why },
        }
    }

    /// One that was kept and still answers, or a new one.
    async fn connection(&self) -> Result<Connection, Error> {
        while let Some(mut connection) = self.kept() {
            if connection.command(Rset).await.is_ok() {
                return Ok(connection);
            }
        }
        let (address, patience) = ((self.host.as_str(), self.port), Some(self.patience));
        let wrapper = if let Tls::Wrapper(secure) = &self.tls { Some(secure.clone()) } else { None };
        let mut connection = Connection::connect_tokio1(address, patience, &self.hello, wrapper, None).await?;
        match &self.tls {
            Tls::Required(secure) => connection.starttls(secure.clone(), &self.hello).await?,
            Tls::Opportunistic(secure) if connection.can_starttls() => {
                connection.starttls(secure.clone(), &self.hello).await?;
            }
            Tls::Opportunistic(_) | Tls::None | Tls::Wrapper(_) => {}
        }
        if let Some(login) = &self.login {
            connection.auth(DEFAULT_MECHANISMS, login).await?;
        }
        Ok(connection)
    }

    fn kept(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, since)| since.elapsed() < KEPT_FOR);
        idle.pop().map(|(connection, _)| connection)
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push((connection, Instant::now()));
        }
    }
}

/// Why a letter did not go.
enum Failure {
    /// The server said no to it: for good, or for now.
    Said { for_good: bool, why: String },
    /// The server cannot take such a letter.
    Unable { why: String },
    /// The connection ended in the middle.
    Broken { why: String },
}

impl Failure {
    /// What a bad answer means where it is about the recipient or the letter.
    fn to_letter(error: Error) -> Failure {
        // 530 asks for a password: that is for whoever runs this server.
        let for_good = error.is_permanent() && error.status().is_some_and(|code| u16::from(code) != 530);
        match error.status() {
            Some(_) => Failure::Said { for_good, why: brief(error) },
            None => Failure::Broken { why: brief(error) },
        }
    }

    /// What a bad answer means where it is about us: whoever runs this server can change it, so the letter waits.
    fn to_us(error: Error) -> Failure {
        match error.status() {
            Some(_) => Failure::Said { for_good: false, why: brief(error) },
            None => Failure::Broken { why: brief(error) },
        }
    }
}

async fn deliver(connection: &mut Connection, from: &Address, letter: &InvitationMessage) -> Result<(), Failure> {
    let mut options = Vec::new();
    if !letter.mail.is_ascii() || !AsRef::<str>::as_ref(&letter.to).is_ascii() {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            return Err(Failure::Unable { why: "the mail server takes no addresses beyond ASCII".to_owned() });
        }
        options = vec![MailParameter::SmtpUtfEight, MailParameter::Body(MailBodyParameter::EightBitMime)];
    }
    connection.command(Mail::new(Some(from.clone()), options)).await.map_err(Failure::to_us)?;
    connection.command(Rcpt::new(letter.to.clone(), Vec::new())).await.map_err(Failure::to_letter)?;
    connection.command(Data).await.map_err(Failure::to_letter)?;
    connection.message(&letter.mail).await.map_err(Failure::to_letter)?;
    Ok(())
}

fn later(why: impl Display) -> Outcome {
    Outcome::Later { why: brief(why) }
}

/// Servers say what they like: one line of it.
fn brief(why: impl Display) -> String {
    one_line(&why.to_string()).chars().take(SHOWN).collect()
}
