//! The address of the client, behind trusted proxies.

use std::net::{IpAddr, Ipv6Addr};

use actix_web::dev::RequestHead;
use actix_web::http::header::{HeaderMap, HeaderValue};
use ipnet::IpNet;

/// The header with the addresses that proxies have seen.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// The other headers of proxies about the client.
const OTHER_HEADERS: [&str; 4] = ["forwarded", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port"];

/// The client that an address stands for: an IPv6 client controls a whole /64.
pub fn client_prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() >> 64 << 64)),
        four => four,
    }
}

/// Whether this address is a trusted proxy.
pub fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|network| network.contains(&address))
}

/// The client's address: the peer, or, if the peer is a trusted proxy, the last address in its list that is not trusted. Entries
/// further left may be forged.
pub fn client_address(head: &RequestHead, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = head.peer_addr?.ip().to_canonical();
    Some(match is_trusted(peer, trusted) {
        true => forwarded_client(&head.headers, trusted).unwrap_or(peer),
        false => peer,
    })
}

fn forwarded_client(headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let lists: Vec<&str> = headers.get_all(FORWARDED_FOR).filter_map(|value| value.to_str().ok()).collect();
    let mut nearest = None;
    for text in lists.iter().flat_map(|list| list.split(',')).rev() {
        let Some(address) = parse(text) else { break };
        nearest = Some(address);
        if !is_trusted(address, trusted) {
            break;
        }
    }
    nearest
}

/// Forwards the headers of a trusted proxy about its client, with the proxy's own `address` appended.
pub fn forward_headers(
    head: &RequestHead,
    trusted: &[IpNet],
    address: &HeaderValue,
    mut insert: impl FnMut(&'static str, HeaderValue),
) {
    let lists = head.headers.get_all(FORWARDED_FOR).chain([address]);
    let chain: Vec<&str> = lists.filter_map(|list| list.to_str().ok()).collect();
    let client = client_address(head, trusted).map(|client| client.to_string());
    for (name, text) in [(FORWARDED_FOR, Some(chain.join(", "))), ("x-real-ip", client)] {
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
            insert(name, value);
        }
    }
    for name in OTHER_HEADERS {
        if let Some(value) = head.headers.get(name) {
            insert(name, value.clone());
        }
    }
}

/// Parses an address, with or without brackets and port.
fn parse(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse().ok().or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use ipnet::IpNet;

    use super::{client_address, client_prefix};

    #[test]
    fn a_mapped_address_and_a_whole_network_are_one_client() {
        for (address, client) in [
            ("127.0.0.1", "127.0.0.1"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("2001:db8:0:1:ffff::2", "2001:db8:0:1::"),
            ("2001:db8:0:2::1", "2001:db8:0:2::"),
        ] {
            assert_eq!(address.parse().map(client_prefix), client.parse(), "{address}");
        }
    }

    #[test]
    fn only_trusted_proxies_may_name_the_client() {
        let ours: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"].iter().filter_map(|text| text.parse().ok()).collect();
        for (peer, list, expected) in [
            ("203.0.113.9:1", "198.51.100.7", "203.0.113.9"),
            ("10.0.0.1:1", "198.51.100.7", "198.51.100.7"),
            ("10.0.0.1:1", "1.1.1.1, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
            ("10.0.0.1:1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("10.0.0.1:1", "", "10.0.0.1"),
            ("10.0.0.1:1", "unknown", "10.0.0.1"),
            ("10.0.0.1:1", "198.51.100.7, unknown, 10.0.0.2", "10.0.0.2"),
            ("10.0.0.1:1", "198.51.100.7:4711", "198.51.100.7"),
            ("[fd00::1]:1", "[2001:db8::5]:80", "2001:db8::5"),
            ("[::ffff:10.0.0.1]:1", "::ffff:198.51.100.7", "198.51.100.7"),
        ] {
            let request = TestRequest::default().peer_addr(peer.parse().unwrap_or(([0, 0, 0, 0], 0).into()));
            let request = request.insert_header(("x-forwarded-for", list)).to_http_request();
            let found = client_address(request.head(), &ours).map(|address| address.to_string());
            assert_eq!(found.as_deref(), Some(expected), "{peer} forwards {list}");
        }
    }
}
