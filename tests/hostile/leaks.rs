//! No response reveals the address of a role, not even when the role is unavailable.

use awc::http::Method;

use crate::support::{Cluster, Reply, public_endpoints};

const ID: &str = "0198f3c2-6d1e-7c05-9b1f-5a7d3e2c4b60";
/// Paths without an endpoint.
const MORE: [(&str, &str); 7] = [
    ("GET", "/users/health"),
    ("GET", "/worker/health"),
    ("GET", "/users/users/ana@example.com"),
    ("GET", "/suggestion/suggestions?userId1=ana@example.com&userId2=ben@example.com"),
    ("GET", "/nothing"),
    ("PATCH", "/api/users"),
    ("OPTIONS", "/api/meetings"),
];

/// The responses that contain one of these addresses. The gateway's own address `base` is known to the caller.
fn response<'a>(reply: &Reply, base: &str, places: &'a [String]) -> Option<&'a String> {
    let head = reply.headers.iter().map(|(name, value)| format!("{name}: {value}"));
    let all: Vec<String> = head.chain([reply.text.replace(base, "")]).collect();
    places.iter().find(|place| all.iter().any(|text| text.contains(*place)))
}

async fn leaks(cluster: &Cluster, places: &[String], when: &str) -> Vec<String> {
    let mut found = Vec::new();
    let endpoints = public_endpoints();
    let endpoints = endpoints.iter().map(|endpoint| (endpoint.method.as_str(), endpoint.path));
    for (method, path) in endpoints.chain(MORE).filter(|(_, path)| !path.ends_with("/events")) {
        let path = path.replace("{user}", "ana@example.com").replace("{id}", ID).replace("{name}", "work");
        let method: Method = method.parse().expect("a method");
        for body in [None, Some(b"{}".to_vec()), Some(b"{".to_vec())] {
            let headers = [("content-type", "application/json"), ("host", "meet.example.com")];
            let reply = cluster.send(method.clone(), &path, &headers, body).await;
            if let Some(place) = response(&reply, cluster.base(), places) {
                found.push(format!("{when}: {method} {path} tells {place}: {:?} {}", reply.headers, reply.text));
            }
            assert!(reply.header("case-id").is_some(), "{when}: {method} {path}");
            if method == Method::GET {
                break;
            }
        }
    }
    found
}

#[actix_web::test]
async fn no_response_contains_the_address_of_a_role() {
    let cluster = Cluster::split().await;
    let roles = ["user", "availability", "suggestion", "worker"];
    let nodes = || roles.iter().flat_map(|role| cluster.nodes_of(role).into_iter().map(move |node| (node, *role)));
    let ports = nodes().filter_map(|(node, role)| node.url(role).rsplit_once(':').map(|(_, port)| format!(":{port}")));
    let places: Vec<String> = ports.chain(["127.0.0.1".to_owned()]).collect();
    assert!(places.len() > roles.len());
    let mut found = leaks(&cluster, &places, "all is well").await;
    nodes().for_each(|(node, _)| node.signal("KILL"));
    found.extend(leaks(&cluster, &places, "nobody is there").await);
    assert!(found.is_empty(), "{}", found.join("\n"));
}
