//! The page at `/docs`: the whole document as HTML, by groups, each path to be opened. Links and the keyboard are all it needs.

use serde_json::Value;

use super::schema_html::{code, kind, said, text};
use crate::platform::http::html::escaped;

/// The page, with this style sheet.
pub fn render(document: &Value, style: &str) -> String {
    let groups: Vec<Group<'_>> = list(&document["tags"]).map(|tag| Group::of(document, tag)).collect();
    let nav: String = groups.iter().map(Group::contents).collect();
    let body: String = groups.iter().map(|group| group.section(document)).collect();
    let schemas: String =
        members(&document["components"]["schemas"]).map(|(name, schema)| shape(name, schema)).collect();
    format!(
        include_str!("page.html"),
        style = style,
        version = escaped(text(&document["info"]["version"])),
        about = said(&document["info"]["description"]),
        nav = nav,
        body = body,
        schemas = schemas,
    )
}

/// The paths of one tag.
struct Group<'a> {
    name: &'a str,
    about: String,
    ops: Vec<(&'a str, &'a str, &'a Value)>,
}

impl<'a> Group<'a> {
    fn of(document: &'a Value, tag: &'a Value) -> Group<'a> {
        let all = members(&document["paths"])
            .flat_map(|(path, item)| members(item).map(move |(method, op)| (path, method, op)));
        let ops = all.filter(|(.., op)| op["tags"][0] == tag["name"]).collect();
        Group { name: text(&tag["name"]), about: said(&tag["description"]), ops }
    }

    fn anchor(&self) -> String {
        self.name.replace(' ', "-")
    }

    fn contents(&self) -> String {
        let line = |(path, method, op): &(&str, &str, &Value)| {
            let id = text(&op["operationId"]);
            format!("<li><a href=\"#{id}\">{} <span>{}</span></a></li>", badge(method), escaped(path))
        };
        let lines: String = self.ops.iter().map(line).collect();
        format!("<p><a href=\"#{}\">{}</a></p><ul>{lines}</ul>", self.anchor(), escaped(self.name))
    }

    fn section(&self, document: &Value) -> String {
        let ops: String = self.ops.iter().map(|(path, method, op)| operation(document, path, method, op)).collect();
        format!(
            "<section aria-labelledby=\"{0}\"><h2 id=\"{0}\">{1}</h2><p>{2}</p>{ops}</section>",
            self.anchor(),
            escaped(self.name),
            self.about
        )
    }
}

fn badge(method: &str) -> String {
    format!("<b class=\"{method}\">{}</b>", method.to_ascii_uppercase())
}

fn operation(document: &Value, path: &str, method: &str, op: &Value) -> String {
    let old = if op["deprecated"] == true { " <i>old</i>" } else { "" };
    let mut inside = format!("<div id=\"{}\" class=\"op\">", text(&op["operationId"]));
    if op["description"].is_string() {
        inside.push_str(&format!("<p>{}</p>", said(&op["description"])));
    }
    if op["security"].is_array() {
        let schemes = list(&op["security"]).flat_map(members).map(|(name, _)| code(name));
        inside.push_str(&format!("<p>Needs {}.</p>", schemes.collect::<Vec<_>>().join(" or ")));
    }
    inside.push_str(&format!("<pre tabindex=\"0\"><code>{}</code></pre>", escaped(&curl(path, method, op))));
    let parameters: String = list(&op["parameters"]).map(parameter).collect();
    inside.push_str(&table("Parameters", &parameters));
    let bodies = members(&op["requestBody"]["content"]).map(|(media, content)| {
        format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>", code(media), kind(&content["schema"]))
    });
    inside.push_str(&table("Body", &bodies.collect::<String>()));
    let answers: String =
        members(&op["responses"]).map(|(status, answer)| answered(document, status, answer)).collect();
    inside.push_str(&table("Answers", &answers));
    format!(
        "<details><summary>{} <code>{}</code>{old} <span>{}</span></summary>{inside}</div></details>",
        badge(method),
        escaped(path).replace('/', "<wbr>/"),
        said(&op["summary"])
    )
}

fn table(title: &str, rows: &str) -> String {
    match rows {
        "" => String::new(),
        rows => format!("<h4>{title}</h4><table>{rows}</table>"),
    }
}

fn parameter(one: &Value) -> String {
    let need = if one["required"] == true { " <em>required</em>" } else { "" };
    let place = match text(&one["in"]) {
        "header" => "a header: ",
        _ => "",
    };
    format!(
        "<tr><th scope=\"row\">{}{need}</th><td>{place}{}<br>{}</td></tr>",
        code(text(&one["name"])),
        kind(&one["schema"]),
        said(&one["description"])
    )
}

fn answered(document: &Value, status: &str, answer: &Value) -> String {
    let (answer, shared) = match answer["$ref"].as_str() {
        Some(target) => (document.pointer(target.trim_start_matches('#')).unwrap_or(answer), true),
        None => (answer, false),
    };
    let problem = |content: &&str| *content == "application/problem+json";
    let problems = shared || members(&answer["content"]).map(|(media, _)| media).any(|media| problem(&media));
    let mut what = said(&answer["description"]);
    if !problems {
        for (media, content) in members(&answer["content"]) {
            what.push_str(&format!("<br>{}: {}", code(media), kind(&content["schema"])));
        }
    }
    for (name, header) in members(&answer["headers"]).filter(|(_, header)| header["$ref"].is_null()) {
        what.push_str(&format!("<br>{}: {}", code(name), said(&header["description"])));
    }
    let class = if problems { " class=\"problem\"" } else { "" };
    format!("<tr{class}><th scope=\"row\">{}</th><td>{what}</td></tr>", escaped(status))
}

/// The request that the examples make.
fn curl(path: &str, method: &str, op: &Value) -> String {
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
        // what is in it stands in the table beside
        (Value::Null, _) => " \\\n  --json '{…}'".to_owned(),
        (example, _) => format!(" \\\n  --json '{example}'"),
    };
    let signed_in = list(&op["security"]).next().is_some();
    let token = if signed_in { " \\\n  -H \"Authorization: Bearer $W2MEET_TOKEN\"" } else { "" };
    format!("curl {verb}'localhost:8080{path}{query}'{token}{body}")
}

/// A schema by its name.
fn shape(name: &str, schema: &Value) -> String {
    let required: Vec<&str> = list(&schema["required"]).map(text).collect();
    let row = |(name, inner): (&str, &Value)| {
        let need = if required.contains(&name) { " <em>required</em>" } else { "" };
        format!("<tr><th scope=\"row\">{}{need}</th><td>{}</td></tr>", code(name), described(inner))
    };
    let rows: String = members(&schema["properties"]).map(row).collect();
    let inside = if rows.is_empty() { format!("<p>{}</p>", kind(schema)) } else { format!("<table>{rows}</table>") };
    format!(
        "<details><summary><code>{0}</code></summary><div id=\"s-{0}\" class=\"op\"><p>{1}</p>{inside}</div></details>",
        escaped(name),
        said(&schema["description"])
    )
}

fn described(schema: &Value) -> String {
    match schema["description"].as_str() {
        Some(_) => format!("{}<br>{}", kind(schema), said(&schema["description"])),
        None => kind(schema),
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}
