//! Sends mails to a mail server over pooled connections, and classifies its replies.
//!
//! lettre's own pool does not fit: it keeps a connection after a timeout, and takes the late reply for that of the next mail.

use std::fmt::Display;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use lettre::Address;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection as Connection, Certificate, Tls, TlsParameters, TlsParametersBuilder,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::{Error, SMTP_PORT, SUBMISSION_PORT, SUBMISSIONS_PORT};
use percent_encoding::percent_decode_str;
use tokio::time::timeout;
use url::Url;

use super::mailer::SendOutcome;
use super::message::MailMessage;
use crate::calendar::icalendar::one_line;
use crate::config::Settings;
use crate::platform::http::health::{Dependency, Status};
use crate::platform::refusal::cause;
use crate::platform::tls::own_roots_pem;

/// Idle connections that are kept, and for how long: shorter than servers wait.
const MAX_IDLE: usize = 4;
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a mail that could not be sent counts for health.
const OUTAGE: Duration = Duration::from_secs(60);
/// Characters that are kept of a server's reply.
const MAX_DETAIL: usize = 200;

/// A mail server.
pub struct SmtpTransport {
    host: String,
    port: u16,
    tls: Tls,
    login: Option<Credentials>,
    hello: ClientId,
    timeout: Duration,
    idle: Mutex<Vec<(Connection, Instant)>>,
    /// When the server last let no mail in, and why; until it lets one in.
    outage: Mutex<Option<(Instant, String)>>,
}

impl SmtpTransport {
    /// Reads `mail.smtp_url`, which is in lettre's syntax, and the authorities that it trusts beside the public ones.
    pub fn open(settings: &Settings, from: &Mailbox) -> anyhow::Result<SmtpTransport> {
        let (mail, own_roots) = (&settings.mail, own_roots_pem(&settings.tls)?);
        let remedy = || {
            format!(
                "mail.smtp_url is {}: write smtp://user:password@host:587?tls=required, or smtps://…",
                mail.smtp_url
            )
        };
        let timeout = Duration::from_secs(mail.timeout_seconds);
        SmtpTransport::parse(mail.smtp_url.expose(), own_roots.as_deref(), from, timeout).with_context(remedy)
    }

    fn parse(url: &str, own_roots: Option<&[u8]>, from: &Mailbox, timeout: Duration) -> anyhow::Result<SmtpTransport> {
        let url = Url::parse(url)?;
        let host = url.host_str().context("it names no host")?.trim_matches(['[', ']']).to_owned();
        let mut options = url.query_pairs();
        let option = options.next();
        ensure!(options.next().is_none(), "it has more than tls= after the question mark");
        let tls_parameters = || {
            let builder = TlsParameters::builder(host.clone());
            let own_roots = own_roots.map(Certificate::from_pem).transpose()?;
            own_roots.into_iter().fold(builder, TlsParametersBuilder::add_root_certificate).build()
        };
        let (tls, port) = match (url.scheme(), option.as_ref().map(|(name, value)| (&**name, &**value))) {
            ("smtps", None) => (Tls::Wrapper(tls_parameters()?), SUBMISSIONS_PORT),
            ("smtp", None) => (Tls::None, SMTP_PORT),
            ("smtp", Some(("tls", "required"))) => (Tls::Required(tls_parameters()?), SUBMISSION_PORT),
            ("smtp", Some(("tls", "opportunistic"))) => (Tls::Opportunistic(tls_parameters()?), SUBMISSION_PORT),
            _ => bail!("it must begin with smtp: or smtps:, and may end with ?tls=required or ?tls=opportunistic"),
        };
        let is_local = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        let decoded = |text: &str| anyhow::Ok(percent_decode_str(text).decode_utf8()?.into_owned());
        let login = match (url.username(), url.password()) {
            ("", None) => None,
            ("", _) | (_, None) => bail!("it has only one of user and password"),
            _ if !is_local && matches!(tls, Tls::None | Tls::Opportunistic(_)) => {
                bail!("the password would cross the network unencrypted: add ?tls=required")
            }
            (user, password) => Some(Credentials::new(decoded(user)?, decoded(password.unwrap_or_default())?)),
        };
        let domain = from.email.domain();
        if domain == "localhost" && !is_local {
            bail!("{host} does not accept mail from {}: set mail.from to an address of your domain", from.email);
        }
        // in lettre's syntax, the path is the name in EHLO
        let name = Some(url.path().trim_matches('/')).filter(|path| !path.is_empty()).unwrap_or(domain);
        let (hello, port) = (ClientId::Domain(name.to_owned()), url.port().unwrap_or(port));
        let (idle, outage) = (Mutex::default(), Mutex::default());
        Ok(SmtpTransport { host, port, tls, login, hello, timeout, idle, outage })
    }

