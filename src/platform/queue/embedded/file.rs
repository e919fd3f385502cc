//! The file of the embedded queue, on a thread of its own: SQLite's calls block. What is committed is ready at once, even
//! when whoever published it has gone.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use anyhow::{Context as _, bail};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use tokio::sync::oneshot;

use super::ready::{Job, Ready};
use crate::platform::data::make_folder;
use crate::platform::queue::Message;

/// `busy_timeout` first: setting WAL may itself find the file locked. NORMAL: a power cut may take the last commits back. An
/// answer that is lost so is a redelivery; a job that is lost so is published again from the outbox of who committed it.
const PRAGMAS: &str = "PRAGMA busy_timeout=5000; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;";
const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER NOT NULL PRIMARY KEY, id TEXT NOT NULL, case_id TEXT NOT NULL, body BLOB NOT NULL, dead BOOLEAN NOT NULL,
    traceparent TEXT NOT NULL DEFAULT '')";
/// For files that were made before jobs had a trace.
const TRACED: &str = "ALTER TABLE messages ADD COLUMN traceparent TEXT NOT NULL DEFAULT ''";

diesel::table! {
    messages (seq) {
        seq -> BigInt,
        id -> Text,
        case_id -> Text,
        body -> Binary,
        dead -> Bool,
        traceparent -> Text,
    }
}

/// What is to be written.
pub enum Change {
    /// New jobs, in one transaction.
    Keep(Vec<Message>),
    /// A job is done.
    Forget(i64),
    /// A job is dead: it stays, and is not delivered.
    Bury(i64),
    /// Nothing; whether it could be.
    Nothing,
}

type Verdict = Result<(), String>;

/// The way to the thread that writes. Dropping it waits for what is being written.
pub struct File {
    changes: Option<Sender<(Change, oneshot::Sender<Verdict>)>>,
    thread: Option<JoinHandle<()>>,
    _lock: std::fs::File,
}

impl File {
    /// Opens the file, or makes it; puts all jobs in it to those that are ready.
    ///
    /// # Errors
    /// A file that cannot be opened, or that another process uses.
    pub fn open(path: &Path, ready: Arc<Ready>) -> anyhow::Result<File> {
        let lock = lock(path)?;
        let mut keeper =
            Keeper::open(path, ready).with_context(|| format!("cannot open the queue's file {}", path.display()))?;
        let (changes, received) = channel();
        let thread = std::thread::Builder::new().name("queue".to_owned()).spawn(move || keeper.run(&received))?;
        Ok(File { changes: Some(changes), thread: Some(thread), _lock: lock })
    }

    /// Writes; completes when it is committed. A change is written even if this is dropped.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn write(&self, change: Change) -> Verdict {
        let (tell, told) = oneshot::channel();
        let gone = || "the queue's thread has ended".to_owned();
        self.changes.as_ref().and_then(|changes| changes.send((change, tell)).ok()).ok_or_else(gone)?;
        told.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // the thread ends when nobody can send any more; the lock goes after it
        self.changes = None;
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// Two processes would both deliver every job.
fn lock(path: &Path) -> anyhow::Result<std::fs::File> {
    let folder = make_folder(path)?;
    let lock = std::fs::File::create(path.with_extension("lock"))
        .with_context(|| format!("cannot write in the data directory {}", folder.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(_) => bail!(
            "another w2meet uses the embedded queue in {}: stop it, give this one its own folder with W2MEET_DATA_DIR, or give \
             both a broker with W2MEET_QUEUE__URL=amqp://…",
            folder.display()
        ),
    }
}

/// Who writes.
struct Keeper {
    conn: SqliteConnection,
    ready: Arc<Ready>,
    last: i64,
}

impl Keeper {
    fn open(path: &Path, ready: Arc<Ready>) -> anyhow::Result<Keeper> {
        let mut conn = SqliteConnection::establish(path.to_str().context("its path is not UTF-8")?)?;
        conn.batch_execute(PRAGMAS)?;
        conn.batch_execute(SCHEMA)?;
        if messages::table.select(messages::traceparent).limit(0).load::<String>(&mut conn).is_err() {
            conn.batch_execute(TRACED)?;
        }
        let last: Option<i64> = messages::table.select(diesel::dsl::max(messages::seq)).get_result(&mut conn)?;
        let there = messages::table.filter(messages::dead.eq(false)).order(messages::seq);
        let columns = (messages::seq, messages::case_id, messages::traceparent, messages::body);
        let there: Vec<(i64, String, String, Vec<u8>)> = there.select(columns).load(&mut conn)?;
        // any of them may have been at work when the process ended
        let jobs = there.into_iter().map(|(seq, case_id, traceparent, body)| Job {
            seq,
            case_id,
            traceparent,
            body: body.into(),
            redelivered: true,
        });
        ready.put(jobs);
        Ok(Keeper { conn, ready, last: last.unwrap_or(0) })
    }

    fn run(&mut self, changes: &Receiver<(Change, oneshot::Sender<Verdict>)>) {
        while let Ok((change, tell)) = changes.recv() {
            let written = self.write(change).map_err(|why| why.to_string());
            // whoever asked may have gone
            drop(tell.send(written));
        }
    }

    fn write(&mut self, change: Change) -> QueryResult<()> {
        match change {
            Change::Keep(new) => return self.keep(new),
            Change::Forget(seq) => diesel::delete(messages::table.find(seq)).execute(&mut self.conn)?,
            Change::Bury(seq) => {
                let found = diesel::update(messages::table.find(seq));
                found.set(messages::dead.eq(true)).execute(&mut self.conn)?
            }
            Change::Nothing => self.transact(|_| Ok(())).map(|()| 0)?,
        };
        Ok(())
    }

    fn keep(&mut self, new: Vec<Message>) -> QueryResult<()> {
        let numbered: Vec<(i64, Message)> = (self.last + 1..).zip(new).collect();
        self.transact(|conn| {
            for (seq, message) in &numbered {
                let row = (
                    messages::seq.eq(seq),
                    messages::id.eq(&message.id),
                    messages::case_id.eq(&message.case_id),
                    messages::body.eq(&message.body[..]),
                    messages::dead.eq(false),
                    messages::traceparent.eq(&message.traceparent),
                );
                diesel::insert_into(messages::table).values(row).execute(conn)?;
            }
            Ok(())
        })?;
        self.last += numbered.len() as i64;
        let job = |(seq, Message { case_id, traceparent, body, .. })| Job {
            seq,
            case_id,
            traceparent,
            body,
            redelivered: false,
        };
        self.ready.put(numbered.into_iter().map(job));
        Ok(())
    }

    /// By hand: after a failure such as a full disk, whose rollback SQLite has done itself, diesel's own transactions would
    /// refuse all further work.
    fn transact(&mut self, work: impl FnOnce(&mut SqliteConnection) -> QueryResult<()>) -> QueryResult<()> {
        self.conn.batch_execute("BEGIN IMMEDIATE")?;
        let done = work(&mut self.conn).and_then(|()| self.conn.batch_execute("COMMIT"));
        if done.is_err() {
            drop(self.conn.batch_execute("ROLLBACK"));
        }
        done
    }
}
