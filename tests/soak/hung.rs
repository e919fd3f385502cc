//! Replicas that accept requests and never respond: how long clients wait, and the cost for the roles behind the gateway.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use awc::http::Method;
use futures_util::StreamExt;
use futures_util::future::{join_all, pending, select};
use tokio::io::AsyncWriteExt;
use tokio::time::interval;

use crate::support::benchmarks::{Latencies, is_full_size, print_figure, soak_size};
use crate::support::eventually;
use crate::support::upstream::{read_head, serve_connections, start_gateway};

const USER: &str = "/api/users/ana@example.com";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// A replica that is ready, and answers nothing else while it hangs; counts what it is asked.
fn replica(hangs: bool) -> (String, Rc<Cell<usize>>) {
    let asked = Rc::new(Cell::new(0));
    let count = Rc::clone(&asked);
    let base = serve_connections(move |mut stream| {
        let count = Rc::clone(&count);
        async move {
            while let Some((head, _)) = read_head(&mut stream).await {
                if !head.starts_with("GET /readyz ") {
                    count.set(count.get() + 1);
                    if hangs {
                        return pending().await;
                    }
                }
                drop(stream.write_all(OK).await);
            }
        }
    });
    (base, asked)
}

#[actix_web::test]
async fn when_all_replicas_hang_every_caller_is_answered_within_three_seconds() {
    let (count, rate) = (soak_size("HUNG", 300), soak_size("READ_RATE", 100));
    let (bases, asked): (Vec<String>, Vec<_>) = (0..3).map(|_| replica(true)).unzip();
    let node =
        start_gateway(&bases.join(","), &[("W2MEET_BALANCE__HEDGE_MS", "250"), ("W2MEET_BALANCE__PROBE_MS", "250")]);
    let client = node.client("gateway").with_many_connections();
    let begin = Instant::now();
    let ticks = futures_util::stream::unfold(
        interval(Duration::from_secs(1) / u32::try_from(rate).expect("a rate")),
        async |mut tick| {
            tick.tick().await;
            Some(((), tick))
        },
    );
    let one = async |()| {
        let begin = Instant::now();
        let status = client.get(USER).await.status;
        (status, begin.elapsed())
    };
    let response: Vec<_> = Box::pin(ticks.take(count)).map(one).buffer_unordered(count).collect().await;
    let (times, seconds) =
        (Latencies::from_times(response.iter().map(|(_, took)| *took)), begin.elapsed().as_secs_f64());
    let sent: usize = asked.iter().map(|asked| asked.get()).sum();
    let most = count as f64 * 1.2 + 10.0 * seconds + 20.0;
    print_figure(
        &format!("3 replicas of 3 hang, {count} reads"),
        &format!("{}; {sent} requests behind the gateway, {most:.0} allowed", times.summary()),
    );
    assert!(response.iter().all(|(status, _)| [503, 504].contains(status)));
    assert!(sent as f64 <= most, "{sent} for {count} in {seconds} s");
    if is_full_size() {
        assert!(times.longest() <= Duration::from_secs(3), "{}", times.summary());
    }
}

#[actix_web::test]
async fn requests_stuck_at_one_replica_do_not_delay_the_other() {
    let stuck = soak_size("STUCK", 200);
    let ((hung, at_it), (well, _)) = (replica(true), replica(false));
    let node = start_gateway(&[hung, well].join(","), &[("W2MEET_BALANCE__HEDGE_MS", "0")]);
    let client = node.client("gateway").with_many_connections();
    // without a key, so that no other replica is called instead
    let post = || client.try_send(Method::POST, "/api/users", &[], Some(b"{}".to_vec()));
    let waiting = Box::pin(join_all((0..2 * stuck).map(|_| post())));
    let (mut times, asked) = (Vec::new(), Cell::new(0));
    let meanwhile = Box::pin(async {
        eventually("they are stuck", async || (at_it.get() >= stuck).then_some(())).await;
        loop {
            let begin = Instant::now();
            let quick = tokio::time::timeout(Duration::from_millis(50), post()).await;
            asked.set(asked.get() + 1);
            if quick.is_ok_and(|answer| answer.is_ok_and(|answer| answer.status == 200)) {
                times.push(begin.elapsed());
            }
        }
    });
    drop(select(waiting, meanwhile).await);
    let (quick, times) = (times.len(), Latencies::from_times(times));
    print_figure(
        &format!("{stuck} requests stuck at one of 2 replicas"),
        &format!("{quick} of {} more answered within 50 ms, by the other one: {}", asked.get(), times.summary()),
    );
    // every second request goes to the replica that hangs, until it is ejected
    assert!(quick > 0);
    if is_full_size() {
        assert!(2 * quick + 2 >= asked.get(), "{quick} of {}", asked.get());
    }
}
