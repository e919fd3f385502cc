//! Parts of the document that many operations share.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{Content, ContentBuilder, Ref, RefOr};

use crate::platform::http::problem::{HEADERS_TOO_LARGE, ProblemType};

/// The content type of problems.
pub(super) const PROBLEM: &str = "application/problem+json";

/// A problem as content.
pub(super) fn problem() -> Content {
    ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build()
}

/// The response to a request that is refused for one of these problems, which share their status.
pub fn refusal(kinds: &[&'static ProblemType]) -> ResponseBuilder {
    let lines: Vec<String> = kinds.iter().map(|kind| format!("`{}`: {}", kind.slug, kind.title)).collect();
    let answer = ResponseBuilder::new().description(lines.join("; "));
    if kinds.contains(&HEADERS_TOO_LARGE) {
        // the connection may be closed before a problem document can be sent
        return answer;
    }
    let answer = answer.content(PROBLEM, problem()).header_ref("Case-ID", header("Case-ID"));
    let own = |name: &'static str, about: &'static str| {
        (name, HeaderBuilder::new().schema(Some(text())).description(Some(about)).build())
    };
    let more = match kinds[0].status {
        401 => own("WWW-Authenticate", "The authentication that is needed."),
        405 => own("Allow", "The methods of this path."),
        429 | 503 => own("Retry-After", "Seconds until a retry."),
        _ => return answer,
    };
    answer.header(more.0, more.1)
}

/// A reference to a shared header.
pub(super) fn header(name: &str) -> Ref {
    Ref::new(format!("#/components/headers/{name}"))
}

/// The schema of a text, to be completed.
pub fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

pub(super) fn tags() -> ObjectBuilder {
    let list = r#"^(\*|(W/)?"[^",]*"(, (W/)?"[^",]*")*)$"#;
    text().format(Some(SchemaFormat::Custom("entity-tags".to_owned()))).pattern(Some(list)).examples(["\"3\""])
}

/// Removes null from a schema: a parameter of a query is absent instead.
pub(super) fn without_null(schema: RefOr<Schema>) -> RefOr<Schema> {
    let plain = |of: SchemaType| match of {
        SchemaType::Array(types) => match types.as_slice() {
            [one, Type::Null] | [Type::Null, one] => SchemaType::Type(one.clone()),
            _ => SchemaType::Array(types),
        },
        one => one,
    };
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            object.schema_type = plain(object.schema_type);
            RefOr::T(Schema::Object(object))
        }
        RefOr::T(Schema::Array(mut array)) => {
            array.schema_type = plain(array.schema_type);
            RefOr::T(Schema::Array(array))
        }
        RefOr::T(Schema::OneOf(mut one)) => {
            let null = SchemaType::Type(Type::Null);
            one.items.retain(|item| !matches!(item, RefOr::T(Schema::Object(of)) if of.schema_type == null));
            match one.items.len() {
                1 => one.items.remove(0),
                _ => RefOr::T(Schema::OneOf(one)),
            }
        }
        other => other,
    }
}
