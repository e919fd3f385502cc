//! Examples of responses, made from their schemas.

use serde_json::{Map, Value, json};

/// Schemas inside schemas: a schema may contain itself.
const MAX_DEPTH: usize = 12;

/// An example of a value with this schema of the document.
pub fn example(document: &Value, schema: &Value) -> Value {
    example_at(document, schema, 0)
}

fn example_at(document: &Value, schema: &Value, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return Value::Null;
    }
    if let Some(target) = schema["$ref"].as_str() {
        let target = document.pointer(target.trim_start_matches('#')).unwrap_or(&Value::Null);
        return example_at(document, target, depth + 1);
    }
    let given = [&schema["example"], &schema["examples"][0], &schema["default"], &schema["enum"][0]];
    if let Some(value) = given.into_iter().find(|value| !value.is_null()) {
        return value.clone();
    }
    let parts = |key: &str| schema[key].as_array().map_or(&[][..], Vec::as_slice);
    let choices = [parts("oneOf"), parts("anyOf")].concat();
    if let Some(choice) = choices.iter().find(|one| one["type"] != "null") {
        return example_at(document, choice, depth + 1);
    }
    match type_of(schema) {
        "object" => object(document, schema, depth),
        "array" => json!([example_at(document, &schema["items"], depth + 1)]),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(1)),
        "boolean" => json!(true),
        "string" => json!(text(schema)),
        _ => Value::Null,
    }
}

/// The type, or the first of several that is not null.
fn type_of(schema: &Value) -> &str {
    let types = schema["type"].as_array().map_or(&[][..], Vec::as_slice);
    let first = types.iter().filter_map(Value::as_str).find(|name| *name != "null");
    first.or(schema["type"].as_str()).unwrap_or(if schema["properties"].is_object() { "object" } else { "" })
}

fn object(document: &Value, schema: &Value, depth: usize) -> Value {
    let properties = schema["properties"].as_object().into_iter().flatten();
    let members = properties.map(|(name, inner)| (name.clone(), example_at(document, inner, depth + 1)));
    members.collect::<Map<String, Value>>().into()
}

fn text(schema: &Value) -> &'static str {
    match schema["format"].as_str().unwrap_or_default() {
        "date-time" => "2026-11-23T09:00:00+01:00",
        "date" => "2026-11-23",
        "idn-email" => "ana@example.com",
        "time-range" => "09:00-17:00",
        "time-zone" => "Europe/Lisbon",
        "uuid" => "0198c0de-7b1e-7cc3-a8d3-2f3b5c0f9a11",
        _ => "…",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::example;

    #[test]
    fn an_example_follows_references_and_formats() {
        let document = json!({ "components": { "schemas": {
            "Who": { "type": "object", "properties": { "email": { "type": "string", "format": "idn-email" } } },
            "Loop": { "type": "object", "properties": { "next": { "$ref": "#/components/schemas/Loop" } } },
        } } });
        let of = |schema| example(&document, &schema);
        let who = json!({ "email": "ana@example.com" });
        assert_eq!(of(json!({ "$ref": "#/components/schemas/Who" })), who);
        assert_eq!(
            of(json!({ "type": ["array", "null"], "items": { "$ref": "#/components/schemas/Who" } })),
            json!([who])
        );
        assert_eq!(of(json!({ "oneOf": [{ "type": "null" }, { "type": "integer", "minimum": 15 }] })), 15);
        assert_eq!(of(json!({ "type": "string", "enum": ["first", "last"] })), "first");
        assert!(of(json!({ "$ref": "#/components/schemas/Loop" })).is_object());
    }
}
