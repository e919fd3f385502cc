//! The description of an endpoint in OpenAPI 3.1: parameters, bodies, responses, problems. Each role describes its endpoints in
//! its table of endpoints, and the gateway makes one document of them. `tests/openapi.rs` compares the document with real responses.

mod components;
pub mod schemas;

use serde_json::Value;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required};
use utoipa::{PartialSchema, ToSchema};

use self::components::refusal_as;
use self::components::{PROBLEM, flatten, header, problem, query_parameter, tags};
pub use self::components::{refusal, text};
use crate::platform::http::problem::{
    BAD_GATEWAY, BAD_REQUEST, DATABASE_DAMAGED, FORBIDDEN, GATEWAY_TIMEOUT, HEADERS_TOO_LARGE, INTERNAL, INVALID_TOKEN,
    KEY_REUSED, NO_SPACE, PRECONDITION_FAILED, ProblemType, RATE_LIMITED, TIMEOUT, TOO_LARGE, UNAUTHORIZED,
    UNAVAILABLE, UNSUPPORTED_MEDIA, URI_TOO_LONG, VALIDATION,
};

const JSON: &str = "application/json";

/// Schemas by their names.
pub type Schemas = Vec<(String, RefOr<Schema>)>;

/// The OpenAPI description of one endpoint.
pub struct ApiOperation {
    /// The schemas that it refers to.
    pub schemas: Schemas,
    tag: &'static str,
    operation: OperationBuilder,
    body: Option<RequestBodyBuilder>,
    answers: Vec<(u16, ResponseBuilder)>,
    refusals: Vec<&'static ProblemType>,
    /// The problems of the access check.
    access_problems: &'static [&'static ProblemType],
    is_rate_limited: bool,
    about: Vec<String>,
    needs_token: bool,
    /// The schema of errors that are no problem documents.
    error_schema: Option<RefOr<Schema>>,
}

impl ApiOperation {
    /// An operation with this id and this sentence about it.
    pub fn new(id: &'static str, summary: &'static str) -> ApiOperation {
        ApiOperation {
            schemas: Vec::new(),
            tag: "",
            operation: OperationBuilder::new().operation_id(Some(id)).summary(Some(summary)),
            body: None,
            answers: Vec::new(),
            refusals: vec![
                BAD_REQUEST,
                URI_TOO_LONG,
                HEADERS_TOO_LARGE,
                INTERNAL,
                DATABASE_DAMAGED,
                BAD_GATEWAY,
                UNAVAILABLE,
                NO_SPACE,
                GATEWAY_TIMEOUT,
            ],
            access_problems: &[],
            is_rate_limited: false,
            about: Vec::new(),
            needs_token: false,
            error_schema: None,
        }
    }

    /// Adds a longer text.
    pub fn about(mut self, text: &str) -> ApiOperation {
        self.about.push(text.to_owned());
        self
    }

    /// Adds a variable of the path.
    pub fn path<T: PartialSchema>(self, name: &str, about: &str, example: Option<&str>) -> ApiOperation {
        let schema = T::schema();
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
        let parameter = parameter.description(Some(about)).schema(Some(schema)).example(example.map(Value::from));
        self.parameter(parameter.build())
    }

    /// Adds the fields of `T` as parameters of the query.
    pub fn query<T: ToSchema>(mut self) -> ApiOperation {
        T::schemas(&mut self.schemas);
        if let RefOr::T(Schema::Object(fields)) = T::schema() {
            for (name, schema) in fields.properties {
                let is_required = fields.required.contains(&name);
                self = self.parameter(query_parameter(name, schema, is_required));
            }
        }
        self.refuses(&[VALIDATION])
    }

