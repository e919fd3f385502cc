//! Requests as raw bytes on a socket, for messages that no HTTP client sends.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Client, Reply};

const TIMEOUT: Duration = Duration::from_secs(20);

impl Client {
    /// Sends a head without a body; `target` goes on the request line unchanged.
    pub async fn send_head(&self, method: &str, target: &str, headers: &str) -> Reply {
        let head = format!("{method} {target} HTTP/1.1\r\nHost: w2meet.test\r\nConnection: close\r\n{headers}\r\n");
        self.send_bytes(head.as_bytes()).await
    }

    /// Sends these bytes on a new connection, and reads until the server closes it.
    pub async fn send_bytes(&self, request: &[u8]) -> Reply {
        let address = self.base().trim_start_matches("http://");
        let talk = async {
            let mut stream = TcpStream::connect(address).await?;
            // the server may close before it has read all bytes
            drop(stream.write_all(request).await);
            let mut answer = Vec::new();
            drop(stream.read_to_end(&mut answer).await);
            Ok::<_, std::io::Error>(answer)
        };
        let answer = timeout(TIMEOUT, talk).await.expect("an answer in time");
        parse(&answer.expect("the gateway listens"))
    }
}

/// Parses the first response on a connection; status 0 means none.
fn parse(answer: &[u8]) -> Reply {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, body) = end.map_or((answer, &[][..]), |end| (&answer[..end], &answer[end + 4..]));
    let head = String::from_utf8_lossy(head);
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if chunked { decode_chunked(body) } else { body.to_vec() };
    let text = String::from_utf8_lossy(&body).into_owned();
    Reply { status: status.unwrap_or(0), headers, json: serde_json::from_str(&text).unwrap_or(Value::Null), text }
}

/// Parses every complete final response in these bytes; `100 Continue` is skipped.
pub fn parse_replies(mut heard: &[u8]) -> Vec<Reply> {
    let mut all = Vec::new();
    while let Some(end) = heard.windows(4).position(|four| four == b"\r\n\r\n") {
        let reply = parse(&heard[..end + 4]);
        heard = &heard[end + 4..];
        if reply.status == 100 {
            continue;
        }
        let length = if reply.header("transfer-encoding") == Some("chunked") {
            heard.windows(5).position(|five| five == b"0\r\n\r\n").map(|at| at + 5)
        } else {
            Some(reply.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0))
        };
        let Some(length) = length.filter(|length| *length <= heard.len()) else { break };
        heard = &heard[length..];
        all.push(reply);
    }
    all
}

fn decode_chunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(line) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = String::from_utf8_lossy(&rest[..line]);
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        let start = line + 2;
        if size == 0 || rest.len() < start + size {
            break;
        }
        body.extend_from_slice(&rest[start..start + size]);
        rest = rest.get(start + size + 2..).unwrap_or_default();
    }
    body
}
