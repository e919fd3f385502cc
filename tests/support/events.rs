//! Server-sent events, read on a connection of their own.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Client;

/// Longer than two pings, which are what a stream without its broker lives by.
const PATIENCE: Duration = Duration::from_secs(40);

/// The end of a response, on a connection that stays open.
const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// An open stream.
pub struct EventStream {
    socket: TcpStream,
    /// Status line and headers, in lower case.
    pub head: String,
    raw: Vec<u8>,
    unread: String,
    /// Everything so far.
    pub text: String,
}

/// One event.
#[derive(Clone, Debug)]
pub struct StreamEvent {
    pub id: i64,
    pub name: String,
    pub data: Value,
}

impl StreamEvent {
    /// What the meeting is at.
    pub fn status(&self) -> &str {
        self.data["status"].as_str().unwrap_or_default()
    }
}

impl Client {
    /// Opens the stream of a meeting, with these header lines more.
    pub async fn open_events(&self, id: &str, headers: &str) -> EventStream {
        let address = self.base().trim_start_matches("http://");
        let mut socket = TcpStream::connect(address).await.expect("the gateway listens");
        let head = format!("GET /api/meetings/{id}/events HTTP/1.1\r\nHost: w2meet.test\r\n{headers}\r\n");
        socket.write_all(head.as_bytes()).await.expect("sent");
        let (head, unread, text) = (String::new(), String::new(), String::new());
        let mut events = EventStream { socket, head, raw: Vec::new(), unread, text };
        while events.head.is_empty() {
            assert!(timeout(PATIENCE, events.read()).await.expect("an answer in time"), "an answer");
            if let Some(end) = events.raw.windows(4).position(|four| four == b"\r\n\r\n") {
                let body = events.raw.split_off(end + 4);
                events.head = String::from_utf8_lossy(&events.raw).to_lowercase();
                events.raw = body;
            }
        }
        assert!(events.head.starts_with("http/1.1 200 "), "{}", events.head);
        events
    }
}

impl EventStream {
    /// The next event, past whatever is none; `None` when the stream has ended. Fails when neither comes.
    pub async fn next(&mut self) -> Option<StreamEvent> {
        let next = timeout(PATIENCE, self.wait()).await;
        next.unwrap_or_else(|_| panic!("no more events came after {:?}", self.text))
    }

    async fn wait(&mut self) -> Option<StreamEvent> {
        loop {
            while let Some((block, rest)) = self.unread.split_once("\n\n") {
                let response = parse_event(block);
                self.unread = rest.to_owned();
                if response.is_some() {
                    return response;
                }
            }
            if !self.take_chunk() && (self.raw.starts_with(LAST_CHUNK) || !self.read().await) {
                return None;
            }
        }
    }

    /// All events up to the first of which this is true.
    pub async fn until(&mut self, enough: impl Fn(&StreamEvent) -> bool) -> Vec<StreamEvent> {
        let mut all = Vec::new();
        loop {
            let so_far = || all.iter().map(|it: &StreamEvent| (it.id, it.name.clone())).collect::<Vec<_>>();
            let response = self.next().await.unwrap_or_else(|| panic!("the stream ended after {:?}", so_far()));
            all.push(response.clone());
            if enough(&response) {
                return all;
            }
        }
    }

    async fn read(&mut self) -> bool {
        self.socket.read_buf(&mut self.raw).await.is_ok_and(|count| count > 0)
    }

    /// Takes one whole chunk of what was read.
    fn take_chunk(&mut self) -> bool {
        let Some(line) = self.raw.windows(2).position(|two| two == b"\r\n") else { return false };
        let size = std::str::from_utf8(&self.raw[..line]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let (begin, size) = (line + 2, size.expect("the size of a chunk"));
        if size == 0 || self.raw.len() < begin + size + 2 {
            return false;
        }
        let chunk = std::str::from_utf8(&self.raw[begin..begin + size]).expect("UTF-8");
        self.unread.push_str(chunk);
        self.text.push_str(chunk);
        self.raw.drain(..begin + size + 2);
        true
    }
}

fn parse_event(block: &str) -> Option<StreamEvent> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let data = serde_json::from_str(field("data")?).expect("JSON on one line");
    Some(StreamEvent { id: field("id")?.parse().expect("a version"), name: field("event")?.to_owned(), data })
}
