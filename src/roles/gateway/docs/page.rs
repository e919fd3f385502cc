//! The page at `/docs`: the whole OpenAPI document as HTML, by tag, each operation in a `details` element. It needs no script.

use maud::{Markup, PreEscaped, html};
use serde_json::Value;

use super::example::example;
use super::schema_html::{code, description, schema_type, text};
use crate::platform::http::page::html_document;

/// The page, with this style sheet.
pub fn render(document: &Value, style: &str) -> String {
    let groups: Vec<Group<'_>> = list(&document["tags"]).map(|tag| Group::new(document, tag)).collect();
    let head = html! {
        meta name="color-scheme" content="light dark";
        style { (PreEscaped(style)) }
    };
    let body = html! {
        body {
            a.skip href="#main" { "Skip to the paths" }
            header {
                h1 { "The API of W2Meet " small { (text(&document["info"]["version"])) } }
                p { (description(&document["info"]["description"])) }
                p {
                    "For programs: " a href="/openapi.json" { "openapi.json" }
                    " (OpenAPI 3.1). The examples work after " code { "w2meet demo" } " has run."
                }
            }
            div.columns {
                nav aria-label="Paths" {
                    @for group in &groups { (group.contents()) }
                    p { a href="#schemas" { "schemas" } }
                }
                main #main tabindex="-1" {
                    @for group in &groups { (group.section(document)) }
                    section aria-labelledby="schemas" {
                        h2 #schemas { "schemas" }
                        p { "The parts of requests and responses." }
                        @for (name, schema) in members(&document["components"]["schemas"]) { (shape(name, schema)) }
                    }
                }
            }
        }
    };
    html_document("The API of W2Meet", &head, &body).into_string()
}

/// The operations of one tag.
struct Group<'a> {
    tag: &'a Value,
    operations: Vec<(&'a str, &'a str, &'a Value)>,
}

impl<'a> Group<'a> {
    fn new(document: &'a Value, tag: &'a Value) -> Group<'a> {
        let all = members(&document["paths"])
            .flat_map(|(path, item)| members(item).map(move |(method, op)| (path, method, op)));
        Group { tag, operations: all.filter(|(.., op)| op["tags"][0] == tag["name"]).collect() }
    }

    fn name(&self) -> &'a str {
        text(&self.tag["name"])
    }

    fn anchor(&self) -> String {
        self.name().replace(' ', "-")
    }

    fn contents(&self) -> Markup {
        html! {
            p { a href={ "#" (self.anchor()) } { (self.name()) } }
            ul {
                @for (path, method, op) in &self.operations {
                    li { a href={ "#" (text(&op["operationId"])) } { (badge(method)) " " span { (path) } } }
                }
            }
        }
    }

    fn section(&self, document: &Value) -> Markup {
        html! {
            section aria-labelledby=(self.anchor()) {
                h2 id=(self.anchor()) { (self.name()) }
                p { (description(&self.tag["description"])) }
                @for (path, method, op) in &self.operations { (operation(document, path, method, op)) }
            }
        }
    }
}

fn badge(method: &str) -> Markup {
    html! { b class=(method) { (method.to_ascii_uppercase()) } }
}

fn operation(document: &Value, path: &str, method: &str, op: &Value) -> Markup {
    html! {
        details {
            summary {
                (badge(method)) " " code {
                    // a long path may wrap before each slash
                    @for (index, part) in path.split('/').enumerate() {
                        @if index > 0 { wbr; "/" }
                        (part)
                    }
                }
                @if op["deprecated"] == true { " " i { "deprecated" } }
                " " span { (description(&op["summary"])) }
            }
            div.op id=(text(&op["operationId"])) {
                @if op["description"].is_string() { p { (description(&op["description"])) } }
                pre tabindex="0" { code { (curl(text(&document["servers"][0]["url"]), path, method, op)) } }
                (table("Parameters", list(&op["parameters"]).map(parameter).collect()))
                (table("Body", members(&op["requestBody"]["content"]).map(body).collect()))
                (table("Responses", members(&op["responses"]).map(|(status, it)| response(document, status, it)).collect()))
            }
        }
    }
}

