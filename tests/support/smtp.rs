//! A mail server that records every mail, and refuses what the test chooses.
//!
//! It needs nothing but tokio, so the unit tests of the worker's mail use it too.

use std::collections::HashMap;
use std::io::Result;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A mail as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    pub data: String,
}

#[derive(Default)]
struct State {
    mails: Vec<Mail>,
    answers: HashMap<String, String>,
    connections: usize,
}

/// The server; it ends when it is dropped.
pub struct SmtpServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    running: JoinHandle<()>,
}

impl SmtpServer {
    /// Listens on a free port of this machine, without TLS and without passwords.
    pub async fn start() -> Result<SmtpServer> {
        SmtpServer::listen("127.0.0.1:0").await
    }

    /// Listens on this address.
    pub async fn listen(address: &str) -> Result<SmtpServer> {
        let listener = TcpListener::bind(address).await?;
        let (address, state) = (listener.local_addr()?, Arc::<Mutex<State>>::default());
        let shared = Arc::clone(&state);
        let running = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                lock(&shared).connections += 1;
                tokio::spawn(serve_session(stream, Arc::clone(&shared)));
            }
        });
        Ok(SmtpServer { address, state, running })
    }

    /// For `mail.smtp_url`.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// What `MAIL FROM` or `RCPT TO` an address, or `DATA` to it, is answered from now on, such as `550 no such user`;
    /// nothing at all: silence. Begin the address with `data:` for the answer to its letter.
    pub fn answer(&self, address: &str, line: &str) {
        lock(&self.state).answers.insert(address.to_owned(), line.to_owned());
    }

    /// The mails taken so far.
    pub fn mails(&self) -> Vec<Mail> {
        lock(&self.state).mails.clone()
    }

    /// The number of connections.
    pub fn connections(&self) -> usize {
        lock(&self.state).connections
    }
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.running.abort();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One conversation (RFC 5321), as far as clients of this product go.
async fn serve_session(stream: TcpStream, state: Arc<Mutex<State>>) -> Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 test\r\n").await?;
    let answer = |address: &str| lock(&state).answers.get(address).cloned().unwrap_or_else(|| "250 ok".to_owned());
    let mut mail = Mail { from: String::new(), to: Vec::new(), data: String::new() };
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let output = line.trim_end().to_owned();
        line.clear();
        let reply = match output.split(['<', '>', ' ']).next().unwrap_or_default() {
            "EHLO" => "250-test\r\n250 8BITMIME".to_owned(),
            "MAIL" => {
                mail = Mail { from: address(&output), to: Vec::new(), data: String::new() };
                answer(&mail.from)
            }
            "RCPT" => {
                let reply = answer(&address(&output));
                if reply.starts_with('2') {
                    mail.to.push(address(&output));
                }
                reply
            }
            "DATA" if mail.to.is_empty() => "503 to whom?".to_owned(),
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                mail.data = read_data(&mut stream).await?;
                let reply = answer(&format!("data:{}", mail.to[0]));
                if reply.starts_with('2') {
                    lock(&state).mails.push(mail.clone());
                }
                reply
            }
            "QUIT" => {
                return stream.write_all(b"221 bye\r\n").await;
            }
            "RSET" | "NOOP" => "250 ok".to_owned(),
            _ => "502 not known here".to_owned(),
        };
        if !reply.is_empty() {
            stream.write_all(format!("{reply}\r\n").as_bytes()).await?;
        }
    }
    Ok(())
}

/// Up to the lonely dot; lines that begin with a dot lose the one that was put before it.
async fn read_data(stream: &mut BufReader<TcpStream>) -> Result<String> {
    let (mut data, mut line) = (String::new(), String::new());
    while stream.read_line(&mut line).await? > 0 && line != ".\r\n" {
        data.push_str(line.strip_prefix('.').unwrap_or(&line));
        line.clear();
    }
    Ok(data)
}

/// What stands between the angle brackets.
fn address(line: &str) -> String {
    line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or("", |(address, _)| address).to_owned()
}
