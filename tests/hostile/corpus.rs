//! The requests of `requests.txt`, through a gateway in front of a role that records what it receives.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::raw_http::parse_replies;
use crate::support::upstream::{Recorder, serve_connections, start_gateway};

const CASES: &str = include_str!("requests.txt");
const MARKER: &[u8] = b"GET /api/users/marker HTTP/1.1\r\nHost: w2meet.test\r\n\r\n";
const SEEN_MARKER: &str = "GET /users/marker";

struct Case<'a> {
    name: &'a str,
    send: Vec<u8>,
    status: &'a str,
    then: &'a str,
    upstream: Option<String>,
}

fn cases(trap: u16) -> Vec<Case<'static>> {
    let lines: Vec<&str> = CASES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let read = |four: &[&'static str]| {
        let [name, send, answer, upstream] = four else { panic!("half a case: {four:?}") };
        let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).expect("a name");
        let value = |line: &'static str, key: &str| {
            line.strip_prefix(key).unwrap_or_else(|| panic!("{name}: {line}")).trim_start()
        };
        let (status, then) = value(answer, "answer").split_once(' ').expect("a status, and what then");
        let send = value(send, "send").replace("{trap}", &trap.to_string());
        let upstream = match value(upstream, "upstream") {
            "any" => None,
            "nothing" => Some(String::new()),
            text => Some(String::from_utf8_lossy(&unescaped(text)).into_owned()),
        };
        Case { name, send: unescaped(&send), status, then, upstream }
    };
    lines.chunks(4).map(read).collect()
}

/// The bytes of an escaped text.
fn unescaped(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        match first {
            '\\' => {
                let kind = rest.chars().next().expect("an escape");
                rest = &rest[1..];
                bytes.push(match kind {
                    'r' => b'\r',
                    'n' => b'\n',
                    't' => b'\t',
                    '0' => 0,
                    'x' => {
                        let (digits, after) = rest.split_at(2);
                        rest = after;
                        u8::from_str_radix(digits, 16).expect("two digits")
                    }
                    other => other as u8,
                });
            }
            '{' if rest.split_once('*').is_some_and(|(times, _)| times.bytes().all(|byte| byte.is_ascii_digit())) => {
                let (times, after) = rest.split_once('*').expect("it was there");
                let mut depth = 1;
                let end = after.find(|mail| {
                    depth += i32::from(mail == '{') - i32::from(mail == '}');
                    depth == 0
                });
                let (inner, after) = after.split_at(end.expect("a closing brace"));
                bytes.extend(unescaped(inner).repeat(times.parse().expect("a number")));
                rest = &after[1..];
            }
            _ => bytes.extend(first.to_string().into_bytes()),
        }
    }
    bytes
}

/// Runs a case; the error says what is wrong.
async fn run(case: &Case<'_>, address: &str, recorder: &Recorder) -> Result<(), String> {
    let stream = TcpStream::connect(address).await.expect("the gateway listens");
    let (mut reading, mut writing) = stream.into_split();
    let bytes = [&case.send, MARKER].concat();
    let sending = async move {
        // a server that has heard enough may close before it has read all
        drop(writing.write_all(&bytes).await);
        writing
    };
    let mut heard = Vec::new();
    let hearing = async {
        // after two responses, only an unexpected third one could follow
        while parse_replies(&heard).len() < 2 && reading.read_buf(&mut heard).await.is_ok_and(|read| read > 0) {}
    };
    let all = futures_util::future::join(sending, hearing);
    if timeout(Duration::from_secs(8), all).await.is_err() {
        return Err(format!(
            "open without an answer, after {}",
            String::from_utf8_lossy(&heard[..heard.len().min(300)])
        ));
    }
    let statuses: Vec<u16> = parse_replies(&heard).iter().map(|answer| answer.status).collect();
    let then = if statuses.len() == 2 { "open" } else { "close" };
    if case.status != "any" && statuses.first().map(u16::to_string).as_deref() != Some(case.status) {
        return Err(format!("answered {statuses:?}, not {}", case.status));
    }
    if case.then != "any" && then != case.then {
        return Err(format!("{then}, not {}: {statuses:?}", case.then));
    }
    if then == "open" && statuses[1] != 200 {
        return Err(format!("the next request was answered {statuses:?}"));
    }
    let mut seen = recorder.take();
    let marked = seen.last().is_some_and(|last| last == SEEN_MARKER);
    if marked != (then == "open") {
        return Err(format!("{then}, and a role saw {seen:.200?}"));
    }
    if marked {
        seen.pop();
    }
    let expected = case.upstream.as_ref().map(|text| if text.is_empty() { Vec::new() } else { vec![text.clone()] });
    match expected {
        Some(expected) if expected != seen => {
            let short =
                |list: &[String]| list.iter().map(|one| one.chars().take(120).collect()).collect::<Vec<String>>();
            Err(format!("a role saw {:?}, not {:?}", short(&seen), short(&expected)))
        }
        _ if seen.len() > 1 => Err(format!("a role saw {} requests", seen.len())),
        _ => Ok(()),
    }
}

#[actix_web::test]
async fn each_malformed_request_has_one_response_and_reaches_no_role() {
    let (recorder, base) = Recorder::start();
    let lured = Rc::new(Cell::new(0));
    let count = Rc::clone(&lured);
    let trap = serve_connections(move |_| {
        count.set(count.get() + 1);
        async {}
    });
    let trap = trap.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let node = start_gateway(&base, &[]);
    let address = node.url("gateway").replace("http://", "");
    let cases = cases(trap);
    assert!(cases.len() >= 100, "only {}", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        if let Err(why) = run(case, &address, &recorder).await {
            wrong.push(format!("{}: {why}", case.name));
            recorder.take();
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert_eq!(lured.get(), 0, "connections to where a request named");
    assert!(!node.log_text().contains("panicked"));
}
