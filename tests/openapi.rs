//! The OpenAPI document compared with the running product: paths, methods, problems, examples.
//!
//! An endpoint is described in its row of the table of endpoints of its role.

use std::collections::{BTreeMap, BTreeSet};

use awc::http::Method;
use serde_json::{Map, Value, json};

use w2meet::config::AuthMode;
use w2meet::platform::role::problem_types;
use w2meet::platform::role::public_endpoints;
use w2meet::roles::ALL;

use crate::both_shapes;
use crate::support::{Client, Cluster};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

fn document() -> Value {
    document_at("")
}

/// The document of a server at this address.
fn document_at(address: &str) -> Value {
    serde_json::to_value(w2meet::roles::gateway::description(ALL, AuthMode::Open, address)).expect("JSON")
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().expect("an object")
}

/// Every operation, with its path and method.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = object(&document["paths"]).iter();
    paths
        .flat_map(|(path, item)| object(item).iter().map(move |(method, op)| (path.as_str(), method.as_str(), op)))
        .collect()
}

/// A path with something in the place of its variables.
fn filled(path: &str) -> String {
    let id = "0198c0de-7b1e-7cc3-a8d3-2f3b5c0f9a11";
    path.replace("{user}", "ana@example.com").replace("{id}", id).replace("{name}", "work")
}

#[test]
fn every_public_endpoint_is_described() {
    let undescribed = public_endpoints(ALL).into_iter().filter(|endpoint| endpoint.operation().is_none());
    // another spelling of a path is the same path
    let paths: Vec<&str> = undescribed.map(|one| one.path).filter(|path| !path.contains("cache_aside")).collect();
    assert_eq!(paths, Vec::<&str>::new());
}

#[test]
fn the_document_holds_together() {
    let document = document();
    let text = document.to_string();
    assert_eq!(document["openapi"], "3.1.0");
    let mut ids = BTreeSet::new();
    for (path, method, op) in operations(&document) {
        assert!(ids.insert(op["operationId"].as_str().expect("an id")), "{method} {path}: its id stands there twice");
        assert!(op["summary"].is_string() && op["tags"][0] != "", "{method} {path}");
        assert!(op["security"].is_array(), "{method} {path}: whether it needs a token is said");
        assert!(
            op["description"].as_str().is_some_and(|text| text.contains("may do this") || text.contains("Needs ")),
            "{method} {path}"
        );
        let variables: Vec<&str> = path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        let parameters = op["parameters"].as_array().into_iter().flatten();
        let named: Vec<&str> =
            parameters.filter(|one| one["in"] == "path").filter_map(|one| one["name"].as_str()).collect();
        assert_eq!(named, variables, "{method} {path}");
    }
    for target in text.split(r##""$ref":"#"##).skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document.pointer(target).is_some(), "{target} is named, and not there");
    }
    // what links name is there
    for target in text.split(r#""operationId":""#).skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(ids.contains(target), "{target}");
    }
    let slugs: BTreeSet<String> = problem_types(ALL).map(|kind| kind.slug.to_owned()).collect();
    assert_eq!(object(&document["components"]["responses"]).keys().cloned().collect::<BTreeSet<_>>(), slugs);
}

#[test]
fn the_manual_lists_every_problem_type_with_its_status() {
    let manual = include_str!("../docs/API.md");
    for kind in problem_types(ALL) {
        let row = format!("| `/problems/{}` | {} |", kind.slug, kind.status);
        assert!(manual.contains(&row), "docs/API.md has no row {row}");
    }
}

#[test]
fn no_two_schemas_have_one_name() {
    let operations = public_endpoints(ALL).into_iter().filter_map(|endpoint| endpoint.operation());
    let all: Vec<_> = operations.flat_map(|operation| operation.schemas).collect();
    let mut known: BTreeMap<&str, Value> = BTreeMap::new();
    for (name, schema) in &all {
        let schema = serde_json::to_value(schema).expect("JSON");
        assert_eq!(*known.entry(name).or_insert(schema.clone()), schema, "{name} means two things");
    }
}

#[test]
fn the_command_prints_the_document() {
    let printed =
        crate::support::cluster::command().env("W2MEET_AUTH__MODE", "open").arg("openapi").output().expect("it runs");
    assert_eq!(serde_json::from_slice::<Value>(&printed.stdout).expect("JSON"), document());
}

