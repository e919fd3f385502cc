//! Readiness probes, so that no request is lost to discover that a replica drains or is dead.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};

use super::Replicas;
use super::replica::Replica;

/// Longer than a busy replica takes to respond.
const PATIENCE: Duration = Duration::from_secs(1);
/// Successful probes in a row until an unready replica is ready again.
const GOOD: u32 = 2;

/// Probes all replicas for as long as the process lives. A single replica is not probed: there is no choice.
pub async fn watch(replicas: Arc<Replicas>, every: Duration) {
    if every.is_zero() || replicas.stay_alone() {
        return;
    }
    let mut good: Vec<(Arc<Replica>, u32)> = Vec::new();
    let mut tick = interval(every);
    loop {
        tick.tick().await;
        let known = replicas.known();
        if known.len() < 2 {
            continue;
        }
        let answers = join_all(known.iter().map(|replica| timeout(PATIENCE, ask(&replica.base)))).await;
        let before = std::mem::take(&mut good);
        for (replica, answer) in known.iter().zip(answers) {
            let yes = before.iter().find(|(one, _)| Arc::ptr_eq(one, replica)).map_or(0, |(_, count)| *count);
            let yes = match answer {
                Ok(Ok(true)) => yes.saturating_add(1),
                Ok(Ok(false) | Err(_)) => {
                    replica.says(false);
                    0
                }
                // a timeout counts like the timeout of a request
                Err(_) => {
                    replica.failed();
                    yes
                }
            };
            if yes >= GOOD {
                replica.says(true);
            }
            good.push((Arc::clone(replica), yes));
        }
    }
}

/// Whether `GET /readyz` returns 200, on a connection of its own.
async fn ask(base: &str) -> io::Result<bool> {
    let address = base.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let mut stream = TcpStream::connect(address).await?;
    let question = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).await?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await?;
    Ok(answer.ends_with(b" 200"))
}