    /// Adds an optional header of the request.
    pub fn header(self, name: &str, about: &str, schema: ObjectBuilder) -> ApiOperation {
        let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Header).required(Required::False);
        self.parameter(parameter.description(Some(about)).schema(Some(schema)).build())
    }

    /// Adds `If-Match`.
    pub fn if_match(self) -> ApiOperation {
        self.header("If-Match", "The change is made only if this is the `ETag`.", tags())
            .refuses(&[PRECONDITION_FAILED])
    }

    /// Adds `If-None-Match` and its response 304.
    pub fn if_none_match(self) -> ApiOperation {
        let about = "The `ETag` that the client has already.";
        self.header("If-None-Match", about, tags()).answer(304, "Not modified").sends("ETag", "The version.")
    }

    /// Adds `Idempotency-Key`.
    pub fn idempotent(self) -> ApiOperation {
        let key = text().min_length(Some(1)).max_length(Some(255)).pattern(Some("^[!#-~]([ !#-~]*[!#-~])?$"));
        let about = "The same key within 24 hours gets the first response again.";
        self.header("Idempotency-Key", about, key).refuses(&[KEY_REUSED])
    }

    fn parameter(mut self, parameter: Parameter) -> ApiOperation {
        self.operation = self.operation.parameter(parameter);
        self
    }

    /// Adds a JSON body, with an example.
    pub fn takes<T: ToSchema>(self, example: Option<Value>) -> ApiOperation {
        self.takes_as::<T>(JSON, example)
    }

    /// Adds a body of this content type.
    pub fn takes_as<T: ToSchema>(mut self, content_type: &str, example: Option<Value>) -> ApiOperation {
        let content = ContentBuilder::new().schema(Some(self.named::<T>())).example(example).build();
        let body = self.body.take().unwrap_or_else(|| RequestBodyBuilder::new().required(Some(Required::True)));
        self.body = Some(body.content(content_type, content));
        self.refuses(&[TIMEOUT, TOO_LARGE, UNSUPPORTED_MEDIA, VALIDATION])
    }

    /// Adds a response without a body.
    pub fn answer(mut self, status: u16, about: &str) -> ApiOperation {
        self.answers.push((status, ResponseBuilder::new().description(about)));
        self
    }

    /// Adds a JSON response.
    pub fn answers<T: ToSchema>(self, status: u16, about: &str) -> ApiOperation {
        self.answers_as::<T>(status, JSON, about)
    }

    /// Adds a response of this content type.
    pub fn answers_as<T: ToSchema>(mut self, status: u16, content_type: &str, about: &str) -> ApiOperation {
        let content = ContentBuilder::new().schema(Some(self.named::<T>())).build();
        self.answer(status, about).last(|answer| answer.content(content_type, content))
    }

    /// Adds a response whose content has no schema.
    pub fn streams(self, status: u16, content_type: &str, about: &str) -> ApiOperation {
        self.answer(status, about).last(|answer| answer.content(content_type, ContentBuilder::new().build()))
    }

    /// Adds another content type to the response described last.
    pub fn also_answers<T: ToSchema>(mut self, content_type: &str) -> ApiOperation {
        let content = ContentBuilder::new().schema(Some(self.named::<T>())).build();
        self.last(|answer| answer.content(content_type, content))
    }

    /// Adds a header to the response described last.
    pub fn sends(self, name: &str, about: &str) -> ApiOperation {
        let header = HeaderBuilder::new().schema(Some(text())).description(Some(about)).build();
        self.last(|answer| answer.header(name, header))
    }

    /// Adds a link from the response described last: an operation, its parameter, and where the parameter's value is.
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

    /// Adds problems that the response may be.
    pub fn refuses(mut self, kinds: &[&'static ProblemType]) -> ApiOperation {
        self.refusals.extend(kinds);
        self
    }

    /// Adds problems that are a page for a client that has sent a form.
    pub fn shows(self, kinds: &[&'static ProblemType]) -> ApiOperation {
        let page = |op: ApiOperation, kind: &&'static ProblemType| {
            op.answers_as::<schemas::Text>(kind.status, "text/html", kind.title)
        };
        kinds.iter().fold(self, page).refuses(kinds)
    }

    /// Marks it as deprecated.
    pub fn deprecated(mut self) -> ApiOperation {
        self.operation = self.operation.deprecated(Some(utoipa::openapi::Deprecated::True));
        self
    }

    /// Removes the problems of calls to other roles.
    pub fn never_fails(mut self) -> ApiOperation {
        self.refusals.retain(|kind| [BAD_REQUEST, URI_TOO_LONG, HEADERS_TOO_LARGE, INTERNAL].contains(kind));
        self
    }

    /// Its errors have this form, and are described as responses; they are no problem documents.
    pub fn errors_as<T: ToSchema>(mut self) -> ApiOperation {
        self.error_schema = Some(self.named::<T>());
        self
    }

    /// Its rate is limited.
    pub fn rate_limited(mut self) -> ApiOperation {
        self.is_rate_limited = true;
        self
    }

    /// Its group.
    pub fn tagged(mut self, tag: &'static str) -> ApiOperation {
        self.tag = tag;
        self
    }

    /// Adds the bearer token and the problems of the access check. An optional token may be absent.
    pub fn bearer_token(mut self, is_optional: bool) -> ApiOperation {
        let bearer = SecurityRequirement::new::<_, _, &str>("bearer", []);
        let absent = is_optional.then(SecurityRequirement::default);
        self.operation = self.operation.securities(Some(absent.into_iter().chain([bearer])));
        self.needs_token = true;
        self.access_problems = &[UNAUTHORIZED, INVALID_TOKEN, FORBIDDEN];
        self
    }

    fn named<T: ToSchema>(&mut self) -> RefOr<Schema> {
        T::schemas(&mut self.schemas);
        self.schemas.push((T::name().into_owned(), T::schema()));
        flatten(&mut self.schemas);
        Ref::from_schema_name(T::name()).into()
    }

    /// Builds the operation of the document.
    pub fn build(self) -> Operation {
        let mut operation = self.operation.tag(self.tag).request_body(self.body.map(RequestBodyBuilder::build));
        if !self.needs_token {
            operation = operation.securities(Some([]));
        }
        if !self.about.is_empty() {
            operation = operation.description(Some(self.about.join(" ")));
        }
        let mut kinds = if self.error_schema.is_none() { self.refusals } else { Vec::new() };
        kinds.extend(self.access_problems);
        kinds.extend(self.is_rate_limited.then_some(RATE_LIMITED));
        kinds.sort_by_key(|kind| (kind.status, kind.slug));
        kinds.dedup();
        for (status, answer) in self.answers {
            let mut answer = answer.header_ref("Case-ID", header("Case-ID"));
            if self.error_schema.is_none() && kinds.iter().any(|kind| kind.status == status) {
                // a page for people, or a problem for programs
                answer = answer.content(PROBLEM, problem());
            }
            if self.is_rate_limited {
                answer = answer.header_ref("RateLimit", header("RateLimit"));
                answer = answer.header_ref("RateLimit-Policy", header("RateLimit-Policy"));
            }
            kinds.retain(|kind| kind.status != status);
            operation = operation.response(status.to_string(), answer);
        }
        for same in kinds.chunk_by(|one, other| one.status == other.status) {
            operation = match (same, &self.error_schema) {
                (all, Some(schema)) => {
                    operation.response(all[0].status.to_string(), refusal_as(all, JSON, schema.clone()))
                }
                ([one], None) => operation.response(one.status.to_string(), Ref::from_response_name(one.slug)),
                (many, None) => operation.response(many[0].status.to_string(), refusal(many)),
            };
        }
        operation.build()
    }
}
