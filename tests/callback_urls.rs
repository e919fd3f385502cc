//! Forbidden callback URLs, in every spelling: refused in the request, or blocked before anything is sent.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;

use rustls::RootCertStore;
use w2meet::config::{Addresses, Networks, Webhooks};
use w2meet::platform::outbound::{Delivery, DeliveryResult, Resolver, Secret, SsrfGuard, WebhookClient};

/// The settings as they are shipped, but for these.
pub fn settings(allow_http: bool, networks: &[&str]) -> Webhooks {
    let networks = Addresses(networks.iter().map(|text| (*text).to_owned()).collect());
    let allow_networks = Networks::try_from(networks).expect("networks");
    Webhooks { allow_http, allow_networks, timeout_seconds: 5.0, per_host: 4 }
}

/// A sender that resolves names by `names`.
pub fn sender(settings: &Webhooks, names: impl Fn(&str) -> Vec<IpAddr> + 'static) -> WebhookClient {
    WebhookClient::with_resolver(settings, Resolver::Scripted(Rc::new(names)), RootCertStore::empty())
        .expect("a sender")
}

/// A small message to this URL.
pub fn message<'a>(url: &'a str, secrets: &'a [Secret]) -> Delivery<'a> {
    Delivery {
        url,
        id: "msg_1",
        body: r#"{"a":1}"#.into(),
        secrets,
        case_id: "case-1",
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
    }
}

const ADDRESS: &str = "public";
const PORT: &str = "port";
const SCHEME: &str = "https://";
const LOGIN: &str = "user";
const ODD: &str = "backslash";

/// What may not be, and a part of the reason.
const FORBIDDEN: [(&str, &str); 82] = [
    // this machine, in every spelling
    ("https://127.0.0.1/", ADDRESS),
    ("https://127.0.0.1:8443/x", ADDRESS),
    ("https://127.255.255.254/", ADDRESS),
    ("https://127.1/", ADDRESS),
    ("https://127.0.1/", ADDRESS),
    ("https://0x7f.1/", ADDRESS),
    ("https://0x7f000001/", ADDRESS),
    ("https://0X7F.0x0.0x0.0x1/", ADDRESS),
    ("https://0177.0.0.1/", ADDRESS),
    ("https://0177.1/", ADDRESS),
    ("https://017700000001/", ADDRESS),
    ("https://2130706433/", ADDRESS),
    ("https://127.0.0.1./", ADDRESS),
    ("https://%31%32%37.0.0.1/", ADDRESS),
    ("https://127。0。0。1/", ADDRESS),
    ("https://１２７．０．０．１/", ADDRESS),
    ("https://⑫⑦.0.0.1/", ADDRESS),
    ("https://0/", ADDRESS),
    ("https://0.0.0.0/", ADDRESS),
    ("https://localhost/", ADDRESS),
    ("https://LOCALHOST/", ADDRESS),
    ("https://localhost:8443/", ADDRESS),
    ("https://localhost./", "dot"),
    ("https://a.localhost/", ADDRESS),
    ("https://a.localhost./", "dot"),
    ("https://ⓛocalhost/", ADDRESS),
    ("https://[::1]/", ADDRESS),
    ("https://[0:0:0:0:0:0:0:1]/", ADDRESS),
    ("https://[::]/", ADDRESS),
    ("https://[::ffff:127.0.0.1]/", ADDRESS),
    ("https://[::ffff:7f00:1]/", ADDRESS),
    ("https://[::127.0.0.1]/", ADDRESS),
    ("https://[::ffff:0:127.0.0.1]/", ADDRESS),
    ("https://[64:ff9b::127.0.0.1]/", ADDRESS),
    ("https://[2002:7f00:1::]/", ADDRESS),
    ("https://[2001:0:7f00:1::]/", ADDRESS),
    // the networks around it
    ("https://10.0.0.1/", ADDRESS),
    ("https://10.1/", ADDRESS),
    ("https://172.16.0.1/", ADDRESS),
    ("https://172.31.255.255/", ADDRESS),
    ("https://192.168.1.1/", ADDRESS),
    ("https://0xc0a80101/", ADDRESS),
    ("https://100.64.0.1/", ADDRESS),
    ("https://[fc00::1]/", ADDRESS),
    ("https://[fd12:3456:789a::1]/", ADDRESS),
    ("https://[fe80::1]/", ADDRESS),
    ("https://[fec0::1]/", ADDRESS),
    ("https://[::ffff:192.168.1.1]/", ADDRESS),
    // what clouds tell their machines
    ("https://169.254.169.254/latest/meta-data/", ADDRESS),
    ("https://2852039166/", ADDRESS),
    ("https://0xa9.0xfe.0xa9.0xfe/", ADDRESS),
    ("https://0251.0376.0251.0376/", ADDRESS),
    ("https://[::ffff:169.254.169.254]/", ADDRESS),
    ("https://[fd00:ec2::254]/", ADDRESS),
    ("https://100.100.100.200/", ADDRESS),
    ("https://168.63.129.16/", ADDRESS),
    ("https://192.0.0.192/", ADDRESS),
    // addresses that no host can have
    ("https://255.255.255.255/", ADDRESS),
    ("https://224.0.0.1/", ADDRESS),
    ("https://240.0.0.1/", ADDRESS),
    ("https://203.0.113.7/", ADDRESS),
    ("https://[2001:db8::1]/", ADDRESS),
    ("https://[ff02::1]/", ADDRESS),
    ("https://[fe80::1%25eth0]/", "invalid IPv6 address"),
    // ports of other services
    ("https://example.com:22/", PORT),
    ("https://example.com:25/", PORT),
    ("https://example.com:6379/", PORT),
    ("https://8.8.8.8:53/", PORT),
    ("https://example.com:80/", PORT),
    ("https://example.com:65536/", "invalid port"),
    // other schemes
    ("http://example.com/", SCHEME),
    ("file:///etc/passwd", SCHEME),
    ("gopher://example.com/_x", SCHEME),
    ("https:example.com", SCHEME),
    ("https:///example.com", SCHEME),
    // URLs that two parsers read as different hosts
    ("https://example.com@127.0.0.1/", LOGIN),
    ("https://user:secret@example.com/", LOGIN),
    ("https://example.com\\@127.0.0.1/", ODD),
    ("https://127.0.0.1\t.example.com/", ODD),
    ("https://exam\nple.com/", ODD),
    (" https://example.com/", ODD),
    ("https://example.com/#part", "fragment"),
];

