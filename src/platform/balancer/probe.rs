//! Readiness probes: they find a replica that drains or is dead before a request meets it.

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
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// Successful probes in a row until an unready replica is ready again.
const READY_AFTER: u32 = 2;

/// Probes all replicas for as long as the process lives. A single replica is not probed: there is no choice.
pub async fn watch(replicas: Arc<Replicas>, every: Duration) {
    if every.is_zero() || replicas.is_single() {
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
        let responses = join_all(known.iter().map(|replica| timeout(PROBE_TIMEOUT, is_ready(&replica.base)))).await;
        let before = std::mem::take(&mut good);
        for (replica, response) in known.iter().zip(responses) {
            let yes = before.iter().find(|(one, _)| Arc::ptr_eq(one, replica)).map_or(0, |(_, count)| *count);
            let yes = match response {
                Ok(Ok(true)) => yes.saturating_add(1),
                Ok(Ok(false) | Err(_)) => {
                    replica.set_ready(false);
                    0
                }
                // a timeout counts like the timeout of a request
                Err(_) => {
                    replica.record_failure();
                    yes
                }
            };
            if yes >= READY_AFTER {
                replica.set_ready(true);
            }
            good.push((Arc::clone(replica), yes));
        }
    }
}

/// Whether `GET /readyz` on a new connection returns 200.
async fn is_ready(base: &str) -> io::Result<bool> {
    let address = base.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut response = [0; 12];
    stream.read_exact(&mut response).await?;
    Ok(response.ends_with(b" 200"))
}
