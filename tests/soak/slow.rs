//! Clients that are slow, send without end, or do nothing: each is disconnected, and other clients notice nothing.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{interval, timeout};

use crate::support::benchmarks::{Latencies, is_full_size, print_figure, soak_size};
use crate::support::raw_http::parse_replies;
use crate::support::upstream::{Recorder, read_head, serve_connections, start_gateway};
use crate::support::{Client, Node, eventually};

const MIB: usize = 1 << 20;

/// What a process has in memory, in bytes.
fn resident(node: &Node) -> usize {
    let about = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap_or_default();
    let line = about.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap_or(0) << 10
}

/// Seconds of processor time that a process has used.
fn used(node: &Node) -> f64 {
    let about = std::fs::read_to_string(format!("/proc/{}/stat", node.pid())).unwrap_or_default();
    let fields: Vec<u64> =
        about.rsplit(')').next().unwrap_or_default().split_whitespace().filter_map(|text| text.parse().ok()).collect();
    // after the state, which is no number: the tenth and the eleventh
    (fields[10] + fields[11]) as f64 / 100.0
}

/// Sends requests at a rate while `trouble` lasts; returns the response times, and the maximum growth of memory.
async fn meanwhile(node: &Node, client: &Client, path: &str, trouble: impl Future<Output = ()>) -> (Latencies, usize) {
    client.get(path).await.expect(200);
    let before = resident(node);
    let most = Cell::new(0);
    let mut times = Vec::new();
    let asking = async {
        let mut pace = interval(Duration::from_millis(20));
        loop {
            pace.tick().await;
            let begin = Instant::now();
            client.get(path).await.expect(200);
            times.push(begin.elapsed());
            most.set(most.get().max(resident(node).saturating_sub(before)));
        }
    };
    tokio::select! {
        () = asking => {}
        () = trouble => {}
    }
    (Latencies::from_times(times), most.get())
}

fn expect_calm(what: &str, times: &Latencies, grown: usize, most: usize) {
    print_figure(
        what,
        &format!("meanwhile honest requests {}; memory +{:.1} MiB", times.summary(), grown as f64 / MIB as f64),
    );
    if is_full_size() {
        assert!(times.percentile(99.0) <= Duration::from_millis(50), "{}", times.summary());
        assert!(grown <= most, "{grown} bytes more");
    }
}

