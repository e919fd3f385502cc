//! Parts of the document that many operations share.

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{Content, ContentBuilder, Ref, RefOr, Required};

use super::Schemas;
use crate::platform::http::problem::{HEADERS_TOO_LARGE, ProblemType};

/// The content type of problems.
pub(super) const PROBLEM: &str = "application/problem+json";

/// A problem as content.
pub(super) fn problem() -> Content {
    ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build()
}

/// The response to a request that is refused for one of these problems, which share their status.
pub fn refusal(kinds: &[&'static ProblemType]) -> ResponseBuilder {
    refusal_as(kinds, PROBLEM, Ref::from_schema_name("Problem").into())
}

/// [`refusal`] with a body of this form.
pub(super) fn refusal_as(kinds: &[&'static ProblemType], media_type: &str, schema: RefOr<Schema>) -> ResponseBuilder {
    let lines: Vec<String> = kinds.iter().map(|kind| format!("`{}`: {}", kind.slug, kind.title)).collect();
    let answer = ResponseBuilder::new().description(lines.join("; "));
    if kinds.contains(&HEADERS_TOO_LARGE) {
        // the connection may be closed before a problem document can be sent
        return answer;
    }
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let answer = answer.content(media_type, content).header_ref("Case-ID", header("Case-ID"));
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
    // RFC 9110, 8.8.3 and 13.1.1: a tag may contain commas, and an element of the list may be empty
    let list = r#"^(\*|[ ,]*(W/)?"[!#-~]*"( *,( *(W/)?"[!#-~]*")?)* *)$"#;
    text().format(Some(SchemaFormat::Custom("entity-tags".to_owned()))).pattern(Some(list)).examples(["\"3\""])
}

/// A parameter of a query, from a field with this schema. It is absent instead of null.
pub(super) fn query_parameter(name: String, mut schema: RefOr<Schema>, is_required: bool) -> Parameter {
    if let RefOr::T(Schema::OneOf(one)) = &mut schema {
        let null = SchemaType::Type(Type::Null);
        one.items.retain(|item| !matches!(item, RefOr::T(Schema::Object(of)) if of.schema_type == null));
        if let [only] = one.items.as_slice() {
            schema = only.clone();
        }
    }
    // what describes the field describes the parameter
    let (description, example) = match &mut schema {
        RefOr::Ref(target) => (Some(std::mem::take(&mut target.description)).filter(|text| !text.is_empty()), None),
        RefOr::T(Schema::Object(object)) => {
            without_null(&mut object.schema_type);
            (object.description.take(), object.example.take())
        }
        RefOr::T(Schema::Array(array)) => {
            without_null(&mut array.schema_type);
            (array.description.take(), array.example.take())
        }
        RefOr::T(_) => (None, None),
    };
    let required = if is_required { Required::True } else { Required::False };
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Query).required(required);
    parameter.description(description).schema(Some(schema)).example(example).build()
}

fn without_null(types: &mut SchemaType) {
    if let SchemaType::Array(all) = types
        && let [one, Type::Null] | [Type::Null, one] = all.as_slice()
    {
        *types = SchemaType::Type(one.clone());
    }
}

/// Makes one object of each schema with flattened parts. The parts are removed.
pub(super) fn flatten(schemas: &mut Schemas) {
    while let Some(index) = schemas.iter().position(|(_, schema)| matches!(schema, RefOr::T(Schema::AllOf(_)))) {
        let (name, RefOr::T(Schema::AllOf(all))) = schemas.swap_remove(index) else { return };
        let mut whole = ObjectBuilder::new().schema_type(Type::Object).description(all.description).build();
        for part in all.items {
            let part = match part {
                RefOr::Ref(target) => take(schemas, target.ref_location.rsplit('/').next().unwrap_or_default()),
                RefOr::T(part) => Some(part),
            };
            let Some(Schema::Object(part)) = part else { continue };
            whole.properties.extend(part.properties);
            whole.required.extend(part.required);
            whole.additional_properties = whole.additional_properties.or(part.additional_properties);
        }
        schemas.push((name, Schema::Object(whole).into()));
    }
}

fn take(schemas: &mut Schemas, name: &str) -> Option<Schema> {
    let index = schemas.iter().position(|(known, _)| known == name)?;
    match schemas.swap_remove(index).1 {
        RefOr::T(schema) => Some(schema),
        RefOr::Ref(_) => None,
    }
}