#[test]
fn forbidden_urls_are_refused_with_a_reason() {
    let guard = SsrfGuard::new(&settings(false, &[]));
    for (url, reason) in FORBIDDEN {
        let why = guard.parse(url).expect_err(url).to_string();
        assert!(why.contains(reason), "{url}: {why}");
    }
    let long = format!("https://example.com/{}", "a".repeat(2048));
    assert!(guard.parse(&long).expect_err("long").to_string().contains("2048"));
}

#[actix_web::test]
async fn a_forbidden_url_in_the_database_gets_no_request() {
    let sender = sender(&settings(false, &[]), |_| panic!("nobody is to be asked"));
    for (url, reason) in FORBIDDEN {
        match sender.send(&message(url, &[Secret::generate()])).await {
            DeliveryResult::Blocked { why } => assert!(why.contains(reason), "{url}: {why}"),
            other => panic!("{url}: {other:?}"),
        }
    }
}

#[test]
fn allowed_urls_are_stored_in_canonical_form() {
    let guard = SsrfGuard::new(&settings(false, &[]));
    for (url, canonical) in [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://Example.COM:443/Hook?x=%20y", "https://example.com/Hook?x=%20y"),
        ("https://example.com:8443/a", "https://example.com:8443/a"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
        ("https://[2606:4700:4700::1111]/", "https://[2606:4700:4700::1111]/"),
        ("https://localhost.example.com/", "https://localhost.example.com/"),
        ("https://10.0.0.1.example.com/", "https://10.0.0.1.example.com/"),
    ] {
        let taken = guard.parse(url).unwrap_or_else(|why| panic!("{url}: {why}"));
        assert_eq!(taken.as_str(), canonical);
        assert_eq!(guard.parse(canonical), Ok(taken), "what is kept is taken again");
    }
    let grows = format!("https://example.com/{}", "é".repeat(1000));
    assert!(guard.parse(&grows).expect_err("long").to_string().contains("percent-encoded"));
    let longest = format!("https://example.com/{}", "a".repeat(2048 - 20));
    assert!(guard.parse(&longest).is_ok());
}

#[test]
fn a_private_installation_may_allow_more() {
    let http = SsrfGuard::new(&settings(true, &[]));
    for (url, is_fine) in
        [("http://example.com/", true), ("http://example.com:8080/", false), ("http://127.0.0.1/", false)]
    {
        assert_eq!(http.parse(url).is_ok(), is_fine, "{url}");
    }
    let own = SsrfGuard::new(&settings(true, &["127.0.0.0/8", "10.1.0.0/16", "fd00::7"]));
    for (url, is_fine) in [
        ("http://127.0.0.1:5000/", true),
        ("http://localhost:5000/", true),
        ("https://[::ffff:127.0.0.1]:5000/", true),
        ("http://10.1.2.3:8080/", true),
        ("http://10.2.0.1:8080/", false),
        ("https://[fd00::7]:99/", true),
        ("https://[fd00::8]/", false),
        ("https://8.8.8.8:22/", false),
        ("https://receiver.internal:9000/", true), // what it means is asked when something is sent
    ] {
        assert_eq!(own.parse(url).is_ok(), is_fine, "{url}");
    }
}

/// Sends to a name that means these addresses.
async fn send_to(port: u16, networks: &[&str], addresses: &'static [&'static str]) -> DeliveryResult {
    let asked = Rc::new(Cell::new(0));
    let count = Rc::clone(&asked);
    let sender = sender(&settings(true, networks), move |_| {
        count.set(count.get() + 1);
        addresses.iter().map(|text| text.parse().expect("an address")).collect()
    });
    let answer = sender.send(&message(&format!("http://hook.example:{port}/"), &[Secret::generate()])).await;
    assert_eq!(asked.get(), 1, "a name is asked for once");
    answer
}