/// Sends `beginning`, then one byte a second until the other side closes; returns the time and the response.
async fn trickle(address: &str, first: &[u8], beginning: &[u8]) -> (Duration, String) {
    let mut stream = TcpStream::connect(address).await.expect("the gateway listens");
    let mut heard = Vec::new();
    if !first.is_empty() {
        stream.write_all(first).await.expect("a socket");
        while parse_replies(&heard).is_empty() {
            assert_ne!(stream.read_buf(&mut heard).await.expect("a socket"), 0);
        }
        heard.clear();
    }
    let begin = Instant::now();
    drop(stream.write_all(beginning).await);
    let (mut reading, mut writing) = stream.into_split();
    let slowly = async {
        let mut pace = interval(Duration::from_secs(1));
        loop {
            pace.tick().await;
            if writing.write_all(b"x").await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let hearing = async { while reading.read_buf(&mut heard).await.is_ok_and(|read| read > 0) {} };
    let cut_off = async {
        tokio::select! {
            () = slowly => {}
            () = hearing => {}
        }
    };
    drop(timeout(Duration::from_secs(60), cut_off).await);
    (begin.elapsed(), String::from_utf8_lossy(&heard).lines().next().unwrap_or_default().to_owned())
}

#[actix_web::test]
async fn slow_heads_and_slow_bodies_are_cut_off() {
    let (heads, bodies) = (soak_size("SLOW_HEADS", 60), soak_size("SLOW_BODIES", 40));
    let (_recorder, base) = Recorder::start();
    let node = start_gateway(&base, &[]);
    let (client, address) = (node.client("gateway"), node.url("gateway").replace("http://", ""));
    let request = b"GET /api/users/first HTTP/1.1\r\nHost: x\r\n\r\n";
    let head = b"GET /api/users/slow HTTP/1.1\r\nHost: x\r\nX-Slow: ";
    let sized = b"POST /api/users HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n";
    let chunked = b"POST /api/users HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n";
    // no client reads this one
    let unread = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n";
    let mut cut = (Vec::new(), Vec::new());
    let trouble = async {
        let begun = join_all((0..heads).map(|at| trickle(&address, if at % 2 == 0 { b"" } else { request }, head)));
        let sent = (0..bodies).map(|at| match at % 3 {
            0 => trickle(&address, b"", sized),
            1 => trickle(&address, b"", chunked),
            _ => trickle(&address, b"", unread),
        });
        cut = futures_util::future::join(begun, join_all(sent)).await;
    };
    let (times, grown) = meanwhile(&node, &client, "/api/users/honest", trouble).await;
    let most = Duration::from_secs(if is_full_size() { 10 } else { 15 });
    for (what, cut) in [("heads", &cut.0), ("bodies", &cut.1)] {
        let all = Latencies::from_times(cut.iter().map(|(after, _)| *after));
        print_figure(
            &format!("{} slow {what}", cut.len()),
            &format!("each cut off after at most {:.1?}", all.longest()),
        );
        assert!(all.longest() <= most, "{}", all.summary());
    }
    for (at, (_, output)) in cut.0.iter().enumerate() {
        assert_eq!(output, "HTTP/1.1 408 Request Timeout", "head {at}");
    }
    for (at, (_, output)) in cut.1.iter().enumerate() {
        let expected = if at % 3 == 2 { "HTTP/1.1 404 Not Found" } else { "HTTP/1.1 408 Request Timeout" };
        assert_eq!(output, expected, "body {at}");
    }
    expect_calm("slow clients", &times, grown, 64 * MIB);
}

#[actix_web::test]
async fn an_upload_without_end_is_refused_before_it_is_read() {
    let (_recorder, base) = Recorder::start();
    let node = start_gateway(&base, &[]);
    let (client, address) = (node.client("gateway"), node.url("gateway").replace("http://", ""));
    let all = soak_size("UPLOAD_MIB", 64) * MIB;
    let chunk = [format!("{:x}\r\n", 64 << 10).into_bytes(), vec![b'x'; 64 << 10], b"\r\n".to_vec()].concat();
    for (what, framing, piece) in [
        ("declared", format!("Content-Length: {all}"), vec![b'x'; 64 << 10]),
        ("in chunks", "Transfer-Encoding: chunked".to_owned(), chunk),
    ] {
        let sent = Cell::new((0, 0));
        let trouble = async {
            let socket = TcpSocket::new_v4().expect("a socket");
            socket.set_send_buffer_size(16 << 10).expect("a socket");
            let mut stream = socket.connect(address.parse().expect("an address")).await.expect("the gateway listens");
            let head = format!("POST /api/users HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.expect("a socket");
            let (mut reading, mut writing) = stream.split();
            let (mut heard, mut at) = (Vec::new(), 0);
            let mut until_answered = None;
            while sent.get().1 < all {
                tokio::select! {
                    biased;
                    read = reading.read_buf(&mut heard), if until_answered.is_none() => {
                        assert!(read.is_ok_and(|read| read > 0), "{what}: closed without an answer");
                        until_answered = Some(sent.get().1);
                    }
                    wrote = writing.write(&piece[at..]) => match wrote {
                        Ok(count) => {
                            at = (at + count) % piece.len();
                            sent.set((sent.get().0, sent.get().1 + count));
                        }
                        Err(_) => break,
                    }
                }
            }
            sent.set((until_answered.expect("an answer"), sent.get().1));
            assert!(heard.starts_with(b"HTTP/1.1 413"), "{what}: {}", String::from_utf8_lossy(&heard));
        };
        let (times, grown) = meanwhile(&node, &client, "/api/users/honest", trouble).await;
        let (until_answered, total) = sent.get();
        print_figure(
            &format!("{} MiB uploaded, {what}", all / MIB),
            &format!(
                "413 after {} KiB; {:.1} MiB taken off the client's hands in all",
                until_answered >> 10,
                total as f64 / MIB as f64
            ),
        );
        // what the kernel's buffers take while the response is on its way is not read
        assert!(until_answered <= 4 * MIB, "{what}: {until_answered} bytes");
        expect_calm(&format!("the upload, {what}"), &times, grown, 16 * MIB);
    }
}

#[actix_web::test]
async fn a_client_that_does_not_read_its_response_is_disconnected() {
    let readers = soak_size("SLOW_READERS", 10);
    let answer =
        Rc::new([b"HTTP/1.1 200 OK\r\nContent-Length: 33554432\r\n\r\n".to_vec(), vec![b'x'; 32 * MIB]].concat());
    let base = serve_connections(move |mut stream| {
        let answer = Rc::clone(&answer);
        async move {
            while let Some((head, _)) = read_head(&mut stream).await {
                let whole =
                    if head.contains("large") { &answer[..] } else { b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" };
                drop(stream.write_all(whole).await);
            }
        }
    });
    let node = start_gateway(&base, &[]);
    let (client, address) = (node.client("gateway"), node.url("gateway").replace("http://", ""));
    let read = async |_| {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4 << 10).expect("a socket");
        let mut stream = socket.connect(address.parse().expect("an address")).await.expect("the gateway listens");
        stream.write_all(b"GET /api/users/large HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("a socket");
        let begin = Instant::now();
        let mut pace = interval(Duration::from_secs(1));
        while begin.elapsed() < Duration::from_secs(60) {
            pace.tick().await;
            let mut one = [0];
            // what has come is still there to be read; that it was closed is seen by writing
            if !stream.read(&mut one).await.is_ok_and(|read| read > 0) || stream.write_all(b"\r\n").await.is_err() {
                break;
            }
        }
        begin.elapsed()
    };
    let mut taken = Vec::new();
    let trouble = async { taken = join_all((0..readers).map(read)).await };
    // not of the role: it has its hands full with what it sends
    let (times, grown) = meanwhile(&node, &client, "/livez", trouble).await;
    let all = Latencies::from_times(taken);
    print_figure(
        &format!("{readers} clients that read a byte a second"),
        &format!("let go after at most {:.1?}", all.longest()),
    );
    // two spans of 14 s, the first of which the system's own buffers fill; and the client looks once a second
    assert!(all.longest() <= Duration::from_secs(if is_full_size() { 31 } else { 40 }), "{}", all.summary());
    // a sixth of a MiB for each: what has been read ahead, and no more however long they take
    expect_calm("slow readers", &times, grown, 96 * MIB);
}

#[actix_web::test]
async fn idle_connections_delay_no_request() {
    let count = soak_size("IDLE", 200);
    let (_recorder, base) = Recorder::start();
    let node = start_gateway(&base, &[]);
    let (client, address) = (node.client("gateway"), node.url("gateway").replace("http://", ""));
    let mut held = Vec::new();
    let trouble = async {
        for _ in 0..count {
            let mut stream = TcpStream::connect(&address).await.expect("the gateway listens");
            stream.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("a socket");
            let read = timeout(Duration::from_secs(5), stream.read(&mut [0; 1024])).await;
            assert!(read.is_ok_and(|read| read.is_ok_and(|read| read > 0)), "connection {}", held.len());
            held.push(stream);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    };
    let (times, grown) = meanwhile(&node, &client, "/api/users/honest", trouble).await;
    expect_calm(&format!("{count} idle connections"), &times, grown, 512 * MIB);
}

#[actix_web::test]
async fn a_gateway_out_of_descriptors_serves_its_open_connections() {
    let (_recorder, base) = Recorder::start();
    let node = start_gateway(&base, &[]);
    let (client, address) = (node.client("gateway"), node.url("gateway").replace("http://", ""));
    client.get("/livez").await.expect(200);
    let pid = node.pid().to_string();
    let set = std::process::Command::new("prlimit").args(["--pid", &pid, "--nofile=128:128"]).status();
    assert!(set.is_ok_and(|set| set.success()), "prlimit");
    let mut many = Vec::new();
    for _ in 0..300 {
        many.push(TcpStream::connect(&address).await.expect("the system accepts"));
    }
    let before = (used(&node), Instant::now());
    let mut pace = interval(Duration::from_millis(50));
    while before.1.elapsed() < Duration::from_secs(2) {
        pace.tick().await;
        // on a connection that was there before
        client.get("/livez").await.expect(200);
    }
    let busy = (used(&node) - before.0) / before.1.elapsed().as_secs_f64();
    print_figure(
        "300 connections for 128 descriptors",
        &format!("{:.0} % of a core, and who was there is answered", busy * 100.0),
    );
    assert!(busy < 0.5, "{busy}");
    drop(many);
    eventually("new connections are served", async || {
        let new = Client::new(client.base());
        (new.try_send(awc::http::Method::GET, "/livez", &[], None).await.ok()?.status == 200).then_some(())
    })
    .await;
}
