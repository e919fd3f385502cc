//! Schemas as HTML.

use maud::{Markup, html};
use serde_json::Value;

/// A longer pattern is not shown: the description is clearer.
const MAX_PATTERN: usize = 60;

/// The text of a value, or an empty one.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A name as code.
pub fn code(name: &str) -> Markup {
    html! { code { (name) } }
}

/// A description; text between backticks is code.
pub fn description(value: &Value) -> Markup {
    html! {
        @for (index, part) in text(value).split('`').enumerate() {
            @if index % 2 == 1 { (code(part)) } @else { (part) }
        }
    }
}

/// The type of a value.
pub fn schema_type(schema: &Value) -> Markup {
    if let Some(target) = schema["$ref"].as_str() {
        let name = target.rsplit('/').next().unwrap_or_default();
        return html! { a href={ "#s-" (name) } { (name) } };
    }
    for (key, separator) in [("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")] {
        if let Some(parts) = schema[key].as_array() {
            return join(parts.iter().map(schema_type), separator);
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        let shown = |value: &Value| code(value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str());
        return join(values.iter().map(shown), " ");
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().map(text).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let pattern = schema["pattern"].as_str().filter(|pattern| pattern.len() <= MAX_PATTERN);
    html! {
        (join(types.iter().map(|name| plain_type(name, schema)), " or "))
        @if let Some(pattern) = pattern { " like " (code(pattern)) }
    }
}

/// The parts with a separator between them.
pub fn join(parts: impl Iterator<Item = Markup>, separator: &str) -> Markup {
    html! {
        @for (index, part) in parts.enumerate() {
            @if index > 0 { (separator) }
            (part)
        }
    }
}

fn plain_type(name: &str, schema: &Value) -> Markup {
    match name {
        "array" => html! { "list of " (schema_type(&schema["items"])) (bounds(schema, "minItems", "maxItems")) },
        "object" if schema["properties"].is_null() && schema["additionalProperties"].is_object() => {
            html! { "object of " (schema_type(&schema["additionalProperties"])) }
        }
        "string" => match schema["format"].as_str() {
            Some(format) => html! { "text (" (format) ")" },
            None => html! { "text" (bounds(schema, "minLength", "maxLength")) },
        },
        "integer" | "number" => html! {
            "number" (bounds(schema, "minimum", "maximum"))
            @if let Some(step) = schema["multipleOf"].as_i64() { ", in steps of " (step) }
        },
        other => html! { (other) },
    }
}

fn bounds(schema: &Value, least: &str, most: &str) -> String {
    match (&schema[least], &schema[most]) {
        (Value::Null, Value::Null) => String::new(),
        (Value::Null, most) => format!(" up to {most}"),
        (least, Value::Null) => format!(" from {least}"),
        (least, most) if least == most => format!(", {least} of them"),
        (least, most) => format!(" from {least} to {most}"),
    }
}