#[actix_web::test]
async fn every_address_of_a_name_must_be_public() {
    for addresses in [
        &["127.0.0.1"][..],
        &["8.8.8.8", "127.0.0.1"],
        &["127.0.0.1", "8.8.8.8"],
        &["::ffff:10.0.0.1"],
        &["2606:4700:4700::1111", "fd00:ec2::254"],
        &["169.254.169.254"],
        &["0.0.0.0"],
    ] {
        // as of a name that does not exist: else the owner of the URL learns the names of a private network
        let (answer, absent) = (send_to(80, &[], addresses).await, send_to(80, &[], &[]).await);
        assert_eq!(answer, absent, "{addresses:?}");
        let is_failure = |why: &str| why.contains(ADDRESS);
        assert!(matches!(&answer, DeliveryResult::Failed { status: None, why, .. } if is_failure(why)), "{answer:?}");
    }
    let answer = send_to(22, &["10.0.0.0/8"], &["8.8.8.8"]).await;
    assert!(matches!(&answer, DeliveryResult::Blocked { why } if why.contains(PORT)), "{answer:?}");
}

#[test]
fn settings_that_cannot_work_are_refused_at_start() {
    let load = |name: &str, value: &str| {
        let set = (format!("W2MEET_WEBHOOKS__{name}"), value.to_owned());
        w2meet::config::load_from(None, std::iter::once(set)).map(|loaded| loaded.settings.webhooks)
    };
    let networks = load("ALLOW_NETWORKS", "10.0.0.0/8, fd00::7").expect("two networks").allow_networks;
    assert_eq!(networks.0.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.0/8", "fd00::7/128"]);
    for (name, value, reason) in [
        ("ALLOW_NETWORKS", "10.0.0.0/99", "10.0.0.0/99"),
        ("ALLOW_NETWORKS", "localhost", "localhost"),
        ("TIMEOUT_SECONDS", "0", "0.001"),
        ("TIMEOUT_SECONDS", "NaN", "0.001"),
        ("PER_HOST", "0", "1"),
    ] {
        let why = format!("{:#}", load(name, value).expect_err(value));
        assert!(why.contains(reason), "{name}={value}: {why}");
    }
}
