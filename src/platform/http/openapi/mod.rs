//! Saying what a path of the public API takes and answers, in OpenAPI 3.1. Each role describes its own paths in its `api`, by
//! [`get`] and its like, and the gateway puts them together; `tests/openapi.rs` holds the document against what is served.

mod components;
pub mod schemas;

use serde_json::Value;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use self::components::{PROBLEM, header, problem, tags, without_null};
pub use self::components::{refusal, text};
use crate::platform::auth::permissions::Access;
use crate::platform::http::problem::{
    BAD_GATEWAY, BAD_REQUEST, FORBIDDEN, GATEWAY_TIMEOUT, HEADERS_TOO_LARGE, INTERNAL, INVALID_TOKEN,
    PRECONDITION_FAILED, ProblemType, RATE_LIMITED, TIMEOUT, TOO_LARGE, UNAUTHORIZED, UNAVAILABLE, UNSUPPORTED_MEDIA,
    URI_TOO_LONG, VALIDATION,
};

const JSON: &str = "application/json";

/// Schemas by their names.
pub type Schemas = Vec<(String, RefOr<Schema>)>;

/// One method of one path.
pub struct ApiOperation {
    /// As the gateway serves it.
    pub path: &'static str,
    /// Its method.
    pub method: HttpMethod,
    /// The method's name.
    pub verb: &'static str,
    /// The schemas that it names.
    pub schemas: Schemas,
    tag: &'static str,
    operation: OperationBuilder,
    body: Option<RequestBodyBuilder>,
    answers: Vec<(u16, ResponseBuilder)>,
    refusals: Vec<&'static ProblemType>,
    /// What the door refuses, whoever is behind it.
    door: &'static [&'static ProblemType],
    is_limited: bool,
    speaks_problems: bool,
}

/// Describes `GET`.
pub fn get(path: &'static str, id: &'static str, summary: &'static str) -> ApiOperation {
    ApiOperation::new(HttpMethod::Get, "GET", path, id, summary)
}

/// Describes `POST`.
pub fn post(path: &'static str, id: &'static str, summary: &'static str) -> ApiOperation {
    ApiOperation::new(HttpMethod::Post, "POST", path, id, summary)
}

/// Describes `PUT`.
pub fn put(path: &'static str, id: &'static str, summary: &'static str) -> ApiOperation {
    ApiOperation::new(HttpMethod::Put, "PUT", path, id, summary)
}

/// Describes `PATCH`.
pub fn patch(path: &'static str, id: &'static str, summary: &'static str) -> ApiOperation {
    ApiOperation::new(HttpMethod::Patch, "PATCH", path, id, summary)
}

/// Describes `DELETE`.
pub fn delete(path: &'static str, id: &'static str, summary: &'static str) -> ApiOperation {
    ApiOperation::new(HttpMethod::Delete, "DELETE", path, id, summary)
}

impl ApiOperation {
    fn new(
        method: HttpMethod,
        verb: &'static str,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
    ) -> ApiOperation {
        let operation = OperationBuilder::new().operation_id(Some(id)).summary(Some(summary));
        ApiOperation {
            path,
            method,
            verb,
            schemas: Vec::new(),
            tag: "",
            operation,
            body: None,
            answers: Vec::new(),
            refusals: vec![BAD_REQUEST, URI_TOO_LONG, HEADERS_TOO_LARGE, INTERNAL, BAD_GATEWAY, UNAVAILABLE],
            door: &[],
            is_limited: false,
            speaks_problems: true,
        }
        .refuses(&[GATEWAY_TIMEOUT])
    }

    /// More than the summary says.
    pub fn about(mut self, text: &str) -> ApiOperation {
        self.operation = self.operation.description(Some(text));
        self
    }

    /// A variable of the path.
    pub fn path<T: PartialSchema>(self, name: &str, about: &str, example: Option<&str>) -> ApiOperation {
        let schema = T::schema();
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
        let parameter = parameter.description(Some(about)).schema(Some(schema)).example(example.map(Value::from));
        self.parameter(parameter.build())
    }

