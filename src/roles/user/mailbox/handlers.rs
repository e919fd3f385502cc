//! The endpoints behind letters: JSON for programs, and pages with forms for people.

use actix_web::web::{Data, Payload};
use actix_web::{FromRequest as _, HttpMessage as _, HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::pages;
use crate::calendar::Fault;
use crate::platform::auth::{AuthMethod, Caller, Principal, unknown_caller};
use crate::platform::http::extract::{JsonBody, Params, RawBody, email, text};
use crate::platform::http::problem::{Problem, TOO_MANY_LETTERS, UNVERIFIED};
use crate::roles::user::api::letters::Purpose;
use crate::roles::user::auth::handlers::prove;
use crate::roles::user::auth::passwords::Passwords;
use crate::roles::user::auth::policy::{new_password, typed_password};
use crate::roles::user::store::Store;

type Answer = Result<HttpResponse, Problem>;

/// Seconds after which an address gets letters again, at most.
const HOUR: u32 = 3600;

/// `POST /auth/verification`: the letter once more
pub async fn send_verification(caller: Caller, store: Data<Store>) -> Answer {
    let sent = store.send_verification(&caller).await.map_err(|stop| store.owner.problem(stop))?;
    if !sent {
        let detail = "look into the newest letter, or ask for another one in an hour";
        return Err(Problem { retry_after: Some(HOUR), ..Problem::new(TOO_MANY_LETTERS, detail) });
    }
    Ok(HttpResponse::Accepted()
        .json(json!({ "detail": "a letter is on its way, unless the mailbox is verified already" })))
}

/// `GET /auth/verify?token=`: the page behind the link
pub async fn ask_to_verify(req: HttpRequest, store: Data<Store>) -> Answer {
    let token = token_in_query(&req)?;
    Ok(match store.owner_of_code(Purpose::VerifyMailbox, &token).await.map_err(|stop| store.owner.problem(stop)) {
        Ok(email) => pages::verify(&email, &token),
        Err(problem) => pages::refused(&problem),
    })
}

/// `POST /auth/verify`
pub async fn verify(req: HttpRequest, store: Data<Store>, body: Payload) -> Answer {
    let (mut fields, by_form) = fields(&req, body).await?;
    let token = fields.required("token", secret);
    let token = fields.finish(token)?;
    let verified = store.verify_mailbox(&token).await.map_err(|stop| store.owner.problem(stop));
    match verified {
        Ok(email) if by_form => Ok(pages::verified(&email)),
        Err(problem) if by_form => Ok(pages::refused(&problem)),
        other => other.map(|_| HttpResponse::NoContent().finish()),
    }
}

/// `POST /auth/password/forgot`: the same answer after the same work, whether or not there is such an account
pub async fn forgot_password(store: Data<Store>, JsonBody(body): JsonBody) -> Answer {
    let mut fields = Params::of_body(body)?;
    let email = fields.required("email", email);
    let email = fields.finish(email)?;
    store.send_code(Purpose::ResetPassword, &email).await.map_err(|stop| store.owner.problem(stop))?;
    Ok(HttpResponse::Accepted()
        .json(json!({ "detail": "if there is an account with this address, a letter is on its way" })))
}

/// `GET /auth/password/reset?token=`: the page behind the link
pub async fn ask_to_reset(req: HttpRequest, store: Data<Store>) -> Answer {
    let token = token_in_query(&req)?;
    Ok(match store.owner_of_code(Purpose::ResetPassword, &token).await.map_err(|stop| store.owner.problem(stop)) {
        Ok(email) => pages::reset(&email, &token, None),
        Err(problem) => pages::refused(&problem),
    })
}

/// `POST /auth/password/reset`
pub async fn reset_password(req: HttpRequest, store: Data<Store>, passwords: Data<Passwords>, body: Payload) -> Answer {
    let (mut fields, by_form) = fields(&req, body).await?;
    let token = fields.required("token", secret);
    let password = fields.required("password", new_password);
    let read = fields.finish(token.clone().zip(password));
    let done = async {
        let (token, password) = read?;
        // nothing dear is done for a code that is none
        let email =
            store.owner_of_code(Purpose::ResetPassword, &token).await.map_err(|stop| store.owner.problem(stop))?;
        let hash = passwords.make(password, vec![email.to_string()]).await?;
        store.reset_password(&token, &hash).await.map_err(|stop| store.owner.problem(stop))
    };
    match done.await {
        Ok(()) if by_form => Ok(pages::was_reset()),
        Ok(()) => Ok(HttpResponse::NoContent().finish()),
        Err(problem) if by_form => Ok(again(&store, token.as_deref().unwrap_or_default(), &problem).await),
        Err(problem) => Err(problem),
    }
}

/// The form once more, with what was wrong; or why that is of no use.
async fn again(store: &Store, token: &str, problem: &Problem) -> HttpResponse {
    match store.owner_of_code(Purpose::ResetPassword, token).await.map_err(|stop| store.owner.problem(stop)) {
        Ok(email) => pages::reset(&email, token, Some(problem)),
        Err(void) => pages::refused(&void),
    }
}

/// `PUT /auth/password`: another one, by the old one; every other session ends
pub async fn change_password(
    req: HttpRequest,
    caller: Caller,
    store: Data<Store>,
    passwords: Data<Passwords>,
    JsonBody(body): JsonBody,
) -> Answer {
    let mut fields = Params::of_body(body)?.without_query(&req);
    let (old, new) = (fields.required("current_password", typed_password), fields.required("password", new_password));
    let (old, new) = fields.finish(old.zip(new))?;
    let account = prove(&store, &passwords, &caller.email, old).await?;
    let hash = passwords.make(new, vec![caller.email.to_string(), account.name]).await?;
    let AuthMethod::Session(session) = caller.method else { return Err(unknown_caller()) };
    let session = session.unwrap_or_default();
    store.change_password(&caller.id, &session, &hash).await.map_err(|why| store.owner.read_problem(&why))?;
    Ok(HttpResponse::NoContent().finish())
}

/// Whether letters may go to others in the name of whoever asks: only who reads a mailbox answers for what is sent from it. Else
/// anybody could have strangers written to, in the name of any address that is not taken.
pub async fn check_verified(asker: &Principal, store: &Store) -> Result<(), Problem> {
    let Principal::Account(caller) = asker else { return Ok(()) };
    if !store.auth.verify_email {
        return Ok(());
    }
    let account = store.account(&caller.email).await.map_err(|why| store.owner.read_problem(&why))?;
    if account.is_some_and(|account| account.email_verified_at.is_some()) {
        return Ok(());
    }
    let detail =
        "follow the link in the letter that came when you registered; POST /api/auth/verification sends another one";
    Err(Problem::new(UNVERIFIED, detail))
}

/// What a program or a form has sent, and whether it was a form.
async fn fields(req: &HttpRequest, body: Payload) -> Result<(Params, bool), Problem> {
    let by_form = req.content_type().eq_ignore_ascii_case("application/x-www-form-urlencoded");
    let mut body = body.into_inner();
    let fields = match by_form {
        true => Params::of_form(&RawBody::from_request(req, &mut body).await?.0),
        false => Params::of_body(JsonBody::from_request(req, &mut body).await?.0)?,
    };
    Ok((fields, by_form))
}

fn token_in_query(req: &HttpRequest) -> Result<String, Problem> {
    let mut fields = Params::of_query(req, None);
    let token = fields.required("token", secret);
    fields.finish(token)
}

/// A code, or what somebody takes for one.
fn secret(value: &Value) -> Result<String, Vec<Fault>> {
    text(200)(value)
}
