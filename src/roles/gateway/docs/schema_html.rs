//! What a schema says, in words of HTML.

use serde_json::Value;

use crate::platform::http::html::escaped;

/// A longer one tells people nothing that the description does not.
const LONGEST_PATTERN: usize = 60;

/// A text that is there, or nothing.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// As code.
pub fn code(name: &str) -> String {
    format!("<code>{}</code>", escaped(name))
}

/// A description: what stands between backticks is code.
pub fn said(value: &Value) -> String {
    let parts = text(value).split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 1 { code(part) } else { escaped(part) }).collect()
}

/// What a value may be.
pub fn kind(schema: &Value) -> String {
    if let Some(target) = schema["$ref"].as_str() {
        let name = escaped(target.rsplit('/').next().unwrap_or_default());
        return format!("<a href=\"#s-{name}\">{name}</a>");
    }
    for (key, between) in [("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")] {
        if let Some(parts) = schema[key].as_array() {
            return parts.iter().map(kind).collect::<Vec<_>>().join(between);
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        let shown = |value: &Value| code(value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str());
        return values.iter().map(shown).collect::<Vec<_>>().join(" ");
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().map(text).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let words: Vec<String> = types.iter().map(|name| plain(name, schema)).collect();
    let mut words = words.join(" or ");
    if let Some(pattern) = schema["pattern"].as_str().filter(|pattern| pattern.len() <= LONGEST_PATTERN) {
        words.push_str(&format!(" like {}", code(pattern)));
    }
    words
}

fn plain(name: &str, schema: &Value) -> String {
    match name {
        "array" => format!("list of {}{}", kind(&schema["items"]), bounds(schema, "minItems", "maxItems")),
        "object" if schema["properties"].is_null() && schema["additionalProperties"].is_object() => {
            format!("object of {}", kind(&schema["additionalProperties"]))
        }
        "object" => "object".to_owned(),
        "string" => {
            let format = schema["format"].as_str().map_or_else(String::new, |format| format!(" ({})", escaped(format)));
            let of = if format.is_empty() { bounds(schema, "minLength", "maxLength") } else { format };
            format!("text{of}")
        }
        "integer" | "number" => {
            let step = schema["multipleOf"].as_i64().map_or_else(String::new, |step| format!(", in steps of {step}"));
            format!("number{}{step}", bounds(schema, "minimum", "maximum"))
        }
        other => escaped(other),
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
