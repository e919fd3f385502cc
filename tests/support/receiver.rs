//! A receiver of webhooks: it accepts every request, and records it by its id.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::upstream::{read_head, serve_connections};

/// A webhook, by its id: the bodies that came, each once. A repetition has the same.
pub type WebhooksById = HashMap<String, BTreeSet<String>>;

/// The receiver; it runs as long as the test.
#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    state: Rc<State>,
}

#[derive(Default)]
struct State {
    hooks: RefCell<WebhooksById>,
    came: Cell<usize>,
    shut: Cell<bool>,
    opened: Notify,
}

impl Receiver {
    pub fn start() -> Receiver {
        let state = Rc::<State>::default();
        let shared = Rc::clone(&state);
        let base = serve_connections(move |stream| {
            let state = Rc::clone(&shared);
            async move {
                receive(&state, stream).await;
            }
        });
        Receiver { url: format!("{base}/hook"), state }
    }

    /// How many came so far, repetitions among them.
    pub fn count_received(&self) -> usize {
        self.state.came.get()
    }

    pub fn hooks(&self) -> WebhooksById {
        self.state.hooks.borrow().clone()
    }

    /// Takes what comes, and does not answer any more.
    pub fn hold_replies(&self) {
        self.state.shut.set(true);
    }

    /// Answers again, also those that wait.
    pub fn resume_replies(&self) {
        self.state.shut.set(false);
        self.state.opened.notify_waiters();
    }
}

async fn receive(state: &State, mut stream: TcpStream) -> Option<()> {
    let (head, mut body) = read_head(&mut stream).await?;
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    };
    let length: usize = header("content-length")?.parse().ok()?;
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    let id = header("webhook-id")?.to_owned();
    state.came.set(state.came.get() + 1);
    state.hooks.borrow_mut().entry(id).or_default().insert(String::from_utf8(body).ok()?);
    while state.shut.get() {
        state.opened.notified().await;
    }
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.ok()
}

/// What a webhook says happened, and to which meeting.
pub fn read_hook(body: &str) -> Option<(String, String)> {
    let body: Value = serde_json::from_str(body).ok()?;
    Some((body["type"].as_str()?.to_owned(), body["data"]["id"].as_str()?.to_owned()))
}