both_shapes! {
    with &[("W2MEET_SERVER__SECURITY_CONTACT", "mailto:security@example.com")];

    async fn the_methods_of_each_path_are_those_that_it_serves(cluster) {
        let document = document();
        for (path, item) in object(&document["paths"]) {
            let described: BTreeSet<String> = object(item).keys().map(|method| method.to_ascii_uppercase()).collect();
            let other = METHODS.iter().find(|method| !item[**method].is_object()).expect("no path takes all methods");
            let method = Method::from_bytes(other.to_ascii_uppercase().as_bytes()).expect("a method");
            let refused = cluster.send(method, &filled(path), &[], None).await;
            assert_eq!(refused.status, 405, "{other} {path}: {}", refused.text);
            let allowed = refused.header("allow").unwrap_or_default().split(',').map(|one| one.trim().to_owned());
            let allowed = allowed.filter(|one| METHODS.contains(&one.to_ascii_lowercase().as_str()));
            assert_eq!(allowed.collect::<BTreeSet<_>>(), described, "{path}");
        }
    }

    async fn the_document_is_served_once_and_known_by_its_tag(cluster) {
        let first = cluster.get("/openapi.json").await.expect(200);
        assert_eq!(first.header("content-type"), Some("application/json"));
        let address = first.json["servers"][0]["url"].as_str().expect("an address");
        assert_eq!(first.json, document_at(address));
        assert_eq!(address.rsplit(':').next(), cluster.base().rsplit(':').next(), "the port of this server");
        let page = cluster.get("/docs").await.expect(200).text;
        assert!(page.contains(&format!("curl &#39;{address}/api")) || page.contains(&format!("curl '{address}/api")), "curl commands call this server");
        assert!(page.contains("\u{2026}") && page.contains("Every caller may do this"), "examples, and who may call");
        let tag = first.header("etag").expect("a tag");
        let again = cluster.send(Method::GET, "/openapi.json", &[("if-none-match", tag)], None).await.expect(304);
        assert_eq!((again.text.as_str(), again.header("etag")), ("", Some(tag)));
        for path in ["/openapi.json", "/docs"] {
            let none = cluster.send(Method::GET, path, &[("if-none-match", "no tag")], None).await;
            none.expect_problem("400 bad-request", path, "what is no entity tag is refused here as anywhere");
        }
    }

    async fn every_example_works_with_the_people_of_the_demo(cluster) {
        demo(cluster);
        let document = document();
        let mut tried = 0;
        for (path, method, op) in operations(&document) {
            let Some(request) = Example::of(path, method, op) else { continue };
            let reply = request.send(cluster).await;
            assert!(reply.status < 300, "{method} {path}: {} {}", reply.status, reply.text);
            let described = &op["responses"][reply.status.to_string()]["content"]["application/json"]["schema"];
            if !described.is_null() {
                let unknown = undescribed(&document, described, &reply.json, "");
                assert_eq!(unknown, Vec::<String>::new(), "{method} {path} answers what is not described");
            }
            tried += 1;
        }
        assert!(tried > 25, "only {tried}");
    }
}

fn demo(cluster: &Cluster) {
    let ran = crate::support::cluster::command().args(["demo", "--url", cluster.base()]).output().expect("it runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

/// A request made of the examples of an operation.
struct Example {
    method: Method,
    path: String,
    body: Option<String>,
}

impl Example {
    /// `None` where something is required that has no example, or one must sign in.
    fn of(path: &str, method: &str, op: &Value) -> Option<Example> {
        let (mut path, mut query) = (path.to_owned(), Vec::new());
        for parameter in op["parameters"].as_array().into_iter().flatten() {
            let (name, example) = (parameter["name"].as_str()?, &parameter["example"]);
            let texts: Vec<&str> = match example {
                Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
                one => one.as_str().into_iter().collect(),
            };
            match parameter["in"].as_str()? {
                "path" => path = path.replace(&format!("{{{name}}}"), texts.first()?),
                "query" => query.extend(texts.iter().map(|text| format!("{name}={text}"))),
                _ => {}
            }
            if parameter["required"] == true && texts.is_empty() {
                return None;
            }
        }
        let example = &op["requestBody"]["content"]["application/json"]["example"];
        if example.is_null() && !op["requestBody"].is_null() || method == "delete" || op["security"] != json!([]) {
            return None;
        }
        let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).ok()?;
        let body = (!example.is_null()).then(|| example.to_string());
        Some(Example { method, path: format!("{path}?{}", query.join("&")), body })
    }

    async fn send(self, client: &Client) -> crate::support::Reply {
        let kind = [("content-type", "application/json")];
        let headers: &[(&str, &str)] = if self.body.is_some() { &kind } else { &[] };
        client.send(self.method, self.path.trim_end_matches('?'), headers, self.body.map(String::into_bytes)).await
    }
}

/// The members of an answer that its schema does not know.
fn undescribed(document: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let schema = match schema["$ref"].as_str() {
        Some(target) => document.pointer(target.trim_start_matches('#')).expect("it is there"),
        None => schema,
    };
    let parts = |key: &str| schema[key].as_array().into_iter().flatten();
    if schema["oneOf"].is_array() {
        let each: Vec<_> = parts("oneOf").map(|one| undescribed(document, one, value, at)).collect();
        return each.into_iter().min_by_key(Vec::len).unwrap_or_default();
    }
    match value {
        Value::Object(members) => {
            let all: Vec<&Value> = std::iter::once(schema).chain(parts("allOf")).collect();
            let find = |name: &str| {
                all.iter().find_map(|one| {
                    let one = match one["$ref"].as_str() {
                        Some(target) => document.pointer(target.trim_start_matches('#')).expect("it is there"),
                        None => one,
                    };
                    Some(&one["properties"][name]).filter(|found| !found.is_null())
                })
            };
            let free = schema["properties"].is_null() && schema["allOf"].is_null() && schema["type"] != json!("null");
            let known = |(name, inner): (&String, &Value)| match find(name) {
                Some(found) => undescribed(document, found, inner, &format!("{at}/{name}")),
                None if free => Vec::new(),
                None => vec![format!("{at}/{name}")],
            };
            members.iter().flat_map(known).collect()
        }
        Value::Array(items) => {
            items.iter().flat_map(|item| undescribed(document, &schema["items"], item, &format!("{at}/0"))).collect()
        }
        _ => Vec::new(),
    }
}