    /// How the server behaved lately: it is not asked.
    pub fn health(&self) -> Dependency {
        let outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        match outage.as_ref().filter(|(since, _)| since.elapsed() < OUTAGE) {
            Some((_, why)) => Dependency::measured(Status::Unhealthy, Instant::now())
                .with_cause(format!("e-mails wait, and are sent again: {}", cause(why))),
            None => Dependency::healthy(),
        }
    }

    /// Sends one mail within the timeout.
    pub async fn send(&self, from: &Address, message: &MailMessage) -> SendOutcome {
        let timed_out = |_| self.unreachable(format!("the mail server did not answer within {:?}", self.timeout));
        timeout(self.timeout, self.try_send(from, message)).await.unwrap_or_else(timed_out)
    }

    /// The outcome of a mail for which the server was not there. Health reports it.
    fn unreachable(&self, why: impl Display) -> SendOutcome {
        let why = one_line_of(why);
        *self.outage.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), why.clone()));
        SendOutcome::Deferred { why }
    }

    async fn try_send(&self, from: &Address, message: &MailMessage) -> SendOutcome {
        let mut connection = match self.connection().await {
            Ok(connection) => connection,
            Err(why) => return self.unreachable(why),
        };
        *self.outage.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let Err(Failure { outcome, is_reply }) = deliver(&mut connection, from, message).await else {
            self.put_idle(connection);
            return SendOutcome::Sent;
        };
        if is_reply {
            self.put_idle(connection);
        }
        outcome
    }

    /// An idle connection that still answers, or a new one.
    async fn connection(&self) -> Result<Connection, Error> {
        while let Some(mut connection) = self.take_idle() {
            if connection.command(Rset).await.is_ok() {
                return Ok(connection);
            }
        }
        let (address, timeout) = ((self.host.as_str(), self.port), Some(self.timeout));
        let wrapper = if let Tls::Wrapper(secure) = &self.tls { Some(secure.clone()) } else { None };
        let mut connection = Connection::connect_tokio1(address, timeout, &self.hello, wrapper, None).await?;
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

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, since)| since.elapsed() < IDLE_TIMEOUT);
        idle.pop().map(|(connection, _)| connection)
    }

    fn put_idle(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push((connection, Instant::now()));
        }
    }
}

/// Why a mail was not sent.
struct Failure {
    outcome: SendOutcome,
    /// Whether the server has sent a complete reply: then the connection is in a known state.
    is_reply: bool,
}

impl Failure {
    /// An error about the recipient or the mail.
    fn of_message(error: Error) -> Failure {
        // 530 requires authentication: the operator can fix that
        let is_permanent = error.is_permanent() && error.status().is_some_and(|code| u16::from(code) != 530);
        match is_permanent {
            true => Failure { outcome: SendOutcome::Refused { why: one_line_of(error) }, is_reply: true },
            false => Failure::of_sender(error),
        }
    }

    /// An error about the sender: the operator can fix it, so the mail waits.
    fn of_sender(error: Error) -> Failure {
        Failure { is_reply: error.status().is_some(), outcome: deferred(error) }
    }
}

async fn deliver(connection: &mut Connection, from: &Address, message: &MailMessage) -> Result<(), Failure> {
    let mut options = Vec::new();
    if !message.mail.is_ascii() || !AsRef::<str>::as_ref(&message.to).is_ascii() {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            let why = "the mail server does not support addresses beyond ASCII".to_owned();
            return Err(Failure { outcome: SendOutcome::Refused { why }, is_reply: false });
        }
        options = vec![MailParameter::SmtpUtfEight, MailParameter::Body(MailBodyParameter::EightBitMime)];
    }
    connection.command(Mail::new(Some(from.clone()), options)).await.map_err(Failure::of_sender)?;
    connection.command(Rcpt::new(message.to.clone(), Vec::new())).await.map_err(Failure::of_message)?;
    connection.command(Data).await.map_err(Failure::of_message)?;
    connection.message(&message.mail).await.map_err(Failure::of_message)?;
    Ok(())
}

fn deferred(why: impl Display) -> SendOutcome {
    SendOutcome::Deferred { why: one_line_of(why) }
}

/// A reply as one short line.
fn one_line_of(why: impl Display) -> String {
    one_line(&why.to_string()).chars().take(MAX_DETAIL).collect()
}
