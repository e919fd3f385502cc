//! Security headers, CORS, host names, and forwarded addresses.

use awc::http::Method;

use crate::support::Client;
use crate::support::upstream::{Recorder, closed_port_url, read_head, serve_connections, start_gateway};

const ANA: &str = "/api/users/ana@example.com";

/// A role that sends these fields in every response.
fn answering(fields: &'static str) -> String {
    use tokio::io::AsyncWriteExt;
    serve_connections(move |mut stream| async move {
        while read_head(&mut stream).await.is_some() {
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{fields}\r\n{{}}");
            drop(stream.write_all(answer.as_bytes()).await);
        }
    })
}

#[actix_web::test]
async fn every_response_has_security_headers_unless_the_role_set_them() {
    let own = "Cache-Control: max-age=60\r\nContent-Security-Policy: default-src 'self'\r\n";
    let node = start_gateway(&answering(own), &[]);
    let client = node.client("gateway");
    for path in ["/", "/health", "/livez", "/api/health", ANA, "/nowhere", "/api/users/a%zz"] {
        let reply = client.get(path).await;
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"), "{path}");
        let (policy, cache) = match path.starts_with("/api/users") {
            true => ("default-src 'self'", "max-age=60"),
            false => ("default-src 'none'; frame-ancestors 'none'", "no-store"),
        };
        assert_eq!(reply.header("content-security-policy"), Some(policy), "{path}");
        assert_eq!(reply.header("cache-control"), Some(cache), "{path}");
        assert_eq!(reply.header("strict-transport-security"), None, "{path}: it is not reached by TLS");
        assert!(reply.header("access-control-allow-origin").is_none(), "{path}");
        assert!(reply.header("case-id").is_some(), "{path}");
    }
    let secure = start_gateway(&closed_port_url(), &[("W2MEET_SERVER__PUBLIC_URL", "https://meet.example.com")]);
    let reply = secure.client("gateway").get("/").await;
    assert_eq!(reply.header("strict-transport-security"), Some("max-age=63072000"));
}

#[actix_web::test]
async fn headers_about_a_role_stay_inside() {
    let fields = "Server: internal/1\r\nVia: 1.1 10.0.0.7\r\nX-Powered-By: x\r\nX-W2Meet-Shard: 7\r\nX-Internal-Host: db1\r\n\
                  Request-Timeout-Ms: 5\r\nLocation: http://10.0.0.7:8081/users/a?b#c\r\nX-Public: yes\r\n";
    let node = start_gateway(&answering(fields), &[]);
    let reply = node.client("gateway").get(ANA).await;
    for gone in ["server", "via", "x-powered-by", "x-w2meet-shard", "x-internal-host", "request-timeout-ms"] {
        assert_eq!(reply.header(gone), None, "{gone}");
    }
    assert_eq!(reply.header("location"), Some("/users/a?b#c"));
    assert_eq!(reply.header("x-public"), Some("yes"));
}

