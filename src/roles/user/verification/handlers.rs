//! The handlers of e-mail verification and passwords: JSON for programs, and pages with forms behind the links in e-mails.

use actix_web::web::{Data, Payload};
use actix_web::{FromRequest as _, HttpMessage as _, HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::pages::{self, LinkForm};
use crate::platform::auth::verifier::ended_session;
use crate::platform::auth::{AuthMethod, Caller, unknown_caller};
use crate::platform::email::Email;
use crate::platform::http::HttpResult;
use crate::platform::http::extract::{JsonBody, Params, RawBody, email, text};
use crate::platform::http::problem::Problem;
use crate::roles::user::accounts::handlers::{Cached, write};
use crate::roles::user::api::account_mail::Purpose;
use crate::roles::user::api::problems::TOO_MANY_LETTERS;
use crate::roles::user::auth::handlers::authenticate;
use crate::roles::user::auth::passwords::Passwords;
use crate::roles::user::auth::policy::{Password, new_password, typed_password};
use crate::roles::user::store::Store;

/// Seconds after which an address gets e-mails again, at most.
const HOUR: u32 = 3600;

/// Characters of a code in a request, at most.
const MAX_CODE: usize = 200;

/// The confirmation that an e-mail is sent if it is needed.
#[derive(Serialize, ToSchema)]
pub struct Promise {
    detail: &'static str,
}

/// `POST /auth/verification`: sends the verification e-mail again
pub async fn send_verification(caller: Caller, store: Data<Store>) -> HttpResult {
    let sent = store.send_verification(&caller).await?;
    if !sent {
        let detail = "use the newest e-mail, or request another one in an hour";
        return Err(Problem { retry_after: Some(HOUR), ..Problem::new(TOO_MANY_LETTERS, detail) });
    }
    let detail = "an e-mail is on its way, unless the address is verified already";
    Ok(HttpResponse::Accepted().json(Promise { detail }))
}

/// `GET /auth/verify?token=`: the page behind the link
pub async fn verify_page(req: HttpRequest, store: Data<Store>) -> HttpResult {
    let token = token_in_query(&req)?;
    Ok(page_of_code(&store, Purpose::VerifyMailbox, &token, None).await)
}

/// `POST /auth/verify`
pub async fn verify(req: HttpRequest, users: Cached, passwords: Data<Passwords>, body: Payload) -> HttpResult {
    prove_mailbox(Purpose::VerifyMailbox, &req, &users, &passwords, body).await
}

/// `POST /auth/password/forgot`: responds in the same way and time whether or not the account exists
pub async fn forgot_password(store: Data<Store>, JsonBody(body): JsonBody) -> HttpResult {
    let email = Params::of_body(body)?.only("email", email)?;
    store.send_code(Purpose::ResetPassword, &email).await?;
    let detail = "if this address has an account, an e-mail is on its way";
    Ok(HttpResponse::Accepted().json(Promise { detail }))
}

/// `GET /auth/password/reset?token=`: the page behind the link
pub async fn reset_page(req: HttpRequest, store: Data<Store>) -> HttpResult {
    let token = token_in_query(&req)?;
    Ok(page_of_code(&store, Purpose::ResetPassword, &token, None).await)
}

/// The page of a valid code, with the problem of the last attempt, or one that says that the link does not work.
async fn page_of_code(store: &Store, purpose: Purpose, code: &str, wrong: Option<&Problem>) -> HttpResponse {
    let shown = async {
        let email = store.owner_of_code(purpose, code).await.map_err(Problem::from)?;
        let is_registered = !store.unverified(&[email.as_str()]).await?.is_empty();
        Ok::<_, Problem>(pages::form(&LinkForm { purpose, email: &email, code, is_registered, wrong }))
    };
    shown.await.unwrap_or_else(|problem| pages::refused(&problem))
}

/// `POST /auth/password/reset`
pub async fn reset_password(req: HttpRequest, users: Cached, passwords: Data<Passwords>, body: Payload) -> HttpResult {
    prove_mailbox(Purpose::ResetPassword, &req, &users, &passwords, body).await
}

/// Uses a code, with a new password. Every client sends one: the person who reads the mailbox need not be the one who has
/// registered the address, and must not confirm the password of another person.
async fn prove_mailbox(
    purpose: Purpose,
    req: &HttpRequest,
    users: &Cached,
    passwords: &Passwords,
    body: Payload,
) -> HttpResult {
    let (mut fields, is_form) = read_fields(req, body).await?;
    let token = fields.required("token", text(MAX_CODE));
    let password = fields.required("password", new_password);
    let input = fields.finish(token.clone().zip(password));
    let store = &users.source().store;
    let proof = async {
        let (token, password) = input?;
        // an invalid code must not cause the costly hash of a password
        let email = store.owner_of_code(purpose, &token).await?;
        let known = find_known(store, passwords, &email, &password).await?;
        let (known, hash) = (known.as_deref(), passwords.hash(password, vec![email.to_string()]).await?);
        let prove = async |tombstone| users.source().prove_mailbox((purpose, &token), &hash, known, tombstone).await;
        write(users, &email, prove).await
    };
    match proof.await {
        Ok(email) if is_form => Ok(pages::success(purpose, &email)),
        Ok(_) => Ok(HttpResponse::NoContent().finish()),
        // the form again, with the fault
        Err(problem) if is_form => {
            let code = token.as_deref().unwrap_or_default();
            Ok(page_of_code(store, purpose, code, Some(&problem)).await)
        }
        Err(problem) => Err(problem),
    }
}

/// The hash of the password that an unverified account was registered with, if this is that password: then the person who reads the
/// mailbox has registered the account, and keeps what is in it.
async fn find_known(
    store: &Store,
    passwords: &Passwords,
    email: &Email,
    password: &Password,
) -> Result<Option<String>, Problem> {
    let account = store.account(email).await?;
    let unproven = account.filter(|account| store.requires_proof() && account.email_verified_at.is_none());
    let Some(account) = unproven else { return Ok(None) };
    let is_known = passwords.verify(passwords.acquire()?, password.clone(), Some(&account.password_hash)).await?;
    Ok(is_known.then_some(account.password_hash))
}

/// `PUT /auth/password`: sets a new password by the current one; every other session ends
pub async fn change_password(
    req: HttpRequest,
    caller: Caller,
    store: Data<Store>,
    passwords: Data<Passwords>,
    JsonBody(body): JsonBody,
) -> HttpResult {
    let mut fields = Params::of_body(body)?.without_query(&req);
    let (old, new) = (fields.required("current_password", typed_password), fields.required("password", new_password));
    let (old, new) = fields.finish(old.zip(new))?;
    let account = authenticate(&store, &passwords, &caller.email, old).await?;
    let hash = passwords.hash(new, vec![caller.email.to_string(), account.name.clone()]).await?;
    let AuthMethod::Session(session) = caller.method else { return Err(unknown_caller()) };
    let session = session.unwrap_or_default();
    match store.change_password(&account, &session, &hash).await? {
        true => Ok(HttpResponse::NoContent().finish()),
        false => Err(ended_session()),
    }
}

/// The fields of a JSON body or a form, and whether it was a form.
async fn read_fields(req: &HttpRequest, body: Payload) -> Result<(Params, bool), Problem> {
    let is_form = req.content_type().eq_ignore_ascii_case("application/x-www-form-urlencoded");
    let mut body = body.into_inner();
    let fields = match is_form {
        true => Params::of_form(&RawBody::from_request(req, &mut body).await?.0),
        false => Params::of_body(JsonBody::from_request(req, &mut body).await?.0)?,
    };
    Ok((fields, is_form))
}

fn token_in_query(req: &HttpRequest) -> Result<String, Problem> {
    Params::of_query(req, None).only("token", text(MAX_CODE))
}