fn table(title: &str, rows: Vec<Markup>) -> Markup {
    html! {
        @if !rows.is_empty() {
            h4 { (title) }
            table { @for row in &rows { (row) } }
        }
    }
}

fn body((media, content): (&str, &Value)) -> Markup {
    html! { tr { th scope="row" { (code(media)) } td { (schema_type(&content["schema"])) } } }
}

fn parameter(one: &Value) -> Markup {
    html! {
        tr {
            th scope="row" {
                (code(text(&one["name"])))
                @if one["required"] == true { " " em { "required" } }
            }
            td {
                @if one["in"] == "header" { "header: " }
                (schema_type(&one["schema"])) br; (description(&one["description"]))
            }
        }
    }
}

fn response(document: &Value, status: &str, response: &Value) -> Markup {
    let (response, is_shared) = match response["$ref"].as_str() {
        Some(target) => (document.pointer(target.trim_start_matches('#')).unwrap_or(response), true),
        None => (response, false),
    };
    let is_problem = is_shared || members(&response["content"]).any(|(media, _)| media == "application/problem+json");
    html! {
        tr class=[is_problem.then_some("problem")] {
            th scope="row" { (status) }
            td {
                (description(&response["description"]))
                @if !is_problem {
                    @for (media, content) in members(&response["content"]) {
                        br; (code(media)) ": " (schema_type(&content["schema"]))
                        @if media == "application/json" && status.starts_with('2') {
                            pre tabindex="0" { code { (pretty(&example(document, &content["schema"]))) } }
                        }
                    }
                }
                @for (name, header) in members(&response["headers"]).filter(|(_, header)| header["$ref"].is_null()) {
                    br; (code(name)) ": " (description(&header["description"]))
                }
            }
        }
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// A curl command with the example values of the operation.
fn curl(server: &str, path: &str, method: &str, op: &Value) -> String {
    let (mut path, mut query) = (path.to_owned(), Vec::new());
    for one in list(&op["parameters"]) {
        let name = text(&one["name"]);
        let values: Vec<&str> = match &one["example"] {
            Value::Array(items) => items.iter().map(text).collect(),
            item => item.as_str().into_iter().collect(),
        };
        match text(&one["in"]) {
            "path" => path = values.first().map_or(path.clone(), |value| path.replace(&format!("{{{name}}}"), value)),
            "query" => query.extend(values.iter().map(|value| format!("{name}={value}"))),
            _ => {}
        }
    }
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let verb = match method {
        "get" => String::new(),
        "post" if !op["requestBody"].is_null() => String::new(),
        other => format!("-X {} ", other.to_ascii_uppercase()),
    };
    let example = &op["requestBody"]["content"]["application/json"]["example"];
    let body = match (example, &op["requestBody"]) {
        (Value::Null, Value::Null) => String::new(),
        // the table of schemas describes the body
        (Value::Null, _) => " \\\n  --json '{…}'".to_owned(),
        (example, _) => format!(" \\\n  --json '{example}'"),
    };
    let signed_in = list(&op["security"]).any(|needed| members(needed).next().is_some());
    let token = if signed_in { " \\\n  -H \"Authorization: Bearer $W2MEET_TOKEN\"" } else { "" };
    format!("curl {verb}'{}{path}{query}'{token}{body}", server.trim_end_matches('/'))
}

/// A schema by its name.
fn shape(name: &str, schema: &Value) -> Markup {
    let required: Vec<&str> = list(&schema["required"]).map(text).collect();
    html! {
        details {
            summary { (code(name)) }
            div.op id={ "s-" (name) } {
                p { (description(&schema["description"])) }
                @if members(&schema["properties"]).next().is_none() {
                    p { (schema_type(schema)) }
                } @else {
                    table {
                        @for (name, inner) in members(&schema["properties"]) {
                            tr {
                                th scope="row" {
                                    (code(name))
                                    @if required.contains(&name) { " " em { "required" } }
                                }
                                td {
                                    (schema_type(inner))
                                    @if inner["description"].is_string() { br; (description(&inner["description"])) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}