#[actix_web::test]
async fn web_pages_of_allowed_origins_may_call_and_no_others() {
    let (recorder, base) = Recorder::start();
    let node =
        start_gateway(&base, &[("W2MEET_SERVER__CORS_ORIGINS", "https://app.example.com, http://localhost:3000")]);
    let client = node.client("gateway");
    let ask = async |client: &Client, method: Method, origin: &str, asked: &[(&str, &str)]| {
        let headers = [&[("origin", origin)], asked].concat();
        client.send(method, ANA, &headers, None).await
    };
    let before = [("access-control-request-method", "PATCH"), ("access-control-request-headers", "authorization")];
    for (origin, may) in [
        ("https://app.example.com", true),
        ("http://localhost:3000", true),
        ("https://app.example.com.evil.test", false),
        ("http://app.example.com", false),
        ("https://APP.example.com", false),
        ("null", false),
        ("*", false),
    ] {
        let response = may.then_some(origin);
        let preflight = ask(&client, Method::OPTIONS, origin, &before).await.expect(204);
        assert_eq!(preflight.header("access-control-allow-origin"), response, "{origin}");
        assert_eq!(preflight.header("access-control-allow-methods").is_some(), may, "{origin}");
        assert!(preflight.header("vary").is_some_and(|vary| vary.contains("Origin")), "{origin}");
        let reply = ask(&client, Method::GET, origin, &[]).await.expect(200);
        assert_eq!(reply.header("access-control-allow-origin"), response, "{origin}");
        assert_eq!(reply.header("access-control-expose-headers").is_some(), may, "{origin}");
        assert_eq!(reply.header("vary"), Some("Origin"), "{origin}");
        for reply in [&preflight, &reply] {
            assert_eq!(reply.header("access-control-allow-credentials"), None, "{origin}");
        }
    }
    assert!(client.get(ANA).await.expect(200).header("vary").is_some(), "a cache must not mix them up");
    let refused = client.send(Method::GET, "/nowhere", &[("origin", "http://localhost:3000")], None).await;
    assert_eq!(refused.header("access-control-allow-origin"), Some("http://localhost:3000"), "errors can be read, too");
    assert!(recorder.take().iter().all(|seen| seen.starts_with("GET")), "preflights are answered at the gateway");
    let open = start_gateway(&base, &[("W2MEET_SERVER__CORS_ORIGINS", "*")]);
    let preflight = ask(&open.client("gateway"), Method::OPTIONS, "https://any.test", &before).await.expect(204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
}

#[actix_web::test]
async fn a_gateway_serves_only_its_configured_host_names() {
    let (recorder, base) = Recorder::start();
    let node = start_gateway(&base, &[("W2MEET_SERVER__HOSTS", "meet.example.com, 127.0.0.1")]);
    let client = node.client("gateway");
    for (target, host, kind) in [
        (ANA, "Host: meet.example.com\r\n", "200"),
        (ANA, "Host: MEET.example.com.:8443\r\n", "200"),
        (ANA, "Host: evil.test\r\n", "421 misdirected"),
        (ANA, "Host: meet.example.com.evil.test\r\n", "421 misdirected"),
        (ANA, "Host: a@b\r\n", "400 bad-request"),
        ("http://evil.test/api/users/ana@example.com", "Host: meet.example.com\r\n", "421 misdirected"),
        ("http://meet.example.com/api/users/ana@example.com", "Host: evil.test\r\n", "200"),
    ] {
        let head = format!("GET {target} HTTP/1.1\r\n{host}Connection: close\r\n\r\n");
        let reply = client.send_bytes(head.as_bytes()).await;
        match kind {
            "200" => assert_eq!(reply.status, 200, "{target} {host}"),
            kind => reply.expect_problem(kind, ANA, host),
        }
    }
    let old = client.send_bytes(b"GET /api/users/ana@example.com HTTP/1.0\r\n\r\n").await;
    old.expect_problem("421 misdirected", ANA, "HTTP/1.0 names nobody");
    assert_eq!(recorder.take().len(), 3);
    assert_eq!(client.get("/livez").await.status, 200);
}

#[actix_web::test]
async fn forwarded_addresses_are_trusted_from_known_proxies_alone() {
    let output = "X-Forwarded-For: 203.0.113.7, 198.51.100.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: meet.example.com\r\n\
                X-Real-IP: 6.6.6.6\r\nForwarded: for=198.51.100.9\r\nX-Forwarded-Port: 443\r\n";
    for (trusted, chain, real, proto, host, forwarded) in [
        ("", "127.0.0.1", "127.0.0.1", None, "w2meet.test", None),
        ("10.0.0.0/8", "127.0.0.1", "127.0.0.1", None, "w2meet.test", None),
        (
            "127.0.0.0/8,198.51.100.0/24",
            "203.0.113.7, 198.51.100.9, 127.0.0.1",
            "203.0.113.7",
            Some("https"),
            "meet.example.com",
            Some("for=198.51.100.9"),
        ),
        (
            "127.0.0.1",
            "203.0.113.7, 198.51.100.9, 127.0.0.1",
            "198.51.100.9",
            Some("https"),
            "meet.example.com",
            Some("for=198.51.100.9"),
        ),
    ] {
        let heads = std::rc::Rc::new(std::cell::RefCell::new(String::new()));
        let kept = std::rc::Rc::clone(&heads);
        let base = serve_connections(move |mut stream| {
            let kept = std::rc::Rc::clone(&kept);
            async move {
                if let Some((head, _)) = read_head(&mut stream).await {
                    kept.replace(head.to_ascii_lowercase());
                }
            }
        });
        let node = start_gateway(&base, &[("W2MEET_SERVER__TRUSTED_PROXIES", trusted)]);
        node.client("gateway").send_head("GET", ANA, output).await;
        let head = heads.borrow().clone();
        let field = |name: &str| {
            let values: Vec<&str> = head
                .lines()
                .filter_map(|line| line.split_once(": "))
                .filter(|(one, _)| *one == name)
                .map(|(_, value)| value)
                .collect();
            assert!(values.len() <= 1, "{trusted} {name}: {head}");
            values.first().copied()
        };
        assert_eq!(field("x-forwarded-for"), Some(chain), "{trusted}");
        assert_eq!(field("x-real-ip"), Some(real), "{trusted}");
        assert_eq!(field("x-forwarded-proto"), proto, "{trusted}");
        assert_eq!(field("x-forwarded-host"), Some(host), "{trusted}");
        assert_eq!(field("forwarded"), forwarded, "{trusted}");
    }
}

#[actix_web::test]
async fn security_txt_is_served_if_a_contact_is_configured() {
    let silent = start_gateway(&closed_port_url(), &[]);
    let path = "/.well-known/security.txt";
    silent.client("gateway").get(path).await.expect_problem("404 not-found", path, "nothing is set");
    let node = start_gateway(&closed_port_url(), &[("W2MEET_SERVER__SECURITY_CONTACT", "mailto:security@example.com")]);
    let reply = node.client("gateway").get(path).await.expect(200);
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    let lines: Vec<&str> = reply.text.lines().collect();
    assert_eq!(lines[0], "Contact: mailto:security@example.com");
    let expires: jiff::Timestamp = lines[1].strip_prefix("Expires: ").and_then(|it| it.parse().ok()).expect("a date");
    let days = (expires.as_second() - jiff::Timestamp::now().as_second()) / 86_400;
    assert!((360..=366).contains(&days), "{days} days");
}

#[actix_web::test]
async fn a_client_of_http_1_0_gets_no_chunks() {
    use tokio::io::AsyncWriteExt;
    let base = serve_connections(move |mut stream| async move {
        while read_head(&mut stream).await.is_some() {
            let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
            drop(stream.write_all(answer).await);
        }
    });
    let node = start_gateway(&base, &[]);
    for fields in ["", "Connection: keep-alive\r\n"] {
        let head = format!("GET {ANA} HTTP/1.0\r\n{fields}\r\n");
        let reply = node.client("gateway").send_bytes(head.as_bytes()).await.expect(200);
        assert_eq!((reply.text.as_str(), reply.header("transfer-encoding")), ("abcde", None), "{fields}");
    }
}