    /// What may stand in the query: the fields of `T`.
    pub fn query<T: IntoParams>(mut self) -> ApiOperation {
        for mut parameter in T::into_params(|| Some(ParameterIn::Query)) {
            parameter.schema = parameter.schema.map(without_null);
            self = self.parameter(parameter);
        }
        self.refuses(&[VALIDATION])
    }

    /// A header of the request that need not be there.
    pub fn header(self, name: &str, about: &str, schema: ObjectBuilder) -> ApiOperation {
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Header).required(Required::False);
        self.parameter(parameter.description(Some(about)).schema(Some(schema)).build())
    }

    /// `If-Match`.
    pub fn if_match(self) -> ApiOperation {
        self.header("If-Match", "Changes only what has this `ETag`.", tags()).refuses(&[PRECONDITION_FAILED])
    }

    /// `If-None-Match`, and the 304 that it may bring.
    pub fn if_none_match(self) -> ApiOperation {
        let about = "Asks only for what has not this `ETag`.";
        self.header("If-None-Match", about, tags()).answer(304, "As you know it").sends("ETag", "Its version.")
    }

    /// `Idempotency-Key`.
    pub fn once(self) -> ApiOperation {
        let key = text().min_length(Some(1)).max_length(Some(255)).pattern(Some("^[!#-~]([ !#-~]*[!#-~])?$"));
        let about = "Whoever sends it again within 24 hours gets the first answer again.";
        self.header("Idempotency-Key", about, key).refuses(&[crate::platform::http::problem::KEY_REUSED])
    }

    fn parameter(mut self, parameter: Parameter) -> ApiOperation {
        self.operation = self.operation.parameter(parameter);
        self
    }

    /// A body of JSON, with an example.
    pub fn takes<T: ToSchema>(self, example: Option<Value>) -> ApiOperation {
        self.takes_as::<T>(JSON, example)
    }

    /// A body of this content type.
    pub fn takes_as<T: ToSchema>(mut self, content_type: &str, example: Option<Value>) -> ApiOperation {
        let content = ContentBuilder::new().schema(Some(self.named::<T>())).example(example).build();
        let body = self.body.take().unwrap_or_else(|| RequestBodyBuilder::new().required(Some(Required::True)));
        self.body = Some(body.content(content_type, content));
        self.refuses(&[TIMEOUT, TOO_LARGE, UNSUPPORTED_MEDIA, VALIDATION])
    }

    /// An answer without a body.
    pub fn answer(mut self, status: u16, about: &str) -> ApiOperation {
        self.answers.push((status, ResponseBuilder::new().description(about)));
        self
    }

    /// An answer in JSON.
    pub fn answers<T: ToSchema>(self, status: u16, about: &str) -> ApiOperation {
        self.answers_as::<T>(status, JSON, about)
    }

    /// An answer of this content type.
    pub fn answers_as<T: ToSchema>(mut self, status: u16, content_type: &str, about: &str) -> ApiOperation {
        let content = ContentBuilder::new().schema(Some(self.named::<T>())).build();
        self.answer(status, about).last(|answer| answer.content(content_type, content))
    }

    /// An answer whose content has no schema.
    pub fn streams(self, status: u16, content_type: &str, about: &str) -> ApiOperation {
        self.answer(status, about).last(|answer| answer.content(content_type, ContentBuilder::new().build()))
    }

    /// Another content type of the answer described last.
    pub fn also_answers<T: ToSchema>(mut self, content_type: &str) -> ApiOperation {
        let content = ContentBuilder::new().schema(Some(self.named::<T>())).build();
        self.last(|answer| answer.content(content_type, content))
    }

    /// A header of the answer described last.
    pub fn sends(self, name: &str, about: &str) -> ApiOperation {
        let header = HeaderBuilder::new().schema(Some(text())).description(Some(about)).build();
        self.last(|answer| answer.header(name, header))
    }

    /// What else may be done with what the answer described last brings: an operation, its parameter, and where its value is.
    pub fn leads_to(self, operation: &'static str, parameter: &str, value: &str) -> ApiOperation {
        let link = utoipa::openapi::link::Link::builder().operation_id(operation).parameter(parameter, value).build();
        self.last(|answer| answer.link(operation, link))
    }

    fn last(mut self, change: impl FnOnce(ResponseBuilder) -> ResponseBuilder) -> ApiOperation {
        if let Some((status, answer)) = self.answers.pop() {
            self.answers.push((status, change(answer)));
        }
        self
    }

    /// Problems that the answer may be.
    pub fn refuses(mut self, kinds: &[&'static ProblemType]) -> ApiOperation {
        self.refusals.extend(kinds);
        self
    }

    /// Problems that a program reads, and that are a page to whoever has sent a form.
    pub fn shows(self, kinds: &[&'static ProblemType]) -> ApiOperation {
        let page = |op: ApiOperation, kind: &&'static ProblemType| {
            op.answers_as::<schemas::Text>(kind.status, "text/html", kind.title)
        };
        kinds.iter().fold(self, page).refuses(kinds)
    }

    /// It is there for as long as something else needs it.
    pub fn deprecated(mut self) -> ApiOperation {
        self.operation = self.operation.deprecated(Some(utoipa::openapi::Deprecated::True));
        self
    }

    /// It is answered without asking anybody else, and never refused.
    pub fn never_fails(mut self) -> ApiOperation {
        self.refusals.retain(|kind| [BAD_REQUEST, URI_TOO_LONG, HEADERS_TOO_LARGE, INTERNAL].contains(kind));
        self
    }

    /// Its errors are described as answers; they are no problem documents.
    pub fn without_problems(mut self) -> ApiOperation {
        self.speaks_problems = false;
        self
    }

    /// Callers may ask only so often.
    pub fn limited(mut self) -> ApiOperation {
        self.is_limited = true;
        self
    }

    /// The group in which readers find it.
    pub fn tagged(mut self, tag: &'static str) -> ApiOperation {
        self.tag = tag;
        self
    }

    /// Who may, where callers must say who they are.
    pub fn for_whom(mut self, who: Access) -> ApiOperation {
        let bearer = || SecurityRequirement::new::<_, _, &str>("bearer", []);
        let any = match who {
            Access::Open | Access::Token => return self,
            Access::Invited => vec![SecurityRequirement::default(), bearer()],
            _ => vec![bearer()],
        };
        self.operation = self.operation.securities(Some(any));
        self.door = &[UNAUTHORIZED, INVALID_TOKEN, FORBIDDEN];
        self
    }

    fn named<T: ToSchema>(&mut self) -> RefOr<Schema> {
        T::schemas(&mut self.schemas);
        self.schemas.push((T::name().into_owned(), T::schema()));
        Ref::from_schema_name(T::name()).into()
    }

    /// As the document has it.
    pub fn build(self) -> Operation {
        let mut operation = self.operation.tag(self.tag).request_body(self.body.map(RequestBodyBuilder::build));
        let mut kinds = if self.speaks_problems { self.refusals } else { Vec::new() };
        kinds.extend(self.door);
        kinds.extend(self.is_limited.then_some(RATE_LIMITED));
        kinds.sort_by_key(|kind| (kind.status, kind.slug));
        kinds.dedup();
        for (status, answer) in self.answers {
            let mut answer = answer.header_ref("Case-ID", header("Case-ID"));
            if kinds.iter().any(|kind| kind.status == status) {
                // a page for people, or a problem for programs
                answer = answer.content(PROBLEM, problem());
            }
            if self.is_limited {
                answer = answer.header_ref("RateLimit", header("RateLimit"));
                answer = answer.header_ref("RateLimit-Policy", header("RateLimit-Policy"));
            }
            kinds.retain(|kind| kind.status != status);
            operation = operation.response(status.to_string(), answer);
        }
        for same in kinds.chunk_by(|one, other| one.status == other.status) {
            operation = match same {
                [one] => operation.response(one.status.to_string(), Ref::from_response_name(one.slug)),
                many => operation.response(many[0].status.to_string(), refusal(many)),
            };
        }
        operation.build()
    }
}
